package idempotency

import "sync"

// WarnAgain lets the next call that finds idempotency disabled say so, as the first one of a process does.
func WarnAgain() { warnOnce = sync.Once{} }
