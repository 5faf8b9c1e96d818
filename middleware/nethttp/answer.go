package nethttp

import (
	"context"
	"errors"
	"net/http"

	"github.com/seawall-go/seawall/internal/refusal"
)

// Error answers a request with err, as [Middleware] does for the errors of its policies. It is for handlers that call
// policies themselves:
//
//	if err := payments.Do(ctx, charge); err != nil {
//		nethttp.Error(w, err)
//		return
//	}
//
// The status is that of the first error in the tree of err which has a method HTTPStatus() int, if it is 400 to 599:
// 429 for a limit, 503 for an open breaker or a full bulkhead, 504 for a timeout. Otherwise it is 504 if err is
// [context.DeadlineExceeded], 503 if it is [context.Canceled], 413 if it is a [*http.MaxBytesError], and else 500. Where
// err knows when to come back, Retry-After says so, in whole seconds, rounded up.
//
// The body is a problem of RFC 9457, application/problem+json. Neither err's text nor any name is in it, and no cache
// keeps it. Header fields that describe another body or how long to keep it, such as Content-Encoding
// or CDN-Cache-Control, are removed.
func Error(w http.ResponseWriter, err error) {
	answer := answerTo(err)
	h := w.Header()
	for _, field := range []string{
		"Accept-Ranges", "Age", "Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Content-Digest", "Content-Disposition",
		"Content-Encoding", "Content-Language", "Content-Length", "Content-Location", "Content-Md5", "Content-Range", "Digest",
		"Edge-Control", "Etag", "Expires", "Last-Modified", "Repr-Digest", "Retry-After", "Surrogate-Control", "Trailer",
		"X-Accel-Expires",
	} {
		h.Del(field)
	}
	for field, value := range answer.Headers {
		h.Set(field, value)
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // a caller who has gone needs no answer
}

func answerTo(err error) refusal.Answer {
	answer, ok := refusal.AnswerTo(err, http.StatusText)
	if !ok {
		answer, _ = refusal.AnswerTo(statusFor(err), http.StatusText)
	}
	return answer
}

// A status is an error that is answered with it.
type status int

func (s status) Error() string { return http.StatusText(int(s)) }

func (s status) HTTPStatus() int { return int(s) }

// statusFor is the status for an error that does not name one.
func statusFor(err error) status {
	if errors.Is(err, context.DeadlineExceeded) {
		return http.StatusGatewayTimeout
	}
	if errors.Is(err, context.Canceled) {
		return http.StatusServiceUnavailable
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusInternalServerError
}
