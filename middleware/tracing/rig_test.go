package tracing_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seawall-go/seawall/middleware/tracing"
)

// A rig has the SDK's providers, and what they were given.
type rig struct {
	tracing.Span

	exporter *tracetest.InMemoryExporter
	reader   *sdkmetric.ManualReader
}

func newRig(options ...sdktrace.TracerProviderOption) *rig {
	r := &rig{exporter: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	r.TracerProvider = sdktrace.NewTracerProvider(append(options, sdktrace.WithSyncer(r.exporter))...)
	r.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
	return r
}

// named is the rig's Span with a name.
func (r *rig) named(name string) tracing.Span {
	s := r.Span
	s.Name = name
	return s
}

// spans are those that have ended, in the order in which they began.
func (r *rig) spans() tracetest.SpanStubs {
	spans := r.exporter.GetSpans()
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	return spans
}

// only is the one span there is.
func (r *rig) only(t *testing.T) tracetest.SpanStub {
	t.Helper()
	spans := r.exporter.GetSpans()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want 1: %v", len(spans), names(spans))
	}
	return spans[0]
}

func names(spans tracetest.SpanStubs) (names []string) {
	for _, s := range spans {
		names = append(names, s.Name)
	}
	return names
}

// metrics are those there are now, by name.
func (r *rig) metrics(t *testing.T) map[string]metricdata.Metrics {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]metricdata.Metrics)
	for _, s := range data.ScopeMetrics {
		for _, m := range s.Metrics {
			byName[m.Name] = m
		}
	}
	return byName
}

// A point is one of a metric, with how much was added or measured.
type point struct {
	attributes attribute.Set
	value      int64
}

func points(m metricdata.Metrics) (kind string, points []point) {
	switch d := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			points = append(points, point{p.Attributes, p.Value})
		}
		if d.IsMonotonic {
			return "counter", points
		}
		return "up-down", points
	case metricdata.Gauge[int64]:
		for _, p := range d.DataPoints {
			points = append(points, point{p.Attributes, p.Value})
		}
		return "gauge", points
	case metricdata.Histogram[float64]:
		for _, p := range d.DataPoints {
			points = append(points, point{p.Attributes, int64(p.Count)})
		}
		return "histogram", points
	}
	return "nothing", nil
}

// values is what a metric adds up to for each set of attributes, written as key=value and in order.
func (r *rig) values(t *testing.T, name string) map[string]int64 {
	t.Helper()
	sums := make(map[string]int64)
	_, all := points(r.metrics(t)[name])
	for _, p := range all {
		sums[written(p.attributes.ToSlice())] += p.value
	}
	return sums
}

func written(kvs []attribute.KeyValue) string {
	var fields []string
	for _, kv := range kvs {
		fields = append(fields, string(kv.Key)+"="+kv.Value.String())
	}
	slices.Sort(fields)
	return strings.Join(fields, " ")
}

// attributes are those of a span or an event, as text.
func attributes(kvs []attribute.KeyValue) map[string]string {
	m := make(map[string]string)
	for _, kv := range kvs {
		m[string(kv.Key)] = kv.Value.String()
	}
	return m
}

// wants checks some attributes; an empty one has to be missing.
func wants(t *testing.T, kvs []attribute.KeyValue, want map[string]string) {
	t.Helper()
	got := attributes(kvs)
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
}

// together makes n calls at once: each waits until all have begun and meanwhile has run.
func together(n int, meanwhile func(), call func(i int, wait func())) {
	var began, all sync.WaitGroup
	began.Add(n)
	done := make(chan struct{})
	for i := range n {
		all.Go(func() { call(i, func() { began.Done(); <-done }) })
	}
	began.Wait()
	if meanwhile != nil {
		meanwhile()
	}
	close(done)
	all.Wait()
}

// sum is what a histogram's measurements add up to.
func sum(m metricdata.Metrics) (total float64) {
	if h, ok := m.Data.(metricdata.Histogram[float64]); ok {
		for _, p := range h.DataPoints {
			total += p.Sum
		}
	}
	return total
}
