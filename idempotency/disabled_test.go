package idempotency_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
)

func TestDisabled(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)

	idempotency.WarnAgain()
	s := newStage()
	s.config.RequireKey, s.config.Cache = true, new(idempotency.Cache)
	t.Setenv("SEAWALL_IDEMPOTENCY_DISABLED", "false")
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	s.told()
	t.Setenv("SEAWALL_IDEMPOTENCY_DISABLED", "true")
	s.then = func(ctx context.Context) error {
		if token, ok := idempotency.Token(ctx); ok {
			t.Errorf("there is a token: %v", token)
		}
		return nil
	}
	s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Unprotected, 0)
	s.want(t, t.Context(), order{}, 3, idempotency.Unprotected, 0)
	if got := s.told(); got != "unprotected unprotected" {
		t.Errorf("told %q", got)
	}
	if n := strings.Count(log.String(), "idempotency is switched off"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, &log)
	}
	t.Setenv("SEAWALL_IDEMPOTENCY_DISABLED", "of course")
	want := `idempotency: SEAWALL_IDEMPOTENCY_DISABLED is "of course": want true or false`
	if got := panics(func() { idempotency.Wrap(s.place, byID, s.config) }); got != want {
		t.Errorf("panic %q", got)
	}
	if n := s.Calls(storetest.Any); n != 2 {
		t.Errorf("%d round trips, want 2", n)
	}
}
