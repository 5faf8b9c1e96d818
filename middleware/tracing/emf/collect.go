package emf

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
)

// A collection is what one flush brings.
type collection struct {
	exporter *Exporter
	resource *resource.Resource
	groups   []*group
	byValues map[string]*group
	errs     []error
}

// A group is all series with the same values of the dimensions.
type group struct {
	values []string // of the exporter's dimensions; "" for one that is not there
	series []*series
	byKey  map[seriesKey]*series
}

// A series is all points of one instrument.
type series struct {
	seriesKey

	total  float64      // of counters and up-down counters
	joined distribution // of all others
	points []point
}

type seriesKey struct {
	name, unit string
	kind       kind
}

type kind int

const (
	counter kind = iota
	upDown
	gauge
	histogram
)

// A point is one that has attributes which are no dimensions.
type point struct {
	Metric     string         `json:"metric"`
	Attributes map[string]any `json:"attributes"`
	Value      *float64       `json:"value,omitempty"`
	Count      uint64         `json:"count,omitempty"`
	Sum        *float64       `json:"sum,omitempty"`
	Min        *float64       `json:"min,omitempty"`
	Max        *float64       `json:"max,omitempty"`
}

func (c *collection) collect(rm *metricdata.ResourceMetrics) {
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			if err := c.add(m); err != nil {
				c.errs = append(c.errs, fmt.Errorf("emf: %.255s: %w; left out", m.Name, err))
			}
		}
	}
}

// add adds the points of an instrument.
func (c *collection) add(m metricdata.Metrics) error {
	key := seriesKey{name: printable(m.Name), unit: unit(m.Unit)}
	if key.name == "" || len(key.name) > maxName || key.name == keyMeta || key.name == keyPoints {
		return fmt.Errorf("want a name of up to %d characters", maxName)
	}
	if slices.Contains(c.exporter.dimensions, key.name) {
		return errors.New("a dimension has that name")
	}
	switch data := m.Data.(type) {
	case metricdata.Gauge[int64]:
		return addGauge(c, key, data.DataPoints)
	case metricdata.Gauge[float64]:
		return addGauge(c, key, data.DataPoints)
	case metricdata.Sum[int64]:
		return addSum(c, key, data)
	case metricdata.Sum[float64]:
		return addSum(c, key, data)
	case metricdata.Histogram[int64]:
		return addHistogram(c, key, data)
	case metricdata.Histogram[float64]:
		return addHistogram(c, key, data)
	case metricdata.ExponentialHistogram[int64]:
		return addExponential(c, key, data)
	case metricdata.ExponentialHistogram[float64]:
		return addExponential(c, key, data)
	}
	return fmt.Errorf("%T has no place in CloudWatch", m.Data)
}

var (
	errCumulative = errors.New("it is cumulative, and CloudWatch adds up what it gets")
	errValue      = errors.New("CloudWatch takes only values that are finite, up to 2^360")
)

func addGauge[N int64 | float64](c *collection, key seriesKey, points []metricdata.DataPoint[N]) (err error) {
	key.kind = gauge
	for _, p := range points {
		v := float64(p.Value)
		if !fits(v) {
			err = errValue
			continue
		}
		s, rest := c.series(key, p.Attributes)
		s.joined.add(single(v))
		s.list(rest, point{Value: &v})
	}
	return err
}

func addSum[N int64 | float64](c *collection, key seriesKey, data metricdata.Sum[N]) (err error) {
	if data.IsMonotonic && data.Temporality != metricdata.DeltaTemporality {
		return errCumulative
	}
	key.kind = upDown
	if data.IsMonotonic {
		key.kind = counter
	}
	for _, p := range data.DataPoints {
		v := float64(p.Value)
		if !fits(v) {
			err = errValue
			continue
		}
		s, rest := c.series(key, p.Attributes)
		s.total += v
		s.list(rest, point{Value: &v})
	}
	return err
}

func addHistogram[N int64 | float64](c *collection, key seriesKey, data metricdata.Histogram[N]) (err error) {
	if data.Temporality != metricdata.DeltaTemporality {
		return errCumulative
	}
	for _, p := range data.DataPoints {
		d := summary(p.Count, p.Sum, p.Min, p.Max)
		buckets := make([]bucket, 0, len(p.BucketCounts))
		for i, n := range p.BucketCounts {
			b := bucket{math.Inf(-1), math.Inf(1), n}
			if i > 0 {
				b.from = p.Bounds[i-1]
			}
			if i < len(p.Bounds) {
				b.to = p.Bounds[i]
			}
			buckets = append(buckets, b)
		}
		err = c.join(key, p.Attributes, d, buckets, err)
	}
	return err
}

func addExponential[N int64 | float64](c *collection, key seriesKey, data metricdata.ExponentialHistogram[N]) (err error) {
	if data.Temporality != metricdata.DeltaTemporality {
		return errCumulative
	}
	for _, p := range data.DataPoints {
		d := summary(p.Count, p.Sum, p.Min, p.Max)
		bound := func(b metricdata.ExponentialBucket, i int) float64 {
			return math.Exp2(math.Ldexp(float64(b.Offset)+float64(i), -int(p.Scale)))
		}
		var buckets []bucket
		for i, n := range slices.Backward(p.NegativeBucket.Counts) {
			buckets = append(buckets, bucket{-bound(p.NegativeBucket, i+1), -bound(p.NegativeBucket, i), n})
		}
		buckets = append(buckets, bucket{-p.ZeroThreshold, p.ZeroThreshold, p.ZeroCount})
		for i, n := range p.PositiveBucket.Counts {
			buckets = append(buckets, bucket{bound(p.PositiveBucket, i), bound(p.PositiveBucket, i+1), n})
		}
		err = c.join(key, p.Attributes, d, buckets, err)
	}
	return err
}

// join adds a histogram's point, and returns the error that is wrong with it, or err.
func (c *collection) join(key seriesKey, attributes attribute.Set, d distribution, buckets []bucket, err error) error {
	key.kind = histogram
	switch {
	case d.count == 0:
		return err
	case !fits(d.sum) || !fits(d.min) || !fits(d.max):
		return errValue
	}
	d.place(buckets)
	s, rest := c.series(key, attributes)
	s.joined.add(d)
	p := point{Count: d.count, Sum: &d.sum}
	if d.bounded {
		p.Min, p.Max = &d.min, &d.max
	}
	s.list(rest, p)
	return err
}

func fits(v float64) bool { return math.Abs(v) <= 0x1p360 } // which NaN is not

// series finds where a point belongs, and what in its attributes is no dimension.
func (c *collection) series(key seriesKey, attributes attribute.Set) (*series, map[string]any) {
	values := make([]string, len(c.exporter.dimensions))
	rest := make(map[string]any)
	for i, d := range c.exporter.dimensions {
		values[i] = c.dimension(attribute.Key(d), attributes)
	}
	all := attributes.ToSlice()
	for _, kv := range all {
		if i := slices.Index(c.exporter.dimensions, string(kv.Key)); i < 0 || values[i] == "" {
			rest[member(kv.Key, all)] = plain(kv.Value)
		}
	}
	g := c.group(values)
	s := g.byKey[key]
	if s == nil {
		s = &series{seriesKey: key}
		g.series, g.byKey[key] = append(g.series, s), s
	}
	return s, rest
}

// member is what one of all attributes is called in a point: without dots, which to CloudWatch Logs Insights are members of
// members, unless another one would have that name too.
func member(key attribute.Key, all []attribute.KeyValue) string {
	name := undotted(key)
	for _, other := range all {
		if other.Key != key && undotted(other.Key) == name {
			return string(key)
		}
	}
	return name
}

func undotted(key attribute.Key) string { return strings.ReplaceAll(string(key), ".", "_") }

func (c *collection) group(values []string) *group {
	all := strings.Join(values, "\x00")
	g := c.byValues[all]
	if g == nil {
		g = &group{values: values, byKey: make(map[seriesKey]*series)}
		c.groups, c.byValues[all] = append(c.groups, g), g
	}
	return g
}

// dimension is the value of one, or "".
func (c *collection) dimension(key attribute.Key, attributes attribute.Set) string {
	v, ok := attributes.Value(key)
	if !ok {
		v, ok = c.resource.Set().Value(key)
		if key == serviceName && (!ok || strings.HasPrefix(v.String(), "unknown_service")) {
			if name, is := c.resource.Set().Value("faas.name"); is {
				v, ok = name, true
			} else if c.exporter.function != "" {
				v, ok = attribute.StringValue(c.exporter.function), true
			}
		}
	}
	if !ok {
		return ""
	}
	text := printable(v.String())
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return text[:min(len(text), maxDimension)]
}

// printable is s with question marks for what is not printable ASCII.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// plain is v as it is in JSON.
func plain(v attribute.Value) any {
	switch v.Type() {
	case attribute.BOOL:
		return v.AsBool()
	case attribute.INT64:
		return v.AsInt64()
	case attribute.FLOAT64:
		if f := v.AsFloat64(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	}
	text := v.String()
	return text[:min(len(text), maxDimension)]
}

// list keeps a point whose attributes the metric does not show.
func (s *series) list(attributes map[string]any, p point) {
	if len(attributes) > 0 {
		p.Metric, p.Attributes = s.name, attributes
		s.points = append(s.points, p)
	}
}
