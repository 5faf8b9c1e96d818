package refusal_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/seawall-go/seawall/internal/refusal"
)

// reply is an error with what a server answered.
type reply struct {
	status int
	code   string
}

func (reply) Error() string         { return "reply" }
func (r reply) HTTPStatusCode() int { return r.status }
func (r reply) ErrorCode() string   { return r.code }

type throttled bool

func (throttled) Error() string     { return "throttled" }
func (t throttled) Throttled() bool { return bool(t) }

func TestFaultOf(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want refusal.Fault
	}{
		{errors.New("boom"), refusal.Server},
		{throttled(true), refusal.Load},
		{throttled(false), refusal.Server},
		{reply{status: 400}, refusal.Request},
		{fmt.Errorf("get: %w", reply{status: 404}), refusal.Request},
		{reply{status: 499}, refusal.Request},
		{reply{status: 408}, refusal.Server},
		{reply{status: 425}, refusal.Server},
		{reply{status: 429}, refusal.Load},
		{reply{status: 500}, refusal.Server},
		{reply{status: 304}, refusal.Server},
		{reply{400, "ProvisionedThroughputExceededException"}, refusal.Load},
		{reply{400, "RequestTimeout"}, refusal.Server},
		{reply{400, "ConditionalCheckFailedException"}, refusal.Request},
	} {
		if got := refusal.FaultOf(tt.err); got != tt.want {
			t.Errorf("%+v: %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestLast(t *testing.T) {
	boom := errors.New("boom")
	err := refusal.Last(boom)
	if !refusal.IsLast(err) || refusal.IsLast(boom) || refusal.IsLast(nil) || refusal.IsLast(fmt.Errorf("wrapped: %w", err)) {
		t.Error("IsLast does not say which error has the mark outermost")
	}
	if refusal.Bare(err) != boom || refusal.Bare(boom) != boom || refusal.Bare(nil) != nil { //nolint:errorlint // the same value
		t.Error("Bare is not the error without its mark")
	}
	if !errors.Is(err, boom) || err.Error() != "boom" {
		t.Errorf("the mark hides the error: %v", err)
	}
	f, ok := err.(interface {
		Final() bool
		RetryableError() bool
	})
	if !ok || !f.Final() || f.RetryableError() {
		t.Error("the mark does not say that it is the last")
	}
}
