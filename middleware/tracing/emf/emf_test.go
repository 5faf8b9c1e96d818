package emf_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	api "go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"pgregory.net/rapid"

	"github.com/seawall-go/seawall/middleware/tracing/emf"
)

// A pipeline is the SDK with the exporter at its end.
type pipeline struct {
	api.Meter

	reader *metric.ManualReader
	export *emf.Exporter
	out    bytes.Buffer
	writes int
}

func (p *pipeline) Write(b []byte) (int, error) {
	p.writes++
	return p.out.Write(b)
}

func newPipeline(c emf.Config, options ...metric.Option) *pipeline {
	p := &pipeline{}
	c.Writer = p
	p.export = emf.New(c)
	p.reader = metric.NewManualReader(metric.WithTemporalitySelector(p.export.Temporality), metric.WithAggregationSelector(p.export.Aggregation))
	options = append([]metric.Option{metric.WithReader(p.reader), metric.WithResource(shop)}, options...)
	p.Meter = metric.NewMeterProvider(options...).Meter("test")
	return p
}

var shop = resource.NewSchemaless(attribute.String("service.name", "shop"), attribute.String("stage", "prod"))

// flush returns the lines of a flush, each of which came in one Write.
func (p *pipeline) flush(t interface {
	Helper()
	Fatal(args ...any)
},
) ([]document, error) {
	t.Helper()
	p.out.Reset()
	p.writes = 0
	var rm metricdata.ResourceMetrics
	if err := p.reader.Collect(context.Background(), &rm); err != nil {
		t.Fatal(err)
	}
	exported := p.export.Export(context.Background(), &rm)
	var documents []document
	for line := range bytes.Lines(p.out.Bytes()) {
		d, err := parse(line)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, d)
	}
	if len(documents) != p.writes {
		t.Fatal(len(documents), "lines in", p.writes, "writes")
	}
	return documents, exported
}

// read is what a reader brings of one instrument.
func read(name string, data metricdata.Aggregation) *metricdata.ResourceMetrics {
	return &metricdata.ResourceMetrics{ScopeMetrics: []metricdata.ScopeMetrics{{Metrics: []metricdata.Metrics{{Name: name, Data: data}}}}}
}

func gauge(values ...float64) metricdata.Gauge[float64] {
	var g metricdata.Gauge[float64]
	for _, v := range values {
		g.DataPoints = append(g.DataPoints, metricdata.DataPoint[float64]{Value: v})
	}
	return g
}

func histogram(p metricdata.HistogramDataPoint[float64]) metricdata.Histogram[float64] {
	return metricdata.Histogram[float64]{Temporality: metricdata.DeltaTemporality, DataPoints: []metricdata.HistogramDataPoint[float64]{p}}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func with(kv ...string) api.MeasurementOption {
	var attributes []attribute.KeyValue
	for i := 0; i < len(kv); i += 2 {
		attributes = append(attributes, attribute.String(kv[i], kv[i+1]))
	}
	return api.WithAttributes(attributes...)
}

// One line of each kind of instrument, as it is written.
func TestLine(t *testing.T) {
	ctx := t.Context()
	for _, tt := range []struct {
		name   string
		config emf.Config
		record func(api.Meter)
		want   string // "T" stands for the time
	}{
		{"nothing", emf.Config{}, func(api.Meter) {}, ""},
		{
			"counter", emf.Config{},
			func(m api.Meter) {
				c := must(m.Int64Counter("orders", api.WithUnit("{order}")))
				c.Add(ctx, 2)
				c.Add(ctx, 3)
			},
			`{"_aws":{"Timestamp":T,"CloudWatchMetrics":[{"Namespace":"Seawall","Dimensions":[["service.name"]],"Metrics":[{"Name":"orders","Unit":"Count"}]}]},"orders":5,"service.name":"shop"}`,
		},
		{
			"attributes", emf.Config{Namespace: "Shop"},
			func(m api.Meter) {
				c := must(m.Float64Counter("orders", api.WithUnit("By")))
				c.Add(ctx, 2.5, with("pay", "<card>", "a.b", "1", "c.d", "2", "c_d", "3"))
				c.Add(ctx, 3, with("pay", "invoice"))
			},
			`{"_aws":{"Timestamp":T,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["service.name"]],"Metrics":[{"Name":"orders","Unit":"Bytes"}]}]},` +
				`"_points":[{"metric":"orders","attributes":{"a_b":"1","c.d":"2","c_d":"3","pay":"<card>"},"value":2.5},{"metric":"orders","attributes":{"pay":"invoice"},"value":3}],"orders":5.5,"service.name":"shop"}`,
		},
		{
			"dimensions", emf.Config{Dimensions: []string{"pay", "stage", "who"}},
			func(m api.Meter) {
				c := must(m.Int64Counter("orders"))
				c.Add(ctx, 2, with("pay", "card", "who", ""))
			},
			`{"_aws":{"Timestamp":T,"CloudWatchMetrics":[{"Namespace":"Seawall","Dimensions":[["service.name"],["service.name","pay","stage"]],"Metrics":[{"Name":"orders","Unit":"None"}]}]},` +
				`"_points":[{"metric":"orders","attributes":{"who":""},"value":2}],"orders":2,"pay":"card","service.name":"shop","stage":"prod"}`,
		},
		{
			"up-down", emf.Config{},
			func(m api.Meter) {
				c := must(m.Int64UpDownCounter("running"))
				c.Add(ctx, 5, with("call", "a"))
				c.Add(ctx, -7, with("call", "b"))
			},
			`{"_aws":{"Timestamp":T,"CloudWatchMetrics":[{"Namespace":"Seawall","Dimensions":[["service.name"]],"Metrics":[{"Name":"running","Unit":"None"}]}]},` +
				`"_points":[{"metric":"running","attributes":{"call":"a"},"value":5},{"metric":"running","attributes":{"call":"b"},"value":-7}],"running":-2,"service.name":"shop"}`,
		},
		{
			"gauge", emf.Config{},
			func(m api.Meter) {
				must(m.Float64Gauge("one", api.WithUnit("%"))).Record(ctx, 0.5)
				g := must(m.Int64Gauge("two"))
				g.Record(ctx, 2, api.WithAttributes(attribute.Bool("a", true), attribute.Int("b", 503), attribute.Float64("c", 0.5), attribute.Float64("d", math.Inf(1)),
					attribute.StringSlice("e", []string{"x"}), attribute.Float64("f", math.NaN()), attribute.String("g", strings.Repeat("é", 1000))))
				g.Record(ctx, 1, with("a", "y"))
			},
			`{"_aws":{"Timestamp":T,"CloudWatchMetrics":[{"Namespace":"Seawall","Dimensions":[["service.name"]],"Metrics":[{"Name":"one","Unit":"Percent"},{"Name":"two","Unit":"None"}]}]},` +
				`"_points":[{"metric":"two","attributes":{"a":"y"},"value":1},{"metric":"two","attributes":{"a":true,"b":503,"c":0.5,"d":"Infinity","e":"[\"x\"]","f":"NaN","g":"` + strings.Repeat("é", 512) + `"},"value":2}],"one":0.5,"service.name":"shop","two":[1,2]}`,
		},
		{
			"histogram of one value", emf.Config{},
			func(m api.Meter) {
				must(m.Float64Histogram("took", api.WithUnit("s"))).Record(ctx, 0.25, with("a", "b"))
			},
			`{"_aws":{"Timestamp":T,"CloudWatchMetrics":[{"Namespace":"Seawall","Dimensions":[["service.name"]],"Metrics":[{"Name":"took","Unit":"Seconds"}]}]},` +
				`"_points":[{"metric":"took","attributes":{"a":"b"},"count":1,"sum":0.25,"min":0.25,"max":0.25}],"service.name":"shop","took":{"Values":[0.25],"Counts":[1],"Max":0.25,"Min":0.25,"Count":1,"Sum":0.25}}`,
		},
		{
			// All that is known of 6, 7 and 8 is that they are between 5 and 10, and that all values add up to 42.
			"histogram", emf.Config{},
			func(m api.Meter) {
				h := must(m.Int64Histogram("took", api.WithUnit("ms")))
				for _, v := range []int64{1, 6, 7, 8, 20} {
					h.Record(ctx, v)
				}
			},
			`{"_aws":{"Timestamp":T,"CloudWatchMetrics":[{"Namespace":"Seawall","Dimensions":[["service.name"]],"Metrics":[{"Name":"took","Unit":"Milliseconds"}]}]},` +
				`"service.name":"shop","took":{"Values":[1,7,20],"Counts":[1,3,1],"Max":20,"Min":1,"Count":5,"Sum":42}}`,
		},
		{
			"histogram without minimum and maximum", emf.Config{},
			func(m api.Meter) {
				h := must(m.Int64Histogram("mean", api.WithUnit("ms")))
				for _, v := range []int64{1, 6, 7, 8, 20} {
					h.Record(ctx, v, with("a", "b"))
				}
			},
			`{"_aws":{"Timestamp":T,"CloudWatchMetrics":[{"Namespace":"Seawall","Dimensions":[["service.name"]],"Metrics":[{"Name":"mean","Unit":"Milliseconds"}]}]},` +
				`"_points":[{"metric":"mean","attributes":{"a":"b"},"count":5,"sum":42}],"mean":{"Values":[8.4],"Counts":[5],"Max":8.4,"Min":8.4,"Count":5,"Sum":42},"service.name":"shop"}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipeline(tt.config, metric.WithView(metric.NewView(metric.Instrument{Name: "mean"},
					metric.Stream{Aggregation: metric.AggregationExplicitBucketHistogram{Boundaries: []float64{5, 10}, NoMinMax: true}})))
				tt.record(p)
				if _, err := p.flush(t); err != nil {
					t.Error(err)
				}
				want := strings.Replace(tt.want, ":T,", fmt.Sprintf(":%d,", time.Now().UnixMilli()), 1)
				if got := strings.TrimSuffix(p.out.String(), "\n"); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		})
	}
}

// What is delta is told once, and what is current again and again.
func TestFlushes(t *testing.T) {
	p := newPipeline(emf.Config{})
	must(p.Int64Counter("came")).Add(t.Context(), 3)
	must(p.Int64UpDownCounter("here")).Add(t.Context(), 3)
	first, _ := p.flush(t)
	second, _ := p.flush(t)
	if len(first) != 1 || len(first[0].metrics) != 2 || len(second) != 1 || len(second[0].metrics) != 1 || second[0].metrics["here"].sum() != 3 {
		t.Errorf("first %v, second %v", first, second)
	}
}

func TestService(t *testing.T) {
	for _, tt := range []struct {
		resource *resource.Resource
		function string
		want     string
	}{
		{shop, "f", "shop"},
		{resource.NewSchemaless(attribute.String("service.name", "unknown_service:bootstrap")), "f", "f"},
		{resource.NewSchemaless(attribute.String("service.name", "unknown_service:bootstrap")), "", "unknown_service:bootstrap"},
		{resource.NewSchemaless(attribute.String("faas.name", "orders")), "f", "orders"},
		{resource.Empty(), "f", "f"},
		{resource.Empty(), "", ""},
		{resource.NewSchemaless(attribute.String("service.name", "café\n")), "", "caf??"},
		{resource.NewSchemaless(attribute.String("service.name", strings.Repeat("x", 2000))), "", strings.Repeat("x", 1024)},
	} {
		t.Setenv("AWS_LAMBDA_FUNCTION_NAME", tt.function)
		p := newPipeline(emf.Config{}, metric.WithResource(tt.resource))
		must(p.Int64Counter("came")).Add(t.Context(), 1)
		lines, err := p.flush(t)
		if err != nil || len(lines) != 1 {
			t.Fatal(lines, err)
		}
		want := fmt.Sprintf("%q", tt.want)
		if tt.want == "" {
			want = ""
		}
		if got := string(lines[0].members["service.name"]); got != want || (len(lines[0].dimensions[0]) == 0) != (want == "") {
			t.Errorf("of %v and %q: %s, want %s", tt.resource, tt.function, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	for ucum, want := range map[string]string{
		"": "None", "1": "None", "min": "None", "Cel": "None", "By": "Bytes", "kBy": "Kilobytes", "KBy": "Kilobytes", "KiBy": "None",
		"MBy": "Megabytes", "GBy": "Gigabytes", "TBy": "Terabytes", "bit": "Bits", "kbit": "Kilobits", "Mbit": "Megabits", "Gbit": "Gigabits", "Tbit": "Terabits",
		"s": "Seconds", "ms": "Milliseconds", "us": "Microseconds", "ns": "None", "%": "Percent", "%/s": "None", "s/s": "None", "{call}": "Count",
		"{call}/s": "Count/Second", "1/s": "Count/Second", "By/s": "Bytes/Second", "Tbit/s": "Terabits/Second", "min/s": "None",
	} {
		p := newPipeline(emf.Config{})
		must(p.Int64Counter("m", api.WithUnit(ucum))).Add(t.Context(), 1)
		lines, _ := p.flush(t)
		if len(lines) != 1 || lines[0].units["m"] != want {
			t.Errorf("unit %q: %v, want %s", ucum, lines, want)
		}
	}
}

func TestSameName(t *testing.T) {
	p := newPipeline(emf.Config{}) // the SDK complains, and has them all
	must(p.Int64Counter("m", api.WithUnit("s"))).Add(t.Context(), 1)
	must(p.Int64Counter("m", api.WithUnit("ms"))).Add(t.Context(), 1)
	must(p.Int64Gauge("m")).Record(t.Context(), 1)
	lines, err := p.flush(t)
	if sum, _ := total(lines, "m"); err != nil || len(lines) != 3 || sum != 3 {
		t.Errorf("%d lines with %v: %v", len(lines), sum, err)
	}
}

// TestRegression_KindsAddedUp: what an up-down counter of one meter held and what a counter of another counted, under the
// same name, was one sum, which was neither.
func TestRegression_KindsAddedUp(t *testing.T) {
	var out bytes.Buffer
	p := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(emf.New(emf.Config{Writer: &out}))))
	must(p.Meter("a").Int64UpDownCounter("m")).Add(t.Context(), 10)
	must(p.Meter("b").Int64Counter("m")).Add(t.Context(), 5)
	must(p.Meter("c").Float64Counter("m")).Add(t.Context(), 7)
	if err := p.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var sums []float64
	for line := range bytes.Lines(out.Bytes()) {
		sums = append(sums, must(parse(line)).metrics["m"].sum())
	}
	slices.Sort(sums)
	if fmt.Sprint(sums) != "[10 12]" {
		t.Errorf("lines with %v, want 10 that are there, and 12 that came", sums)
	}
}

// Values of dimensions that are alike when put together are still others.
func TestLikeDimensions(t *testing.T) {
	p := newPipeline(emf.Config{Dimensions: []string{"a", "b"}})
	c := must(p.Int64Counter("m"))
	c.Add(t.Context(), 1, with("a", "xy"))
	c.Add(t.Context(), 1, with("a", "x", "b", "y"))
	c.Add(t.Context(), 1, with("b", "xy"))
	if lines, err := p.flush(t); err != nil || len(lines) != 3 {
		t.Errorf("%d lines, want 3: %v", len(lines), err)
	}
}

// What CloudWatch would refuse or misunderstand is left out, said so, and nothing else suffers.
func TestLeftOut(t *testing.T) {
	long := strings.Repeat("x", 256)
	sum := func(temporality metricdata.Temporality, monotonic bool, values ...float64) metricdata.Sum[float64] {
		return metricdata.Sum[float64]{Temporality: temporality, IsMonotonic: monotonic, DataPoints: gauge(values...).DataPoints}
	}
	histogram := func(least, most float64, sums ...float64) (h metricdata.Histogram[float64]) {
		h.Temporality = metricdata.DeltaTemporality
		for _, sum := range sums {
			h.DataPoints = append(h.DataPoints, metricdata.HistogramDataPoint[float64]{Count: 2, Sum: sum, Min: metricdata.NewExtrema(least), Max: metricdata.NewExtrema(most)})
		}
		return h
	}
	const (
		delta      = metricdata.DeltaTemporality
		cumulative = metricdata.CumulativeTemporality

		tooLong = "emf: m: it is cumulative, and CloudWatch adds up what it gets; left out"
		tooMuch = "emf: m: CloudWatch takes only values that are finite, up to 2^360; left out"
	)
	for _, tt := range []struct {
		name string
		data metricdata.Aggregation
		want string // the error
	}{
		{"m", sum(delta, true, 1), ""},
		{"m", sum(cumulative, false, 1), ""},
		{"m", sum(cumulative, true, 1), tooLong},
		{"m", sum(delta, false, math.NaN()), tooMuch},
		{"m", sum(delta, false, 0x1p360, 0x1p360), tooMuch},
		{"m", gauge(math.Inf(1)), tooMuch},
		{"m", histogram(0, 1, 1), ""},
		{"m", histogram(0, 1, math.NaN()), tooMuch},
		{"m", histogram(math.Inf(-1), 1, 1), tooMuch},
		{"m", histogram(0, math.Inf(1), 1), tooMuch},
		{"m", histogram(0, 0x1p360, 0x1p360, 0x1p360), tooMuch},
		{"m", metricdata.Histogram[float64]{Temporality: cumulative}, tooLong},
		{"m", metricdata.ExponentialHistogram[float64]{Temporality: cumulative}, tooLong},
		{"m", metricdata.Summary{}, "emf: m: metricdata.Summary has no place in CloudWatch; left out"},
		{"", gauge(1), "emf: : want a name of up to 255 characters; left out"},
		{"_aws", gauge(1), "emf: _aws: want a name of up to 255 characters; left out"},
		{"_points", gauge(1), "emf: _points: want a name of up to 255 characters; left out"},
		{"service.name", gauge(1), "emf: service.name: a dimension has that name; left out"},
		{long, gauge(1), "emf: " + long[:255] + ": want a name of up to 255 characters; left out"},
	} {
		var out bytes.Buffer
		e := emf.New(emf.Config{Writer: &out})
		rm := read(tt.name, tt.data)
		rm.ScopeMetrics = append(rm.ScopeMetrics, read("other", gauge(1)).ScopeMetrics...)
		err := e.Export(t.Context(), rm)
		if got := strings.TrimPrefix(fmt.Sprint(err), "<nil>"); got != tt.want {
			t.Errorf("error %q, want %q", got, tt.want)
		}
		d, err := parse(out.Bytes())
		if _, there := d.metrics[tt.name]; err != nil || there != (tt.want == "") || d.metrics["other"].sum() != 1 {
			t.Errorf("%T with %q: %v, %s", tt.data, tt.want, err, &out)
		}
	}
}

func TestConfig(t *testing.T) {
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprint("d", i)
	}
	emf.New(emf.Config{Dimensions: many[:29]})
	for _, tt := range []struct {
		config emf.Config
		want   string
	}{
		{emf.Config{Namespace: strings.Repeat("x", 256)}, "emf: Namespace"},
		{emf.Config{Namespace: "Bücher"}, "emf: Namespace"},
		{emf.Config{Dimensions: []string{" "}}, `emf: Dimensions: " ": want the name`},
		{emf.Config{Dimensions: many}, "emf: 30 Dimensions: want 29 at most"},
		{emf.Config{Dimensions: []string{""}}, `emf: Dimensions: "": want the name`},
		{emf.Config{Dimensions: []string{"ä"}}, `emf: Dimensions: "ä": want the name`},
		{emf.Config{Dimensions: []string{strings.Repeat("x", 256)}}, `emf: Dimensions: "xxx`},
		{emf.Config{Dimensions: []string{":a"}}, `emf: Dimensions: ":a": want the name`},
		{emf.Config{Dimensions: []string{"_aws"}}, `emf: Dimensions: "_aws": want the name`},
		{emf.Config{Dimensions: []string{"_points"}}, `emf: Dimensions: "_points": want the name`},
		{emf.Config{Dimensions: []string{"a", "a"}}, "emf: Dimensions: a is there twice"},
		{emf.Config{Dimensions: []string{"service.name"}}, "emf: Dimensions: service.name is there twice"},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, tt.want) {
					t.Errorf("panic %q, want %q", got, tt.want)
				}
			}()
			emf.New(tt.config)
		}()
	}
}

// TestRegression_NamespaceThatCloudWatchRefuses: a namespace that CloudWatch does not take was taken, and the function
// wrote lines of which no metric ever came.
func TestRegression_NamespaceThatCloudWatchRefuses(t *testing.T) {
	for _, namespace := range []string{" ", "AWS/Lambda", "Shop!", `a"b`, ":x", "a\tb"} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, fmt.Sprintf("emf: Namespace %q: ", namespace)) {
					t.Errorf("%q: panic %q", namespace, got)
				}
			}()
			emf.New(emf.Config{Namespace: namespace})
		}()
	}
	for _, namespace := range []string{"Shop", "Shop Floor/v2:a_b-c.d#1", " AWS", strings.Repeat("x", 255)} {
		p := newPipeline(emf.Config{Namespace: namespace})
		must(p.Int64Counter("m")).Add(t.Context(), 1)
		if lines, err := p.flush(t); err != nil || len(lines) != 1 || lines[0].namespace != namespace {
			t.Errorf("%q: %v, %v", namespace, lines, err)
		}
	}
}

// TestRegression_AttributesCollide: of two attributes of a point that differ in dots and underscores only, one took the
// other's place.
func TestRegression_AttributesCollide(t *testing.T) {
	p := newPipeline(emf.Config{})
	must(p.Int64Counter("m")).Add(t.Context(), 1, with("a.b_c", "1", "a_b.c", "2", "d.e", "3"))
	lines, err := p.flush(t)
	if err != nil || len(lines) != 1 || len(lines[0].points) != 1 {
		t.Fatal(lines, err)
	}
	if got, want := fmt.Sprint(lines[0].points[0]["attributes"]), "map[a.b_c:1 a_b.c:2 d_e:3]"; got != want {
		t.Errorf("attributes %s, want %s", got, want)
	}
}

// TestRegression_LateDeltasAreLost: an export whose context had ended wrote nothing, and what it was to write did not
// come again, for the reader begins to count anew as soon as it has handed over.
func TestRegression_LateDeltasAreLost(t *testing.T) {
	p := newPipeline(emf.Config{})
	must(p.Int64Counter("m")).Add(t.Context(), 5)
	var rm metricdata.ResourceMetrics
	if err := p.reader.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	err := p.export.Export(over, &rm)
	if d, wrong := parse(p.out.Bytes()); err != nil || wrong != nil || d.metrics["m"].sum() != 5 {
		t.Errorf("Export = %v, and the 5 are lost: %v", err, wrong)
	}
}

// Whatever the attributes and dimensions, what the lines say adds up to what was recorded, and each line is one that
// CloudWatch takes.
func TestNothingIsLost(t *testing.T) {
	keys := []string{"a", "b", "service.name", "metric", "_aws", "ö", "with space", "c_int"}
	text := rapid.OneOf(
		rapid.SampledFrom([]string{"", " ", "x", "y", "café", "\x00\n", "\xff", `"`, strings.Repeat("long", 700)}),
		rapid.String(),
	)
	attributes := rapid.Custom(func(t *rapid.T) attribute.Set {
		var kv []attribute.KeyValue
		for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 0, 3, rapid.ID).Draw(t, "keys") {
			kv = append(kv, attribute.String(k, text.Draw(t, "value")))
		}
		return attribute.NewSet(kv...)
	})
	exponential := metric.NewView(metric.Instrument{Name: "expo*"}, metric.Stream{Aggregation: metric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}})
	mean := metric.NewView(metric.Instrument{Name: "mean*"}, metric.Stream{Aggregation: metric.AggregationExplicitBucketHistogram{Boundaries: []float64{0, 1}, NoMinMax: true}})
	none := metric.NewView(metric.Instrument{Name: "none*"}, metric.Stream{Aggregation: metric.AggregationExplicitBucketHistogram{}})
	rapid.Check(t, func(t *rapid.T) {
		dimensions := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "with space", "stage"}), 0, 3, rapid.ID).Draw(t, "dimensions")
		p := newPipeline(emf.Config{Dimensions: dimensions}, metric.WithView(exponential, mean, none))
		sums := map[string]func(v float64, o api.MeasurementOption){}
		counter := func(name string) {
			i, f := must(p.Int64Counter(name+"_int")), must(p.Float64Counter(name+"_float"))
			sums[name+"_int"] = func(v float64, o api.MeasurementOption) { i.Add(context.Background(), int64(math.Abs(v)), o) }
			sums[name+"_float"] = func(v float64, o api.MeasurementOption) { f.Add(context.Background(), math.Abs(v), o) }
		}
		upDown := func(name string) {
			i, f := must(p.Int64UpDownCounter(name+"_int")), must(p.Float64UpDownCounter(name+"_float"))
			sums[name+"_int"] = func(v float64, o api.MeasurementOption) { i.Add(context.Background(), int64(v), o) }
			sums[name+"_float"] = func(v float64, o api.MeasurementOption) { f.Add(context.Background(), v, o) }
		}
		histogram := func(name string) {
			i, f := must(p.Int64Histogram(name+"_int")), must(p.Float64Histogram(name+"_float"))
			sums[name+"_int"] = func(v float64, o api.MeasurementOption) { i.Record(context.Background(), int64(v), o) }
			sums[name+"_float"] = func(v float64, o api.MeasurementOption) { f.Record(context.Background(), v, o) }
		}
		counter("counter")
		upDown("updown")
		for _, name := range []string{"hist", "expo", "mean", "none"} {
			histogram(name)
		}
		names := slices.Sorted(func(yield func(string) bool) {
			for name := range sums {
				if !yield(name) {
					return
				}
			}
		})
		type record struct{ sum, scale, count, low, high float64 }
		recorded, told := map[string]*record{}, map[string]*record{}
		for _, name := range names {
			recorded[name], told[name] = &record{low: math.Inf(1), high: math.Inf(-1)}, &record{low: math.Inf(1), high: math.Inf(-1)}
		}
		flush := func() {
			lines, err := p.flush(t)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if strings.HasPrefix(name, "updown") {
					told[name].sum = 0
				}
			}
			for _, d := range lines {
				for name, m := range d.metrics {
					r := told[name]
					r.sum += m.sum()
					if m.stats != nil {
						r.count += m.stats["Count"]
						r.low, r.high = min(r.low, m.stats["Min"]), max(r.high, m.stats["Max"])
					}
				}
			}
		}
		value := rapid.OneOf(rapid.Float64Range(-1e6, 1e6), rapid.Float64Range(0, 10), rapid.SampledFrom([]float64{0, 1, -1, 1e-9, 1e15, -1e15}))
		t.Repeat(map[string]func(*rapid.T){
			"record": func(t *rapid.T) {
				name, set := rapid.SampledFrom(names).Draw(t, "name"), attributes.Draw(t, "attributes")
				for range rapid.SampledFrom([]int{1, 1, 3, 30}).Draw(t, "times") {
					v := value.Draw(t, "v")
					sums[name](v, api.WithAttributeSet(set))
					if strings.HasPrefix(name, "counter") {
						v = math.Abs(v)
					}
					if strings.HasSuffix(name, "_int") {
						v = math.Trunc(v)
					}
					r := recorded[name]
					r.sum += v
					r.scale += math.Abs(v)
					r.count++
					r.low, r.high = min(r.low, v), max(r.high, v)
				}
			},
			"flush": func(*rapid.T) { flush() },
		})
		flush()
		for _, name := range names {
			want, got := recorded[name], told[name]
			if math.Abs(want.sum-got.sum) > 1e-9*want.scale {
				t.Errorf("%s: the lines say %v, recorded was %v", name, got.sum, want.sum)
			}
			if strings.HasPrefix(name, "counter") || strings.HasPrefix(name, "updown") {
				continue
			}
			if want.count != got.count || !strings.HasPrefix(name, "mean") && (want.low != got.low || want.high != got.high) {
				t.Errorf("%s: the lines say %+v, recorded was %+v", name, got, want)
			}
		}
	})
}

// The whole way, as a program has it.
func TestPeriodicReader(t *testing.T) {
	var out bytes.Buffer
	provider := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(emf.New(emf.Config{Writer: &out}))), metric.WithResource(shop))
	must(provider.Meter("test").Int64Counter("orders")).Add(t.Context(), 2)
	if err := provider.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(provider.Meter("test").Int64Counter("orders")).Add(t.Context(), 3)
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	var sums []float64
	for line := range bytes.Lines(out.Bytes()) {
		d, err := parse(line)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, d.metrics["orders"].sum())
	}
	if fmt.Sprint(sums) != "[2 3]" {
		t.Errorf("orders %v, want 2 at the flush and 3 at the end", sums)
	}
}
