package tracing

import (
	"context"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seawall-go/seawall/internal/event"
)

const scopeName = "github.com/seawall-go/seawall/middleware/tracing"

// Attributes that no convention has.
const (
	keyCall    = attribute.Key("seawall.call.name")
	keyPolicy  = attribute.Key("seawall.policy")
	keyName    = attribute.Key("seawall.policy.name")
	keyAttempt = attribute.Key("seawall.attempt")
	keyWait    = attribute.Key("seawall.wait")
	keyFrom    = attribute.Key("seawall.breaker.from")
	keyTo      = attribute.Key("seawall.breaker.to")
	keyDigest  = attribute.Key("seawall.idempotency.key")
)

const (
	upDown    = "up-down"
	gauge     = "gauge"
	histogram = "histogram"
	counter   = "counter"
)

// An instrument is a row of the table in the package comment.
type instrument struct {
	name, kind, unit string
	text             string
	attributes       []attribute.Key
	event            event.Kind // what a counter counts
}

// table is all instruments.
func table() []instrument {
	var (
		call   = []attribute.Key{keyCall}
		ended  = []attribute.Key{keyCall, semconv.ErrorTypeKey}
		policy = []attribute.Key{keyPolicy, keyName, semconv.ErrorTypeKey}
		turned = []attribute.Key{keyPolicy, keyName, semconv.ErrorTypeKey, keyFrom, keyTo}
		state  = []attribute.Key{keyPolicy, keyName}
		server = []attribute.Key{semconv.HTTPRequestMethodKey, semconv.HTTPResponseStatusCodeKey, semconv.HTTPRouteKey, semconv.URLSchemeKey, semconv.ErrorTypeKey}
		client = []attribute.Key{semconv.HTTPRequestMethodKey, semconv.HTTPResponseStatusCodeKey, semconv.URLSchemeKey, semconv.ServerAddressKey, semconv.ServerPortKey, semconv.ErrorTypeKey}
		faas   = []attribute.Key{semconv.FaaSTriggerKey}
	)
	return []instrument{
		{nameInFlight, upDown, "{call}", "calls that are running", call, ""},
		{namePeak, gauge, "{call}", "most calls at once since the metrics were last read", call, ""},
		{nameDuration, histogram, "s", "how long calls took, all attempts together", ended, ""},
		{nameRemaining, histogram, "s", "what was left until the deadline when a call returned", call, ""},

		{"seawall.retries", counter, "{retry}", "attempts that failed and were followed by another", policy, event.Retry},
		{"seawall.give_ups", counter, "{give_up}", "attempts that failed and were the last, though worth repeating", policy, event.GiveUp},
		{"seawall.refusals", counter, "{refusal}", "calls that were not made", policy, event.Refusal},
		{"seawall.timeouts", counter, "{timeout}", "calls that failed because their time was over", policy, event.Timeout},
		{"seawall.panics", counter, "{panic}", "panics that became errors", policy, event.Panic},
		{"seawall.fallbacks", counter, "{fallback}", "errors that were answered by a fallback", policy, event.Fallback},
		{"seawall.abandons", counter, "{abandon}", "handlers that were left behind", policy, event.Abandon},
		{"seawall.breaker.transitions", counter, "{transition}", "changes of a breaker's state", turned, event.Transition},
		{nameState, gauge, "{state}", "the state: 0 closed, 1 half-open, 2 open", state, ""},
		{"seawall.idempotency.replays", counter, "{replay}", "calls answered with an earlier result", policy, event.Replay},
		{"seawall.idempotency.takeovers", counter, "{takeover}", "abandoned runs that were followed by another", policy, event.Takeover},
		{"seawall.idempotency.mismatches", counter, "{mismatch}", "calls refused because their key belongs to another payload", policy, event.Mismatch},
		{"seawall.idempotency.lost", counter, "{run}", "runs that ended after another had taken over", policy, event.Lost},
		{"seawall.idempotency.unsaved", counter, "{run}", "runs whose record does not say all", policy, event.Unsaved},
		{"seawall.idempotency.unprotected", counter, "{run}", "runs without a record", policy, event.Unprotected},

		{nameServer, histogram, "s", "requests that came in", server, ""},
		{nameClient, histogram, "s", "requests that went out, until the header of the response", client, ""},
		{nameInvoke, histogram, "s", "invocations of a Lambda function", faas, ""},
		{nameInvocations, counter, "{invocation}", "those that ended without an error", faas, ""},
		{nameErrors, counter, "{error}", "those that ended with an error or a panic", faas, ""},
		{nameTimeouts, counter, "{timeout}", "those that failed because their time was over", faas, ""},
		{nameColdStarts, counter, "{coldstart}", "the first of each process", faas, ""},
	}
}

const (
	nameInFlight    = "seawall.calls.in_flight"
	namePeak        = "seawall.calls.peak"
	nameDuration    = "seawall.call.duration"
	nameRemaining   = "seawall.time.remaining"
	nameState       = "seawall.breaker.state"
	nameServer      = "http.server.request.duration"
	nameClient      = "http.client.request.duration"
	nameInvoke      = "faas.invoke_duration"
	nameInvocations = "faas.invocations"
	nameErrors      = "faas.errors"
	nameTimeouts    = "faas.timeouts"
	nameColdStarts  = "faas.coldstarts"
)

// instruments are those of one MeterProvider, made once.
type instruments struct {
	histograms map[string]metric.Float64Histogram
	counters   map[string]metric.Int64Counter
	events     map[event.Kind]metric.Int64Counter
	state      metric.Int64Gauge

	duration, remaining metric.Float64Histogram // of the above
	inFlight            metric.Int64ObservableUpDownCounter
	peak                metric.Int64ObservableGauge

	deaf  bool        // they are no-op
	heard atomic.Bool // somebody measures something, once and for all
	calls sync.Map    // *calls by their names
	sets  sets
	turns sync.Map // *atomic.Pointer[turn] by policy and name
}

func newInstruments(meters metric.MeterProvider) (*instruments, metric.Meter) {
	meter := meters.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL))
	i := &instruments{
		histograms: make(map[string]metric.Float64Histogram),
		counters:   make(map[string]metric.Int64Counter),
		events:     make(map[event.Kind]metric.Int64Counter),
	}
	for _, row := range table() {
		i.add(meter, row)
	}
	i.duration, i.remaining = i.histograms[nameDuration], i.histograms[nameRemaining]
	_, i.deaf = meters.(noop.MeterProvider)
	return i, meter
}

// measured reports whether anybody measures anything.
func (i *instruments) measured(ctx context.Context) bool {
	return i.heard.Load() || !i.deaf && i.listens(ctx)
}

// listens reports whether somebody does by now. A view may have dropped any of the instruments; the global provider may get
// one that measures later, and then the duration speaks for all.
func (i *instruments) listens(ctx context.Context) bool {
	if !i.duration.Enabled(ctx) {
		return false
	}
	i.heard.Store(true)
	return true
}

// add makes the instrument of a row.
func (i *instruments) add(meter metric.Meter, row instrument) {
	unit, text := metric.WithUnit(row.unit), metric.WithDescription(row.text)
	var err error
	switch row.kind {
	case upDown:
		i.inFlight, err = meter.Int64ObservableUpDownCounter(row.name, unit, text)
	case histogram:
		var h metric.Float64Histogram
		h, err = meter.Float64Histogram(row.name, unit, text, buckets(row.name))
		i.histograms[row.name] = h
		i.hear(h)
	case counter:
		var c metric.Int64Counter
		c, err = meter.Int64Counter(row.name, unit, text)
		i.counters[row.name] = c
		i.hear(c)
		if row.event != "" {
			i.events[row.event] = c
		}
	case gauge:
		if row.name == namePeak {
			i.peak, err = meter.Int64ObservableGauge(row.name, unit, text)
		} else {
			i.state, err = meter.Int64Gauge(row.name, unit, text)
			i.hear(i.state)
		}
	}
	handle(err)
}

func (i *instruments) hear(of interface {
	Enabled(ctx context.Context) bool
}) {
	if of.Enabled(context.Background()) {
		i.heard.Store(true)
	}
}

// buckets are those of the convention for durations, and longer ones for what is left of an invocation.
func buckets(name string) metric.HistogramOption {
	if name == nameRemaining {
		return metric.WithExplicitBucketBoundaries(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
	}
	return metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
}

func handle(err error) {
	if err != nil {
		otel.Handle(err)
	}
}

// count adds one to the counter of that name.
func (i *instruments) count(ctx context.Context, name string, options []metric.AddOption) {
	i.counters[name].Add(ctx, 1, options...)
}
