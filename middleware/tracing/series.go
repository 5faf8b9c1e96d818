package tracing

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// A series is what spans of one name and one pair of providers share.
type series struct {
	*instruments

	key    seriesKey
	name   string // of spans
	tracer trace.Tracer
	silent bool   // both providers are no-op
	quiet  bool   // that of the spans is
	named  *calls // nil without a name

	spans atomic.Bool // the tracer makes spans, once and for all

	// The global provider makes none until there is an SDK, or a probe of automatic instrumentation, which can come at any
	// time. So of the calls that find it barren some ask again.
	barren atomic.Bool // until spans
	idled  atomic.Uint64
}

type seriesKey struct {
	tracers trace.TracerProvider
	meters  metric.MeterProvider
	name    string
	global  bool // tracers is the global one now
}

// all series there are. A Span is a plain value, so that what it needs to have made once is kept here; its providers
// and names are as many as a program has.
var all struct { //nolint:gochecknoglobals // as above
	sync.Mutex

	series      atomic.Pointer[registry]
	instruments sync.Map // *instruments by their MeterProvider
}

// A registry is replaced by a larger one, never written. What comes first is found without hashing.
type registry struct {
	first  []*series
	series map[seriesKey]*series
}

const firstSeries = 8

func seriesOf(tracers trace.TracerProvider, meters metric.MeterProvider, name string, global bool) *series {
	known := all.series.Load()
	if known != nil {
		for _, s := range known.first {
			if s.key.name == name && s.key.global == global && s.key.tracers == tracers && s.key.meters == meters {
				return s
			}
		}
	}
	return known.of(seriesKey{tracers, meters, name, global})
}

// of is the series of key, be it one of many, or new. It is not inlined, or those found at once would clear its frame.
//
//go:noinline
func (r *registry) of(key seriesKey) *series {
	if r != nil && r.series[key] != nil {
		return r.series[key]
	}
	return newSeries(key)
}

// newSeries makes a series, unless another goroutine is first. No lock is held while it asks the providers.
func newSeries(key seriesKey) *series {
	s := &series{
		instruments: instrumentsOf(key.meters),
		key:         key,
		name:        cmp.Or(text(key.name), "call"),
		silent:      isSilent(key.tracers, key.meters),
		tracer:      key.tracers.Tracer(scopeName, trace.WithSchemaURL(semconv.SchemaURL)),
	}
	_, s.quiet = key.tracers.(noop.TracerProvider)
	if key.name != "" {
		s.named = s.callsOf(key.name)
	}
	all.Lock()
	defer all.Unlock()
	known := &registry{series: make(map[seriesKey]*series)}
	if r := all.series.Load(); r != nil {
		known.first = r.first
		maps.Copy(known.series, r.series)
	}
	if first := known.series[key]; first != nil {
		return first
	}
	known.series[key] = s
	if len(known.first) < firstSeries {
		known.first = append(slices.Clone(known.first), s)
	}
	all.series.Store(known)
	return s
}

// isSilent reports whether nothing comes of either provider.
func isSilent(tracers trace.TracerProvider, meters metric.MeterProvider) bool {
	_, quiet := tracers.(noop.TracerProvider)
	_, unmeasured := meters.(metricnoop.MeterProvider)
	return quiet && unmeasured
}

const asksEvery = 64

// idle reports whether the tracer makes no spans, and need not be asked this time whether it still does not.
func (s *series) idle() bool {
	return s.barren.Load() && !s.spans.Load() && s.idled.Add(1)%asksEvery != 0
}

// isSpan reports whether span, which the tracer started in ctx, is one, be it that around it which was handed on. What is not
// sampled is one all the same. It is asked until the first that the tracer made itself.
func (s *series) isSpan(ctx context.Context, span trace.Span) bool {
	c := span.SpanContext()
	switch {
	case span.IsRecording(), c.IsValid() && c.SpanID() != trace.SpanContextFromContext(ctx).SpanID():
		s.spans.Store(true)
		return true
	case s.key.global:
		s.barren.Store(true)
	}
	return c.IsValid()
}

func instrumentsOf(meters metric.MeterProvider) *instruments {
	if i, ok := all.instruments.Load(meters); ok {
		return i.(*instruments)
	}
	made, meter := newInstruments(meters)
	first, there := all.instruments.LoadOrStore(meters, made)
	if !there {
		_, err := meter.RegisterCallback(made.read, made.inFlight, made.peak)
		handle(err)
	}
	return first.(*instruments)
}

// labels are attributes of measurements; those that are zero are left out.
type labels struct {
	call, errorType       string
	method, scheme, route string
	status                int
	host                  string
	port                  int
	trigger               string
}

func (l labels) attributes() []attribute.KeyValue {
	var kvs []attribute.KeyValue
	for _, s := range []struct {
		key   attribute.Key
		value string
	}{
		{keyCall, l.call},
		{semconv.ErrorTypeKey, l.errorType},
		{semconv.HTTPRequestMethodKey, l.method},
		{semconv.URLSchemeKey, l.scheme},
		{semconv.HTTPRouteKey, l.route},
		{semconv.ServerAddressKey, l.host},
		{semconv.FaaSTriggerKey, l.trigger},
	} {
		if s.value != "" {
			kvs = append(kvs, s.key.String(text(s.value)))
		}
	}
	if l.status != 0 {
		kvs = append(kvs, semconv.HTTPResponseStatusCode(l.status))
	}
	if l.port != 0 {
		kvs = append(kvs, semconv.ServerPort(l.port))
	}
	return kvs
}

const (
	mostSets  = 1000 // the rest are made each time
	mostHosts = 100  // the rest are one
)

// other is what stands for all values that are not known.
const other = "_OTHER"

// sets keeps the options for labels, which are expensive to make.
type sets struct {
	mu    sync.RWMutex
	set   map[labels]options
	hosts map[labels]bool // by host and port alone
}

type options struct {
	record []metric.RecordOption
	add    []metric.AddOption
}

func (s *sets) of(l labels) options {
	s.mu.RLock()
	o, ok := s.set[l]
	s.mu.RUnlock()
	if ok {
		return o
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l = s.bounded(l)
	set := metric.WithAttributeSet(attribute.NewSet(l.attributes()...))
	o = options{record: []metric.RecordOption{set}, add: []metric.AddOption{set}}
	if s.set == nil {
		s.set = make(map[labels]options)
	}
	if len(s.set) < mostSets {
		s.set[l] = o
	}
	return o
}

// bounded is l with one of a few schemes and hosts: a server that is called can make up more of both, and redirect to them.
func (s *sets) bounded(l labels) labels {
	switch l.scheme {
	case "", "http", "https":
	default:
		l.scheme = other
	}
	host := labels{host: l.host, port: l.port}
	switch {
	case l.host == "", s.hosts[host]:
	case len(s.hosts) < mostHosts:
		if s.hosts == nil {
			s.hosts = make(map[labels]bool)
		}
		s.hosts[host] = true
	default:
		l.host, l.port = other, 0
	}
	return l
}
