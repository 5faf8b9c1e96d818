package refusal

import (
	"strconv"
	"time"
)

// An Answer is what an HTTP caller is told about an error that has a [Status].
type Answer struct {
	Status  int
	Headers map[string]string // canonical names: Content-Type, Cache-Control and, where a time is known, Retry-After
	Body    []byte            // a problem of RFC 9457 in JSON: what a caller can do, and no name from inside the program
}

// AnswerTo is the answer to err, or false if err does not say with which error status, 400 to 599, it wants to be
// answered. The title comes from statusText, which is http.StatusText wherever net/http is imported anyway.
func AnswerTo(err error, statusText func(int) string) (Answer, bool) {
	status := Status(err)
	if status < 400 || status > 599 {
		return Answer{}, false
	}
	a := Answer{
		Status: status,
		Headers: map[string]string{
			"Content-Type":  "application/problem+json",
			"Cache-Control": "no-store", // a cache that kept a refusal would go on refusing
		},
	}
	if wait, ok := After(err); ok {
		a.Headers["Retry-After"] = seconds(wait)
	}

	b := append(a.Body, `{"type":"about:blank"`...)
	if title := statusText(status); title != "" {
		b = strconv.AppendQuote(append(b, `,"title":`...), title)
	}
	b = strconv.AppendInt(append(b, `,"status":`...), int64(status), 10)
	if detail := detail(status); detail != "" {
		b = strconv.AppendQuote(append(b, `,"detail":`...), detail)
	}
	a.Body = append(b, '}')
	return a, true
}

// seconds rounds up, so that nobody comes too early, and is never "0", which some clients take for «at once».
func seconds(wait time.Duration) string {
	n := int64(wait / time.Second)
	if wait%time.Second > 0 {
		n++
	}
	return strconv.FormatInt(max(n, 1), 10)
}

func detail(status int) string {
	switch status {
	case 429:
		return "Too many requests at the moment. Try again later."
	case 503:
		return "The service cannot take this request at the moment. Try again later."
	case 504:
		return "There was no time left to answer this request."
	}
	return ""
}
