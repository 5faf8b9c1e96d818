package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/retry"
)

func ExampleLog() {
	steady := func(_ []string, a slog.Attr) slog.Attr { // leaves out what differs from run to run
		if a.Key == slog.TimeKey || a.Key == "wait" {
			return slog.Attr{}
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: steady}))
	request := func(context.Context) slog.Attr { return slog.String("requestId", "42") } // or awslambda.RequestID

	charge := middleware.WrapErr(func(context.Context, int) error { return errors.New("no route to the bank") },
		middleware.Log(logger, request),
		breaker.New(breaker.Config{Name: "payments", Failures: 2}),
	)
	for range 2 {
		_ = charge(context.Background(), 100)
	}
	// Output: level=WARN msg="breaker transition" requestId=42 policy=breaker kind=transition name=payments from=closed to=open error="no route to the bank"
}

// The record of each kind of event, whole.
func TestLog(t *testing.T) {
	failed := errors.New("out of paper")
	for want, e := range map[string]event.Event{
		"INFO retry retry policy=retry kind=retry name=shop attempt=2 wait=1s error=out of paper":              {Kind: event.Retry, Policy: "retry", Name: "shop", Attempt: 2, Wait: time.Second, Err: failed},
		"WARN retry give_up policy=retry kind=give_up attempt=4 error=out of paper":                            {Kind: event.GiveUp, Policy: "retry", Attempt: 4, Err: failed},
		"WARN ratelimit refusal policy=ratelimit kind=refusal wait=1m0s error=out of paper":                    {Kind: event.Refusal, Policy: "ratelimit", Wait: time.Minute, Err: failed},
		"WARN breaker transition policy=breaker kind=transition name=p from=closed to=open error=out of paper": {Kind: event.Transition, Policy: "breaker", Name: "p", From: "closed", To: "open", Err: failed},
		"INFO breaker transition policy=breaker kind=transition from=open to=half-open":                        {Kind: event.Transition, Policy: "breaker", From: "open", To: "half-open", At: time.Now()},
		"INFO breaker transition policy=breaker kind=transition from=half-open to=closed":                      {Kind: event.Transition, Policy: "breaker", From: "half-open", To: "closed"},
		"WARN timeout timeout policy=timeout kind=timeout wait=1s error=out of paper":                          {Kind: event.Timeout, Policy: "timeout", Wait: time.Second, Err: failed},
		"ERROR recover panic policy=recover kind=panic error=panic: no hope stack=main.go:7":                   {Kind: event.Panic, Policy: "recover", Err: &middleware.PanicError{Value: "no hope", Stack: []byte("main.go:7")}},
		"WARN fallback fallback policy=fallback kind=fallback error=out of paper":                              {Kind: event.Fallback, Policy: "fallback", Err: failed},
		"ERROR abandon abandon policy=abandon kind=abandon wait=1s error=out of paper":                         {Kind: event.Abandon, Policy: "abandon", Wait: time.Second, Err: failed},
		"INFO idempotency replay policy=idempotency kind=replay name=orders key=3f0a":                          {Kind: event.Replay, Policy: "idempotency", Name: "orders", Key: "3f0a"},
		"WARN idempotency takeover policy=idempotency kind=takeover attempt=1 key=3f0a":                        {Kind: event.Takeover, Policy: "idempotency", Attempt: 1, Key: "3f0a"},
		"ERROR idempotency lost policy=idempotency kind=lost key=3f0a":                                         {Kind: event.Lost, Policy: "idempotency", Key: "3f0a"},
		"ERROR idempotency unsaved policy=idempotency kind=unsaved error=out of paper":                         {Kind: event.Unsaved, Policy: "idempotency", Err: failed},
		"ERROR idempotency unprotected policy=idempotency kind=unprotected error=out of paper":                 {Kind: event.Unprotected, Policy: "idempotency", Err: failed},
		"WARN idempotency mismatch policy=idempotency kind=mismatch key=3f0a error=out of paper":               {Kind: event.Mismatch, Policy: "idempotency", Key: "3f0a", Err: failed},
		"WARN news kind=news": {Kind: "news"},
	} {
		var got strings.Builder
		log := middleware.Log(slog.New(records(func(_ context.Context, r slog.Record) {
			fmt.Fprint(&got, r.Level, " ", r.Message)
			r.Attrs(func(a slog.Attr) bool {
				fmt.Fprint(&got, " ", a.Key, "=", a.Value)
				return true
			})
		})))
		err := log.Do(t.Context(), func(ctx context.Context) error {
			event.Emit(ctx, e)
			return failed
		})
		if got.String() != want || err != failed { //nolint:errorlint // the same value
			t.Errorf("logged %q, want %q; Do = %v", got.String(), want, err)
		}
	}
}

// Whoever adds a kind of event decides its level.
func TestLogKnowsAllKinds(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/event/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	test, err := os.ReadFile("log_test.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			kinds++
			if kind := spec.Names[0].Name; !bytes.Contains(test, []byte("Kind: event."+kind+",")) {
				t.Errorf("no record of event.%s is tested", kind)
			}
		}
		return true
	})
	if kinds < 14 {
		t.Errorf("found %d kinds of events", kinds)
	}
}

// records is a handler that takes what is Info or more.
type records func(context.Context, slog.Record)

func (records) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (f records) Handle(ctx context.Context, r slog.Record) error {
	f(ctx, r)
	return nil
}
func (f records) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f records) WithGroup(string) slog.Handler      { return f }

// The handler and the attributes get the context of the call that is under way, not the one Log got.
func TestLogContext(t *testing.T) {
	type key struct{}
	var got []any
	attr := func(ctx context.Context) slog.Attr { got = append(got, ctx.Value(key{})); return slog.Attr{} }
	log := middleware.Log(slog.New(records(func(ctx context.Context, _ slog.Record) { got = append(got, ctx.Value(key{})) })), attr)
	_ = log.Do(t.Context(), func(ctx context.Context) error {
		event.Emit(context.WithValue(ctx, key{}, "inner"), event.Event{Kind: event.Retry})
		return nil
	})
	if fmt.Sprint(got) != "[inner inner]" {
		t.Errorf("values %v, want inner twice", got)
	}
}

// What is below the logger's level costs no attributes.
func TestLogDisabled(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	log := middleware.Log(logger, func(context.Context) slog.Attr { t.Error("asked for an attribute"); return slog.Attr{} })
	_ = log.Do(t.Context(), func(ctx context.Context) error {
		event.Emit(ctx, event.Event{Kind: event.Retry, Policy: "retry"})
		return nil
	})
	if out.Len() > 0 {
		t.Errorf("logged %s", &out)
	}
}

func TestLogJSON(t *testing.T) {
	var out bytes.Buffer
	empty := func(context.Context) slog.Attr { return slog.Attr{} }
	log := middleware.Log(slog.New(slog.NewJSONHandler(&out, nil)), empty)
	fails := func(context.Context) error { return errors.New("busy") }
	_ = middleware.Join(log, retry.Policy{Name: "shop", Attempts: 2, Base: time.Nanosecond}).Do(t.Context(), fails)
	var records []map[string]any
	for line := range bytes.Lines(out.Bytes()) {
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		records = append(records, r)
	}
	if len(records) != 2 {
		t.Fatalf("records %v, want a retry and a give_up", records)
	}
	if r := records[1]; r["msg"] != "retry give_up" || r["name"] != "shop" || r["attempt"] != 2.0 || r["error"] != "busy" || r[""] != nil {
		t.Errorf("record %v", r)
	}
}

func TestLogConfig(t *testing.T) {
	for want, log := range map[string]func(){
		"middleware: Log(nil): want a logger, such as slog.Default()": func() { middleware.Log(nil) },
		"middleware: Log: attribute 1 of 1 is nil; leave it out":      func() { middleware.Log(slog.Default(), nil) },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic %v, want %s", got, want)
				}
			}()
			log()
		}()
	}
}

// A handler that sends its records in the context of the call, through a breaker that was open, logged without end.
func TestRegression_LogThroughAGuardedHandler(t *testing.T) {
	var logged []string
	ship := breaker.New(breaker.Config{Name: "logs", Failures: 1})
	log := middleware.Log(slog.New(sending(func(ctx context.Context, r slog.Record) {
		if logged = append(logged, r.Message); len(logged) < 10 {
			_ = ship.Do(ctx, func(context.Context) error { return errors.New("no route") })
		}
	})))
	busy := errors.New("busy")
	_ = middleware.Join(log, retry.Policy{Attempts: 3, Base: time.Nanosecond}).Do(t.Context(), func(context.Context) error { return busy })
	if want := "[retry retry retry retry retry give_up]"; fmt.Sprint(logged) != want {
		t.Errorf("logged %v, want %s", logged, want)
	}
}

// sending is a handler that hands on each record.
type sending func(context.Context, slog.Record)

func (s sending) Enabled(context.Context, slog.Level) bool        { return true }
func (s sending) Handle(ctx context.Context, r slog.Record) error { s(ctx, r); return nil }
func (s sending) WithAttrs([]slog.Attr) slog.Handler              { return s }
func (s sending) WithGroup(string) slog.Handler                   { return s }
