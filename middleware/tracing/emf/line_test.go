package emf_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	api "go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/seawall-go/seawall/middleware/tracing/emf"
)

// total is what the lines say of a metric, and in how many points.
func total(lines []document, name string) (sum float64, points int) {
	for _, d := range lines {
		if m, ok := d.metrics[name]; ok {
			sum += m.sum()
		}
		for _, p := range d.points {
			if p["metric"] == name {
				points++
			}
		}
	}
	return sum, points
}

// More than a line takes goes into further ones, and none is lost.
func TestManyMetrics(t *testing.T) {
	p := newPipeline(emf.Config{})
	for i := range 250 {
		must(p.Int64Counter(fmt.Sprint("m", i))).Add(t.Context(), 1)
	}
	lines, err := p.flush(t)
	if err != nil || len(lines) != 3 {
		t.Errorf("%d lines, want 3: %v", len(lines), err)
	}
	for i := range 250 {
		if sum, _ := total(lines, fmt.Sprint("m", i)); sum != 1 {
			t.Errorf("m%d: %v", i, sum)
		}
	}
}

func TestManyBytes(t *testing.T) {
	p := newPipeline(emf.Config{})
	c := must(p.Int64Counter("m"))
	for i := range 1500 {
		c.Add(t.Context(), 1, with("i", fmt.Sprint(i), "long", strings.Repeat("\x01", 100), "longer", strings.Repeat("<", 2000)))
	}
	lines, err := p.flush(t)
	sum, points := total(lines, "m")
	if err != nil || len(lines) < 10 || sum != 1500 || points != 1500 {
		t.Errorf("%d lines with %v, and %d points: %v", len(lines), sum, points, err)
	}
}

func TestManyBytesOfValues(t *testing.T) {
	p := newPipeline(emf.Config{})
	for i := range 100 {
		h := must(p.Float64Histogram(fmt.Sprint("m", i, strings.Repeat("x", 240))))
		for j := range 100 {
			h.Record(t.Context(), 1/float64(j+1), with("j", fmt.Sprint(j)))
		}
	}
	lines, err := p.flush(t)
	found := 0
	for _, d := range lines {
		found += len(d.metrics)
	}
	if err != nil || len(lines) < 3 || found != 100 {
		t.Errorf("%d lines with %d metrics: %v", len(lines), found, err)
	}
}

func TestLongPoint(t *testing.T) {
	p := newPipeline(emf.Config{})
	var attributes []attribute.KeyValue
	for i := range 128 {
		attributes = append(attributes, attribute.String(fmt.Sprint(i), strings.Repeat("\x01", 1024)))
	}
	must(p.Int64Counter("m")).Add(t.Context(), 7, api.WithAttributes(attributes...))
	lines, err := p.flush(t)
	sum, points := total(lines, "m")
	if len(lines) != 1 || sum != 7 || points != 0 || err == nil || !strings.HasPrefix(err.Error(), "emf: m: a point with attributes of ") {
		t.Errorf("%d lines with %v, and %d points: %v", len(lines), sum, points, err)
	}
}

// TestRegression_HeaderOfAnEvent: a line was up to 256 KB long, and with the header that CloudWatch Logs counts as well the
// event was too long. The lines here are made longer byte by byte, until they are two, or a point is left out.
func TestRegression_HeaderOfAnEvent(t *testing.T) {
	var metrics metricdata.ScopeMetrics
	for i := range 99 {
		values := make([]float64, 100)
		for j := range values {
			values[j] = 1e19 + float64(i+j)*4096 // 20 digits
		}
		metrics.Metrics = append(metrics.Metrics, metricdata.Metrics{Name: fmt.Sprintf("m%0254d", i), Data: gauge(values...)})
	}
	var attributes []attribute.KeyValue
	for i := range 43 {
		attributes = append(attributes, attribute.String(fmt.Sprint(i), strings.Repeat("\x01", 1011)))
	}
	point := gauge(1)
	point.DataPoints[0].Attributes = attribute.NewSet(attributes...)
	for _, tt := range []struct {
		name  string
		scope metricdata.ScopeMetrics
		spare []int // what the longest line leaves, when there is one line, and when there are two
	}{
		{"metrics", metrics, []int{len(`,,"_points":[]`)}},
		{"a point", read("m", point).ScopeMetrics[0], []int{len(`,,`), len(`,`)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			export := func(n int) (lines, length int, err error) {
				var out bytes.Buffer
				err = emf.New(emf.Config{Writer: &out}).Export(t.Context(), &metricdata.ResourceMetrics{
					Resource:     resource.NewSchemaless(attribute.String("service.name", strings.Repeat("x", n))),
					ScopeMetrics: []metricdata.ScopeMetrics{tt.scope},
				})
				for line := range bytes.Lines(out.Bytes()) {
					must(parse(line))
					lines, length = lines+1, max(length, len(line))
				}
				return lines, length, err
			}
			lines, length, err := export(1)
			longest := []int{0, 0}
			for n := maxLine - length - 15; err == nil && lines <= len(tt.spare) && n <= 1024; n++ {
				longest[lines-1] = length
				lines, length, err = export(n)
			}
			for i, spare := range tt.spare {
				if longest[i] != maxLine-spare {
					t.Errorf("of %d lines the longest has %d bytes, want %d", i+1, longest[i], maxLine-spare)
				}
			}
		})
	}
}
