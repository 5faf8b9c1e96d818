package httpkey

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/internal/refusal"
)

// A status is an error that is answered with it.
type status int

func (s status) Error() string { return "httpkey: " + http.StatusText(int(s)) }

// HTTPStatus is what the answer has.
func (s status) HTTPStatus() int { return int(s) }

// outstanding is the refusal of a request that is still running elsewhere. The client is not told when that run would be
// taken for dead, which is late: most likely it is done before.
type outstanding struct{ error }

func (o outstanding) HTTPStatus() int { return http.StatusConflict }

func (o outstanding) RetryAfter() time.Duration { return time.Second }

// problem is the answer to a request that the engine refused with err, or false if it does not say how to answer.
func problem(err error) (Response, bool) {
	if e, ok := errors.AsType[*idempotency.KeyError](err); ok && refusal.Status(e.Err) != 0 {
		err = e.Err // it knows better
	}
	if is[*idempotency.InProgressError](err) || err == idempotency.ErrLost { //nolint:errorlint // as it comes from the engine
		err = outstanding{err}
	}
	answer, ok := refusal.AnswerTo(err, func(status int) string {
		if title := title(err); title != "" {
			return title
		}
		return http.StatusText(status)
	})
	h := make(http.Header, len(answer.Headers))
	for name, value := range answer.Headers {
		h.Set(name, value)
	}
	return Response{Status: answer.Status, Header: h, Body: answer.Body}, ok
}

// title says what is wrong, in the words of the draft where it has some.
func title(err error) string {
	switch {
	case is[outstanding](err):
		return "A request is outstanding for this Idempotency-Key"
	case is[*idempotency.MismatchError](err):
		return "Idempotency-Key is already used"
	case is[*idempotency.NotKeptError](err):
		return "The request with this Idempotency-Key is done, its response was not kept"
	case is[*idempotency.UncertainError](err):
		return "It is uncertain what the request with this Idempotency-Key did"
	case !is[*idempotency.KeyError](err):
		return ""
	case errors.Is(err, idempotency.ErrNoKey):
		return "Idempotency-Key is missing"
	case errors.Is(err, ErrMalformed):
		return "Idempotency-Key is malformed"
	}
	return ""
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// mustProblem is the answer to a request that is over with err.
func mustProblem(err error) Response {
	answer, ok := problem(err)
	if !ok {
		answer, _ = problem(statusFor(err))
	}
	return answer
}

// statusFor is the status for an error that does not name one.
func statusFor(err error) status {
	if errors.Is(err, context.DeadlineExceeded) {
		return http.StatusGatewayTimeout
	}
	return http.StatusServiceUnavailable
}
