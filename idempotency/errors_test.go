package idempotency_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/internal/refusal"
)

func TestErrors(t *testing.T) {
	about := idempotency.Subject{Scope: "orders", Digest: "7902699b"}
	for _, tt := range []struct {
		err     error
		text    string
		is      error
		status  int
		after   time.Duration
		refused bool
	}{
		{&idempotency.InProgressError{Subject: about, Left: 12*time.Second + 345678*time.Microsecond}, "in progress, retry in 12.346s", idempotency.ErrInProgress, 409, 12345678 * time.Microsecond, true},
		{&idempotency.InProgressError{Subject: about, Left: -time.Second}, "in progress, retry in 50ms", idempotency.ErrInProgress, 409, 50 * time.Millisecond, true},
		{&idempotency.MismatchError{about}, "the key was used with another payload", idempotency.ErrMismatch, 422, 0, true},
		{&idempotency.UncertainError{Subject: about, Attempt: 2}, "uncertain what attempt 2 did", idempotency.ErrUncertain, 409, 0, true},
		{&idempotency.UncertainError{about, 2, errBoom}, "uncertain what attempt 2 did: boom", idempotency.ErrUncertain, 409, 0, true},
		{&idempotency.UncertainError{about, 2, errBoom}, "uncertain what attempt 2 did: boom", errBoom, 409, 0, true},
		{&idempotency.NotKeptError{Subject: about}, "done, its result was not kept", idempotency.ErrNotKept, 409, 0, true},
		{&idempotency.NotKeptError{about, errBoom}, "done, its result was not kept: boom", idempotency.ErrNotKept, 409, 0, true},
		{&idempotency.KeyError{about, idempotency.ErrNoKey}, "the call has no key", idempotency.ErrNoKey, 400, 0, true},
		{&idempotency.KeyError{about, errBoom}, "key: boom", errBoom, 400, 0, true},
		{&idempotency.StoreError{about, "claim", errBoom}, "claim: boom", idempotency.ErrStore, 503, 0, true},
		{&idempotency.StoreError{about, "load", errBoom}, "load: boom", errBoom, 503, 0, true},
		{&idempotency.StoreError{about, "get", errBoom}, "get: boom", errBoom, 503, 0, true},
		{&idempotency.StoreError{about, "put", errBoom}, "put: boom", errBoom, 503, 0, false},
		{&idempotency.StoreError{about, "complete", errBoom}, "complete: boom", errBoom, 503, 0, false},
		{&idempotency.StoreError{about, "release", errBoom}, "release: boom", errBoom, 503, 0, false},
		{&idempotency.StoreError{about, "extend", errBoom}, "extend: boom", errBoom, 503, 0, false},
		{&idempotency.CorruptError{about, errBoom}, "record: boom", idempotency.ErrCorrupt, 500, 0, true},
		{&idempotency.CorruptError{about, errBoom}, "record: boom", errBoom, 500, 0, true},
	} {
		t.Run(fmt.Sprintf("%T %s", tt.err, tt.text), func(t *testing.T) {
			if want := "idempotency orders 7902699b: " + tt.text; tt.err.Error() != want {
				t.Errorf("text %q, want %q", tt.err, want)
			}
			if !errors.Is(tt.err, tt.is) || errors.Is(tt.err, idempotency.ErrLost) {
				t.Errorf("it is not %v", tt.is)
			}
			if after, _ := refusal.After(tt.err); refusal.Status(tt.err) != tt.status || after != tt.after || refusal.Is(tt.err) != tt.refused {
				t.Errorf("status %d, retry after %v, refused %v", refusal.Status(tt.err), after, refusal.Is(tt.err))
			}
		})
	}
}

// Keys may be secrets, and errors are logged.
func TestErrorsDoNotNameTheKey(t *testing.T) {
	for _, raw := range []bool{false, true} {
		s := newStage()
		s.config.RawKey = raw
		s.memory = idempotency.Memory{}
		secret := order{ID: "4111 1111 1111 1111"}
		s.Store = &script{claims: []idempotency.Record{{Status: "?"}}}
		err := s.refused(t, t.Context(), secret, idempotency.ErrCorrupt)
		if strings.Contains(err.Error(), "4111") || !strings.Contains(err.Error(), "idempotency orders ") {
			t.Errorf("got %q", err)
		}
	}
}
