package middleware

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/seawall-go/seawall/internal/event"
)

// Log returns a policy that logs what the policies inside it notice, each [Event] as one record, in the context of the
// call. The attributes that attrs make of that context come first, such as awslambda.RequestID; an empty one is left out
// by the handlers of package slog. A call that goes well is not logged.
//
//	middleware.Log(slog.Default(), awslambda.RequestID)
//
// The message is the policy and the kind, such as "breaker transition". The keys are those fields of the event that are
// not zero: policy, kind, name, attempt, wait (of a timeout and an abandon, the time that the call had), from, to, key (the
// digest of an idempotency key) and error; besides, stack of a panic. The level is
//
//	Info     what is in order again, or soon: a retry, a replay, a breaker half-open or closed
//	Warn     what a caller may notice: a refusal, a give_up, a timeout, a fallback, a mismatch, a takeover, a breaker open
//	Error    what somebody has to look at: a panic, an abandon; lost, unsaved, unprotected
//
// Log panics if logger or one of attrs is nil.
func Log(logger *slog.Logger, attrs ...func(context.Context) slog.Attr) Policy {
	if logger == nil {
		panic("middleware: Log(nil): want a logger, such as slog.Default()")
	}
	for i, attr := range attrs {
		if attr == nil {
			panic(fmt.Sprintf("middleware: Log: attribute %d of %d is nil; leave it out", i+1, len(attrs)))
		}
	}
	attrs = slices.Clone(attrs)
	return Observe(func(ctx context.Context, e Event) {
		level := levelOf(e)
		if !logger.Enabled(ctx, level) {
			return
		}
		record := make([]slog.Attr, 0, len(attrs)+9)
		for _, attr := range attrs {
			record = append(record, attr(ctx))
		}
		logger.LogAttrs(ctx, level, strings.TrimSpace(e.Policy+" "+string(e.Kind)), describe(record, e)...)
	})
}

func levelOf(e Event) slog.Level {
	switch e.Kind {
	case event.Retry, event.Replay:
		return slog.LevelInfo
	case event.Transition:
		if e.To == "open" {
			return slog.LevelWarn
		}
		return slog.LevelInfo
	case event.Panic, event.Abandon, event.Lost, event.Unsaved, event.Unprotected:
		return slog.LevelError
	}
	return slog.LevelWarn
}

// describe adds what is in e.
func describe(record []slog.Attr, e Event) []slog.Attr {
	text := func(key, value string) {
		if value != "" {
			record = append(record, slog.String(key, value))
		}
	}
	text("policy", e.Policy)
	text("kind", string(e.Kind))
	text("name", e.Name)
	if e.Attempt != 0 {
		record = append(record, slog.Int("attempt", e.Attempt))
	}
	if e.Wait != 0 {
		record = append(record, slog.Duration("wait", e.Wait))
	}
	text("from", e.From)
	text("to", e.To)
	text("key", e.Key)
	if e.Err != nil {
		record = append(record, slog.Any("error", e.Err))
	}
	if p, ok := e.Err.(*PanicError); ok { //nolint:errorlint // only that of this event has the stack to show
		text("stack", string(p.Stack))
	}
	return record
}
