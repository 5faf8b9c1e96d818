package tracing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/middleware"
)

// An ending is how a call ended.
type ending struct {
	err       error
	cancelled bool // by its caller
	panicked  bool // or ended by runtime.Goexit
	value     any  // of the panic

	status    int    // of the answer, zero if there is none
	callType  string // error.type of the call, empty if it has not failed
	errorType string // error.type of the span, the same
}

// end ends the span and measures the call.
func (l *live) end(e *ending) {
	defer l.span.End()
	if l.outermost {
		l.calls.end()
	}
	l.judge(e)
	l.findRoute(e.status)
	l.describe(e)
	if l.calls != nil {
		l.measure(e)
	}
}

// judge fills in what follows from how the call ended.
func (l *live) judge(e *ending) {
	if !e.panicked && l.sight.shown != nil && (l.sight.request != nil || l.sight.invocation != nil) {
		e.status = l.status(e.err)
	}
	switch {
	case e.panicked:
		e.callType = panicType
	case e.err == nil:
	case errors.Is(l.ctx.Err(), context.Canceled):
		e.cancelled = true
	default:
		e.callType = errorType(e.err)
	}
	limit := 500
	if l.sight.client {
		limit = 400
	}
	switch {
	case e.cancelled:
	case e.status < 400, e.callType == panicType: // what was sent before a panic is not all
		e.errorType = e.callType
	case e.status >= limit:
		e.errorType = cmp.Or(e.callType, strconv.Itoa(e.status))
	}
}

// findRoute names the request's span after the pattern that matched it, which a server may only know now.
func (l *live) findRoute(status int) {
	if l.sight.request == nil || l.sight.client || l.sight.request.route != "" {
		return
	}
	begun := l.spanName()
	if l.sight.request.route = l.sight.request.matched(l.sight.shown.Result().Route, status); l.sight.request.route == "" {
		return
	}
	l.span.SetAttributes(semconv.HTTPRoute(l.sight.request.route))
	if named, ok := l.span.(interface{ Name() string }); !ok || named.Name() == begun { // the handler has not named it
		l.span.SetName(l.spanName())
	}
}

// status is that of the answer, zero if there is none.
func (l *live) status(err error) int {
	c := l.sight.shown
	switch {
	case c.Status != nil:
		return asked(func() int { return c.Status(c, err) })
	case err == nil:
		return statusOf(c.Result().Out)
	}
	return 0
}

// describe says on the span how the call ended.
func (l *live) describe(e *ending) {
	if e.status == 0 && e.err == nil && !e.panicked || !l.span.IsRecording() {
		return
	}
	if e.status != 0 {
		l.span.SetAttributes(semconv.HTTPResponseStatusCode(e.status))
	}
	if e.value != nil {
		l.exception(e.value, debug.Stack())
	} else if p := panicIn(e.err); p != nil {
		l.exception(p.Value, p.Stack)
	}
	if e.errorType == "" {
		return
	}
	l.span.SetAttributes(semconv.ErrorTypeKey.String(e.errorType))
	text := ""
	switch {
	case e.errorType == strconv.Itoa(e.status): // that says it
	case e.err != nil:
		text = errorText(e.err)
	case e.value != nil:
		text = "panic: " + errorText(e.value)
	case e.panicked:
		text = "runtime.Goexit"
	}
	l.span.SetStatus(codes.Error, text)
}

// panicIn is the panic that err was, or nil.
func panicIn(err error) *middleware.PanicError {
	if err == nil {
		return nil
	}
	return asked(func() *middleware.PanicError {
		p, _ := errors.AsType[*middleware.PanicError](err)
		return p
	})
}

// exception is the event of a panic.
func (l *live) exception(value any, stack []byte) {
	l.span.AddEvent("exception", trace.WithAttributes(
		semconv.ExceptionType(fmt.Sprintf("%T", value)),
		semconv.ExceptionMessage(errorText(value)),
		semconv.ExceptionStacktrace(string(stack)),
	))
}

// measure measures the call.
func (l *live) measure(e *ending) {
	now := time.Now()
	seconds := now.Sub(l.begun).Seconds()
	s := l.series
	if e.callType == "" {
		s.duration.Record(l.ctx, seconds, l.calls.success...)
	} else {
		s.duration.Record(l.ctx, seconds, s.sets.of(labels{call: l.calls.name, errorType: e.callType}).record...)
	}
	if deadline, ok := l.ctx.Deadline(); ok && l.outermost {
		s.remaining.Record(l.ctx, max(deadline.Sub(now), 0).Seconds(), l.calls.success...)
	}
	if l.sight.request != nil {
		l.measureRequest(e, seconds)
	}
	if l.sight.invocation != nil {
		l.measureInvocation(e, seconds)
	}
}

func (l *live) measureRequest(e *ending, seconds float64) {
	r := l.sight.request
	known := labels{method: r.knownMethod(), scheme: r.scheme, status: e.status, errorType: e.errorType}
	name := nameServer
	if l.sight.client {
		name = nameClient
		known.host, known.port = r.target()
	} else {
		known.route = r.route
	}
	l.series.histograms[name].Record(l.ctx, seconds, l.series.sets.of(known).record...)
}

func (l *live) measureInvocation(e *ending, seconds float64) {
	s := l.series
	o := s.sets.of(labels{trigger: l.sight.invocation.trigger})
	s.histograms[nameInvoke].Record(l.ctx, seconds, o.record...)
	if l.sight.invocation.cold {
		s.count(l.ctx, nameColdStarts, o.add)
	}
	switch {
	case e.cancelled:
	case e.callType != "" && e.status == 0:
		s.count(l.ctx, nameErrors, o.add)
	default:
		s.count(l.ctx, nameInvocations, o.add)
	}
	if l.timedOut(e.err) {
		s.count(l.ctx, nameTimeouts, o.add)
	}
}

// timedOut reports whether an invocation failed because its own time was over, and not that of a call which it made.
func (l *live) timedOut(err error) bool {
	if err == nil {
		return false
	}
	return errors.Is(l.ctx.Err(), context.DeadlineExceeded) || asked(func() bool {
		if _, reserved := errors.AsType[*middleware.ReserveError](err); reserved {
			return true
		}
		t, late := errors.AsType[*middleware.TimeoutError](err)
		return late && t.Reserve > 0
	})
}
