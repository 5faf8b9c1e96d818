package idempotency

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
)

// Disabled is the environment variable that, set to true, switches idempotency off: calls run unprotected, and no store
// is asked. It is for development and for emergencies, and says so in the log once.
const Disabled = "SEAWALL_IDEMPOTENCY_DISABLED"

var (
	errDisabled = errors.New("idempotency: " + Disabled + " is set")
	warnOnce    sync.Once //nolint:gochecknoglobals // once in a process, not in an operation
)

func disabled() bool {
	s := os.Getenv(Disabled)
	if s == "" {
		return false
	}
	off, err := strconv.ParseBool(s)
	if err != nil {
		panic(fmt.Sprintf("idempotency: %s is %q: want true or false", Disabled, s))
	}
	if off {
		warnOnce.Do(func() { slog.Warn("idempotency is switched off: calls may run twice", "by", Disabled) })
	}
	return off
}
