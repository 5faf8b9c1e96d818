package nethttp

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A StatusError is what policies see of a response whose status is a failure. On the server that is 500 and above, on
// the client also 429 Too Many Requests and 408 Request Timeout; never 501 Not Implemented, which is a plain answer.
// Use [errors.As] to find it.
type StatusError struct {
	Code int           // the status
	Wait time.Duration // what the response's Retry-After asks for, at most an hour; zero if it asks for nothing
}

func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("status %d %s", e.Code, http.StatusText(e.Code)))
}

// ErrorType returns the status as telemetry has it.
func (e *StatusError) ErrorType() string { return strconv.Itoa(e.Code) }

// HTTPStatusCode returns the status. A retry waits longer after 429.
func (e *StatusError) HTTPStatusCode() int { return e.Code }

// RetryAfter returns Wait.
func (e *StatusError) RetryAfter() time.Duration { return e.Wait }

const longestRetryAfter = time.Hour

// retryAfter is how long a Retry-After header asks to wait, in seconds or as a date. A date is compared with the Date
// of the response, where there is one, so that clocks which differ do not matter.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if value == "" {
		return 0
	}
	var wait time.Duration
	if isDigits(value) {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(longestRetryAfter/time.Second) {
			return longestRetryAfter
		}
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		wait = at.Sub(now)
	}
	return min(max(wait, 0), longestRetryAfter)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || '9' < s[i] {
			return false
		}
	}
	return true
}

// serverFailed and clientFailed report whether a status is a failure: of the handler that wrote it, or of the call that
// was answered with it. What was the caller's mistake is not.
func serverFailed(status int) bool {
	return status >= 500 && status != http.StatusNotImplemented
}

func clientFailed(status int) bool {
	return serverFailed(status) || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}
