// Package emf writes the metrics of the OpenTelemetry SDK to standard output in CloudWatch's embedded metric format, so
// that a Lambda function has metrics without a collector, an extension or a call:
//
//	exporter := emf.New(emf.Config{Namespace: "Shop"})
//	provider := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(exporter)))
//	flusher := tracing.NewFlusher(300*time.Millisecond, provider)
//
// Each flush is one line of JSON. CloudWatch Logs makes metrics of it, under the names that the instruments have, such as
// seawall.retries.
//
// # Dimensions
//
// A metric in CloudWatch costs by the combination of values of its dimensions, so there is one dimension: service.name, that
// of the resource, or else the function's name. Points of an instrument that differ in other attributes become one
// value: sums are added up, gauges and histograms joined. The points themselves are in the line besides, under _points,
// for CloudWatch Logs Insights, and their attributes have underscores for dots there:
//
//	fields jsonParse(@message) as line
//	| unnest line._points into point
//	| filter point.metric = "seawall.refusals"
//	| stats sum(point.value) by point.attributes.seawall_policy_name
//
// [Config.Dimensions] names attributes to split by as well. One is worth having if there is more than one Span:
// seawall.call.duration is of all of them, so that without the dimension seawall.call.name its percentiles mix the
// attempts with the invocation around them. That of invocations alone is faas.invoke_duration, and how long the calls of
// each Span took is in _points without a dimension, though not as percentiles:
//
//	fields jsonParse(@message) as line
//	| unnest line._points into point
//	| filter point.metric = "seawall.call.duration"
//	| stats sum(point.sum) / sum(point.count), max(point.max) by point.attributes.seawall_call_name
//
// CloudWatch knows no meters: instruments of several that have the same name, kind and unit are one metric, and those
// that differ have lines of their own. What two libraries measure of the same calls, as otelhttp and a Span do with
// http.client.request.duration, is there twice, unless a View drops one of them.
//
// # Values
//
// Counters and histograms tell what came since the flush before, which is what CloudWatch's Sum, SampleCount and
// percentiles want. An up-down counter tells its current value, and so does a gauge: look at their Maximum. As for
// seawall.calls.in_flight, a Flusher that is outermost flushes when its call is no longer among them: with one call at a
// time it is 0, and seawall.calls.peak tells more.
//
// A histogram is written as values with counts, in the way of AWS's own collector: its least and its greatest value as
// recorded, and those between at such places in their buckets that all add up to the sum that was recorded. One without
// minimum and maximum is written as its mean. Units are CloudWatch's: "s" is Seconds, "By" Bytes, "{call}" Count; one
// that CloudWatch does not know is None.
//
// # Limits
//
// The format takes 100 metrics in a line and 256 KB; what is more goes into further lines, and what is too much for a line
// of its own is left out. So is what CloudWatch would refuse: values that are not finite or beyond 2^360, names of
// more than 255 characters; and what would be wrong there: cumulative counters and histograms, which only a producer
// other than the SDK has. Export returns an error that says so, which the SDK hands to otel.Handle. Values of
// dimensions are cut to 1024 characters, and what is not printable ASCII in them becomes a question mark.
package emf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Config says what the lines look like and where they go.
type Config struct {
	// Namespace is that of the metrics in CloudWatch; default "Seawall". It takes letters, digits, spaces and ._#:/-
	Namespace string

	// Dimensions names attributes, of points or of the resource, to split the metrics by, besides service.name. There
	// is a line for each combination of their values, and each is a metric of its own that costs. The metrics of
	// service.name alone are still there; of a gauge or an up-down counter, they have the parts as values, and not
	// their sum.
	Dimensions []string

	// Writer gets each line in one Write, and never two at once. After a Write that ended amid a line, a line break
	// comes first. The default is os.Stdout.
	Writer io.Writer
}

// What the format and CloudWatch take.
const (
	maxDimensions = 30 // with service.name
	maxName       = 255
	maxDimension  = 1024 // characters of a dimension's value
	maxMetrics    = 100
	maxValues     = 100
	maxLine       = 256<<10 - 26 // bytes, with the line break: CloudWatch Logs counts a header of 26 into an event's 256 KB

	inNamespace = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ._#:/-"
)

// An Exporter writes metrics. It is a [metric.Exporter].
type Exporter struct {
	namespace  string
	dimensions []string // service.name first
	function   string   // the name of the Lambda function, if this is one

	closed atomic.Bool
	mu     sync.Mutex
	w      io.Writer
	cut    bool // the last Write ended amid a line
}

const serviceName = "service.name"

// New returns an exporter. It panics if the namespace or a dimension is none that CloudWatch takes, or if there are more
// dimensions than it takes.
func New(c Config) *Exporter {
	namespace := cmp.Or(c.Namespace, "Seawall")
	switch {
	case len(namespace) > maxName, strings.TrimSpace(namespace) == "", namespace[0] == ':', strings.Trim(namespace, inNamespace) != "":
		panic(fmt.Sprintf("emf: Namespace %q: want up to %d letters, digits, spaces and ._#:/-, a colon not the first", namespace, maxName))
	case strings.HasPrefix(namespace, "AWS/"):
		panic(fmt.Sprintf("emf: Namespace %q: AWS/ is for AWS itself; want another beginning", namespace))
	}
	dimensions := append([]string{serviceName}, c.Dimensions...)
	if len(dimensions) > maxDimensions {
		panic(fmt.Sprintf("emf: %d Dimensions: want %d at most, besides %s", len(c.Dimensions), maxDimensions-1, serviceName))
	}
	for i, d := range dimensions {
		switch {
		case strings.TrimSpace(d) == "", len(d) > maxName, d[0] == ':', printable(d) != d, d == keyMeta, d == keyPoints:
			panic(fmt.Sprintf("emf: Dimensions: %q: want the name of an attribute", d))
		case slices.Contains(dimensions[:i], d):
			panic(fmt.Sprintf("emf: Dimensions: %s is there twice, or is %s, which always is", d, serviceName))
		}
	}
	e := &Exporter{namespace: namespace, dimensions: dimensions, function: os.Getenv("AWS_LAMBDA_FUNCTION_NAME"), w: c.Writer}
	if e.w == nil {
		e.w = os.Stdout
	}
	return e
}

// Temporality is delta where that makes sense.
func (e *Exporter) Temporality(kind metric.InstrumentKind) metricdata.Temporality {
	return metric.DeltaTemporalitySelector(kind)
}

// Aggregation is the SDK's default.
func (e *Exporter) Aggregation(kind metric.InstrumentKind) metric.Aggregation {
	return metric.DefaultAggregationSelector(kind)
}

// Export writes what is in rm, if anything. It does not look at the context, not even while it waits for another Export
// to end: the SDK will not bring again what is not written now.
func (e *Exporter) Export(_ context.Context, rm *metricdata.ResourceMetrics) error {
	c := collection{exporter: e, resource: rm.Resource, byValues: make(map[string]*group)}
	c.collect(rm)
	slices.SortFunc(c.groups, func(a, b *group) int { return slices.Compare(a.values, b.values) })
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed.Load() {
		return metric.ErrExporterShutdown
	}
	for _, g := range c.groups {
		for _, line := range c.lines(g, now) {
			if err := e.write(line); err != nil {
				c.errs = append(c.errs, fmt.Errorf("emf: %w", err))
			}
		}
	}
	return errors.Join(c.errs...)
}

func (e *Exporter) write(line []byte) error {
	if e.cut { // or what was cut short would take this line down with it
		line = append([]byte("\n"), line...)
	}
	n, err := e.w.Write(line)
	if n > 0 {
		e.cut = n < len(line)
	}
	if err == nil && n < len(line) {
		err = io.ErrShortWrite
	}
	return err
}

// ForceFlush has nothing to do: what was exported is written.
func (e *Exporter) ForceFlush(ctx context.Context) error { return ctx.Err() }

// Shutdown ends the exporter, and leaves the Writer open. It returns at once: a Write under way, which may hang, is not
// waited for.
func (e *Exporter) Shutdown(context.Context) error {
	if e.closed.Swap(true) {
		return metric.ErrExporterShutdown
	}
	return nil
}
