package emf_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/seawall-go/seawall/middleware/tracing/emf"
)

// Where the values of a histogram are, of which only buckets are known.
func TestPlaces(t *testing.T) {
	type explicit = metricdata.HistogramDataPoint[float64]
	type exponential = metricdata.ExponentialHistogramDataPoint[float64]
	extrema := metricdata.NewExtrema[float64]
	for _, tt := range []struct {
		name string
		p    any
		want string // values and counts
	}{
		{
			"amid each bucket",
			explicit{Count: 8, Sum: 160, Min: extrema(0), Max: extrema(40), Bounds: []float64{10, 20, 30}, BucketCounts: []uint64{2, 2, 2, 2}},
			"[0 5 15 25 35 40] [1 1 2 2 1 1]",
		},
		{
			"a quarter up in each, on both sides of nought",
			exponential{
				Count: 10, Sum: -2.5, Min: extrema(-4), Max: extrema(4), ZeroThreshold: 0.5, ZeroCount: 2,
				NegativeBucket: metricdata.ExponentialBucket{Counts: []uint64{2, 2}},
				PositiveBucket: metricdata.ExponentialBucket{Counts: []uint64{2, 2}},
			},
			"[-4 -3.5 -1.75 -0.25 1.25 2.5 4] [1 1 2 2 2 1 1]",
		},
		{
			"buckets of a negative scale, from 4 to 16 and so on",
			exponential{
				Count: 5, Sum: 242, Min: extrema(8), Max: extrema(100), Scale: -1,
				PositiveBucket: metricdata.ExponentialBucket{Offset: 1, Counts: []uint64{2, 1, 2}},
			},
			"[8 12 40 82 100] [1 1 1 1 1]",
		},
		{
			"a bucket beyond all numbers",
			exponential{Count: 3, Sum: 7, Min: extrema(1), Max: extrema(3), PositiveBucket: metricdata.ExponentialBucket{Offset: 2000, Counts: []uint64{3}}},
			"[1 3] [1 2]",
		},
		{
			"a sum that rounding made more than a narrow bucket has room for",
			exponential{
				Count: 4, Sum: 500 + 5e-13, Min: extrema(-100), Max: extrema(300), ZeroThreshold: 5e-324, ZeroCount: 1,
				NegativeBucket: metricdata.ExponentialBucket{Offset: 6, Counts: []uint64{1}},
				PositiveBucket: metricdata.ExponentialBucket{Offset: 2000, Counts: []uint64{2}},
			},
			"[-100 5e-324 300] [1 1 2]",
		},
		{"0.3+(0.9-0.3) is more than 0.9", explicit{Count: 3, Sum: 0.3 + 0.9 + 0.9, Min: extrema(0.3), Max: extrema(0.9)}, "[0.3 0.9] [1 2]"},
		{"only a minimum", explicit{Count: 3, Sum: 6, Min: extrema(1)}, "[2] [3]"},
		{"only a maximum", explicit{Count: 3, Sum: 6, Max: extrema(3)}, "[2] [3]"},
		{"no value", explicit{Bounds: []float64{1}, BucketCounts: []uint64{0, 0}}, "[] []"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var data metricdata.Aggregation
			switch p := tt.p.(type) {
			case explicit:
				data = histogram(p)
			case exponential:
				data = metricdata.ExponentialHistogram[float64]{Temporality: metricdata.DeltaTemporality, DataPoints: []exponential{p}}
			}
			var out bytes.Buffer
			if err := emf.New(emf.Config{Writer: &out}).Export(t.Context(), read("m", data)); err != nil {
				t.Fatal(err)
			}
			var d document
			if out.Len() > 0 {
				d = must(parse(out.Bytes()))
			}
			if got := fmt.Sprint(d.metrics["m"].values, d.metrics["m"].counts); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// Up to 100 values are there as they are, in order; of more, neighbours are joined, no more of them than need be.
func TestManyValues(t *testing.T) {
	for n, want := range map[int]int{2: 2, 100: 100, 101: 52, 198: 100, 199: 68, 2000: 98} {
		g := gauge()
		h := metricdata.Histogram[float64]{Temporality: metricdata.DeltaTemporality}
		for i := range n {
			v := float64(i * 7 % n)
			g.DataPoints = append(g.DataPoints, metricdata.DataPoint[float64]{Value: v})
			h.DataPoints = append(h.DataPoints, metricdata.HistogramDataPoint[float64]{Count: 7, Sum: 7 * v})
		}
		for _, data := range []metricdata.Aggregation{g, h} {
			var out bytes.Buffer
			if err := emf.New(emf.Config{Writer: &out}).Export(t.Context(), read("m", data)); err != nil {
				t.Fatal(err)
			}
			m := must(parse(out.Bytes())).metrics["m"]
			_, isGauge := data.(metricdata.Gauge[float64])
			if plain := m.stats == nil; len(m.values) != want || plain != (isGauge && n <= 100) || !slices.IsSorted(m.values) {
				t.Errorf("%T of %d: %v", data, n, m)
			}
		}
	}
}

// The percentiles that CloudWatch can make of a line are about as good as the histogram's.
func TestPercentiles(t *testing.T) {
	p := newPipeline(emf.Config{}, metric.WithView(metric.NewView(metric.Instrument{Name: "m"},
		metric.Stream{Aggregation: metric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}})))
	h := must(p.Float64Histogram("m"))
	for i := range 1000 {
		h.Record(t.Context(), float64(i+1)/1000, with("i", fmt.Sprint(i%3)))
	}
	lines, err := p.flush(t)
	if err != nil || len(lines) != 1 {
		t.Fatal(lines, err)
	}
	m := lines[0].metrics["m"]
	for _, q := range []float64{0.5, 0.9, 0.99} {
		seen := 0.0
		for i, v := range m.values {
			if seen += m.counts[i]; seen >= q*1000 {
				if math.Abs(v-q) > 0.05*q {
					t.Errorf("percentile %v is %v", q, v)
				}
				break
			}
		}
	}
}

// TestRegression_BucketsThatDoNotAddUp: buckets with fewer values than the histogram has, which a producer other than
// the SDK may bring, had a count run below zero.
func TestRegression_BucketsThatDoNotAddUp(t *testing.T) {
	p := newPipeline(emf.Config{})
	for _, counts := range [][]uint64{{1, 0}, {0, 1}, {0, 0}, {9, 9}, nil} {
		p.out.Reset()
		rm := read("m", histogram(metricdata.HistogramDataPoint[float64]{Count: 3, Sum: 6, Min: metricdata.NewExtrema(1.0), Max: metricdata.NewExtrema(3.0), Bounds: []float64{2}, BucketCounts: counts}))
		if err := p.export.Export(t.Context(), rm); err != nil {
			t.Error(err)
		}
		d, err := parse(p.out.Bytes())
		if got := d.metrics["m"]; err != nil || fmt.Sprint(got.values, got.counts) != "[1 2 3] [1 1 1]" {
			t.Errorf("buckets %v: %v %v, %v", counts, got.values, got.counts, err)
		}
	}
}
