package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/seawall-go/seawall/middleware/tracing/emf"
)

// An instrument is a row of the table in the package comment of tracing.
type instrument struct{ name, kind, unit string }

// documented reads that table, and what else is in the comment, in which all attributes are.
func documented(t *testing.T) (table []instrument, text string) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../middleware/tracing/doc.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	text = file.Doc.Text()
	for _, row := range regexp.MustCompile(`(?m)^\t(\S+) +(counter|gauge|histogram|up-down) +(\S+) `).FindAllStringSubmatch(text, -1) {
		table = append(table, instrument{row[1], row[2], row[3]})
	}
	if len(table) < 20 {
		t.Fatalf("found %d instruments in the table", len(table))
	}
	return table, text
}

// prometheus is what Prometheus calls the instrument when it comes by OTLP, by the rules of its translator.
func (i instrument) prometheus() string {
	name := strings.ReplaceAll(i.name, ".", "_")
	switch {
	case i.unit == "s":
		name += "_seconds"
	case i.unit == "1" && i.kind == "gauge":
		name += "_ratio"
	case !strings.HasPrefix(i.unit, "{"):
		panic("what does Prometheus call " + i.unit + "?")
	}
	if i.kind == "counter" {
		name += "_total"
	}
	return name
}

// labels is what may be the name of an attribute in the comment, with underscores for dots.
func labels(text string) []string {
	return regexp.MustCompile(`[a-z]+(_[a-z]+)+`).FindAllString(strings.ReplaceAll(text, ".", "_"), -1)
}

// The expressions that there are, with S for the series, Q for the quantile, and of what they are by no more than le.
const (
	level    = "sum by () (S)"
	highest  = "max by () (S)"
	rate     = "sum by () (rate(S[$__rate_interval]))"
	quantile = "histogram_quantile(Q, sum by (le) (rate(S[$__rate_interval])))"

	// Increase sees only what comes after a series' first point: of a process that lives for one opening of a breaker,
	// nothing, and never a cold start. So a series that is new is counted as a whole.
	increase = "sum by () ((S unless last_over_time(S[1h] offset $__rate_interval)) or increase(S[$__rate_interval]))"
)

// An expression is one of Prometheus, taken apart.
type expression struct {
	shape    string // one of those above
	metric   string
	by       []string
	matched  []string
	quantile float64
}

// parse is no parser: what it does not know stays in the shape, which is then none of those above.
func parse(expr string) (e expression) {
	e.shape = strings.TrimSuffix(expr, " > 0")
	if series := regexp.MustCompile(`([a-z_]+){job=~"\$service"((?:, [a-z_]+!?="[a-z]*")?)}`).FindStringSubmatch(expr); series != nil {
		e.shape, e.metric = strings.ReplaceAll(e.shape, series[0], "S"), series[1]
		e.matched = regexp.MustCompile(`[a-z_]+\b`).FindAllString(series[2], 1)
	}
	if by := regexp.MustCompile(`by \((.*?)\)`).FindStringSubmatch(expr); by != nil {
		e.by = strings.Split(by[1], ", ")
		le := ""
		if e.by[0] == "le" {
			le, e.by = "le", e.by[1:]
		}
		e.shape = strings.Replace(e.shape, by[0], "by ("+le+")", 1)
	}
	if q := regexp.MustCompile(`\((0\.\d+), `).FindStringSubmatch(expr); q != nil {
		e.quantile, _ = strconv.ParseFloat(q[1], 64)
		e.shape = strings.Replace(e.shape, q[0], "(Q, ", 1)
	}
	return e
}

// shapes are the expressions that fit each metric.
func shapes(table []instrument) map[string][]string {
	shapes := map[string][]string{}
	for _, i := range table {
		switch name := i.prometheus(); i.kind {
		case "histogram":
			shapes[name+"_bucket"], shapes[name+"_count"] = []string{quantile}, []string{rate, increase}
		case "counter":
			shapes[name] = []string{increase}
		case "gauge":
			shapes[name] = []string{level, highest}
		default:
			shapes[name] = []string{level}
		}
	}
	return shapes
}

// Each metric of the dashboard is an instrument and used as its kind wants, each label is an attribute, and each
// instrument is on the dashboard.
func TestGrafana(t *testing.T) {
	table, text := documented(t)
	labels, shapes := append(labels(text), "job", "instance"), shapes(table)
	units := map[string]string{level: "short", highest: "short", rate: "reqps", increase: "short", quantile: "s"}

	type query struct{ Expr, LegendFormat string }
	var dashboard struct {
		Panels []struct {
			ID          int
			Type        string
			Title       string
			GridPos     place
			FieldConfig struct{ Defaults struct{ Unit string } }
			Targets     []query
		}
		Annotations struct {
			List []struct{ Expr, TitleFormat string }
		}
	}
	read(t, "grafana.json", &dashboard)
	used := map[string]bool{}
	check := func(title string, q query) (shape string) {
		e := parse(q.Expr)
		if !slices.Contains(shapes[e.metric], e.shape) {
			t.Errorf("%s: %s is of the shape %s, want one of %q", title, q.Expr, e.shape, shapes[e.metric])
		}
		for _, label := range slices.Concat(e.by, e.matched) {
			if !slices.Contains(labels, label) {
				t.Errorf("%s: no attribute is called %q", title, label)
			}
		}
		for _, label := range regexp.MustCompile(`{{(.*?)}}`).FindAllStringSubmatch(q.LegendFormat, -1) {
			if !slices.Contains(e.by, label[1]) {
				t.Errorf("%s: nothing is by %s", title, label[1])
			}
		}
		if e.shape == quantile && !strings.HasSuffix(q.LegendFormat, fmt.Sprintf(" p%g", 100*e.quantile)) {
			t.Errorf("%s: the quantile %g is called %s", title, e.quantile, q.LegendFormat)
		}
		used[strings.TrimSuffix(strings.TrimSuffix(e.metric, "_bucket"), "_count")] = true
		return e.shape
	}
	for i, p := range dashboard.Panels {
		for _, q := range dashboard.Panels[:i] {
			if p.GridPos.overlaps(q.GridPos) {
				t.Errorf("%s is over %s", p.Title, q.Title)
			}
		}
		if p.ID != i+1 || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 || (p.Type == "row") != (len(p.Targets) == 0) {
			t.Errorf("panel %+v", p)
		}
		if !slices.Contains([]string{"row", "timeseries", "state-timeline"}, p.Type) {
			t.Errorf("%s is a %q", p.Title, p.Type)
		}
		for _, target := range p.Targets {
			if unit := units[check(p.Title, target)]; unit != p.FieldConfig.Defaults.Unit {
				t.Errorf("%s: the unit is %q, want %q", p.Title, p.FieldConfig.Defaults.Unit, unit)
			}
		}
	}
	for _, a := range dashboard.Annotations.List {
		check("annotation", query{a.Expr, a.TitleFormat})
	}
	for _, i := range table {
		if !used[i.prometheus()] {
			t.Errorf("%s is on no panel", i.name)
		}
	}
}

// Each variable has values, and each that is referred to is there.
func TestGrafanaVariables(t *testing.T) {
	table, _ := documented(t)
	shapes := shapes(table)
	var dashboard struct {
		SchemaVersion int
		Templating    struct {
			List []struct {
				Name, Type, Definition string
				Query                  any
			}
		}
	}
	raw := read(t, "grafana.json", &dashboard)
	variables := []string{"__rate_interval"} // Grafana's own
	for _, v := range dashboard.Templating.List {
		variables = append(variables, v.Name)
		switch v.Type {
		case "datasource":
			if v.Query != "prometheus" {
				t.Errorf("variable %s is of %v", v.Name, v.Query)
			}
		case "query":
			values := regexp.MustCompile(`^label_values\((\w+), job\)$`).FindStringSubmatch(v.Definition)
			if values == nil || shapes[values[1]] == nil || v.Query.(map[string]any)["query"] != v.Definition {
				t.Errorf("variable %s is of %v, and of %s by definition", v.Name, v.Query, v.Definition)
			}
		default:
			t.Errorf("variable %s is a %q", v.Name, v.Type)
		}
	}
	for _, ref := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(raw, -1) {
		if !slices.Contains(variables, ref[1]) {
			t.Errorf("there is no variable %s", ref[1])
		}
	}
	if dashboard.SchemaVersion == 0 {
		t.Error("the dashboard has no version of the schema")
	}
}

// A place is that of a panel.
type place struct{ X, Y, W, H int }

func (a place) overlaps(b place) bool {
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

// As TestGrafana, of what package emf writes.
func TestCloudWatch(t *testing.T) {
	table, text := documented(t)
	labels := labels(text)
	kinds := map[string]string{}
	for _, i := range table {
		kinds[i.name] = i.kind
	}
	stats := map[string]string{"counter": "Sum", "up-down": "Maximum", "gauge": "Maximum", "histogram": "SampleCount Minimum p10 p50 p99"}
	type variable struct {
		Type, Pattern, InputType, ID, Label, DefaultValue string
		Search, PopulateFrom                              string
		Visible                                           bool
	}
	var dashboard struct {
		Variables []variable
		Widgets   []struct {
			Type       string
			X, Y       int
			Width      int
			Height     int
			Properties struct {
				Title, Query, View, Region string
				Period                     int
				Metrics                    [][]any
			}
		}
	}
	read(t, "cloudwatch.json", &dashboard)

	const function = "checkout"             // this text is in each metric and each query, and replaced by what is chosen
	const ofSpans = "seawall.call.duration" // which every function has
	want := []variable{{
		Type: "pattern", Pattern: function, InputType: "select", ID: "service", Label: "Function", DefaultValue: "__FIRST",
		Search: `{Seawall,"service.name"} MetricName="` + ofSpans + `"`, PopulateFrom: "service.name", // a name with a dot wants quotes
		Visible: true,
	}}
	if !reflect.DeepEqual(dashboard.Variables, want) || kinds[ofSpans] == "" {
		t.Errorf("variables %+v, want %+v", dashboard.Variables, want)
	}

	used := map[string]bool{}
	for i, w := range dashboard.Widgets {
		p := w.Properties
		for _, o := range dashboard.Widgets[:i] {
			if (place{w.X, w.Y, w.Width, w.Height}).overlaps(place{o.X, o.Y, o.Width, o.Height}) {
				t.Errorf("%s is over %s", p.Title, o.Properties.Title)
			}
		}
		if w.X+w.Width > 24 || p.Title == "" || p.Region != "us-east-1" {
			t.Errorf("widget %+v", w)
		}
		switch {
		case w.Type == "log" && p.View == "table":
			var name, by string
			if m := regexp.MustCompile(`point\.metric = "(.*?)".* by (.*) \|`).FindStringSubmatch(p.Query); m != nil {
				name, by = m[1], m[2]
			}
			if want := pointsQuery(function, name, kinds[name], by); p.Query != want {
				t.Errorf("%s: got\n%s\nwant\n%s", p.Title, p.Query, want)
			}
			for field := range strings.SplitSeq(by, ", ") {
				if label, ok := strings.CutPrefix(field, "point.attributes."); !ok || !slices.Contains(labels, label) {
					t.Errorf("%s: no attribute is called %q", p.Title, field)
				}
			}
			used[name] = true
		case w.Type == "metric" && p.View == "timeSeries" && p.Period == 60:
			for _, m := range p.Metrics {
				if len(m) != 5 || m[0] != "Seawall" || m[2] != "service.name" || m[3] != function {
					t.Errorf("%s: %v", p.Title, m)
					continue
				}
				name, stat := fmt.Sprint(m[1]), m[4].(map[string]any)["stat"].(string)
				if fit := stats[kinds[name]]; !slices.Contains(strings.Fields(fit), stat) {
					t.Errorf("%s: the %s of %s, which is a %q", p.Title, stat, name, kinds[name])
				}
				if name == ofSpans {
					t.Errorf("%s: %s is that of all Spans, and mixes attempts with invocations", p.Title, name)
				}
				used[name] = true
			}
		default:
			t.Errorf("%s is a %s by %d s in a %q", p.Title, p.View, p.Period, w.Type)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		if !used[name] {
			t.Errorf("%s is on no widget", name)
		}
	}
}

// pointsQuery is the query for the points of a metric, in the log of a function.
func pointsQuery(function, metric, kind, by string) string {
	totals := map[string]string{
		"counter":   "sum(point.value) as calls",
		"histogram": "sum(point.count) as calls, sum(point.sum) / sum(point.count) as mean, max(point.max) as longest",
	}[kind]
	return "SOURCE '/aws/lambda/" + function + "' | fields jsonParse(@message) as line | unnest line._points into point | " +
		`filter point.metric = "` + metric + `" | stats ` + totals + " by " + by + " | sort calls desc"
}

// What pointsQuery and the metrics of cloudwatch.json want of a line is in those that package emf writes.
func TestCloudWatchLine(t *testing.T) {
	var written bytes.Buffer
	provider := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(emf.New(emf.Config{Writer: &written}))),
		sdkmetric.WithResource(resource.NewSchemaless(attribute.String("service.name", "checkout"))))
	counter, _ := provider.Meter("test").Int64Counter("counter")
	histogram, _ := provider.Meter("test").Float64Histogram("histogram")
	name := metric.WithAttributes(attribute.String("call.name", "pay"))
	counter.Add(t.Context(), 1, name)
	histogram.Record(t.Context(), 1, name)
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	var line struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
			}
		} `json:"_aws"`
		Points []map[string]any `json:"_points"`
	}
	if err := json.Unmarshal(written.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(line.AWS.CloudWatchMetrics); got != "[{Seawall [[service.name]]}]" || len(line.Points) != 2 {
		t.Errorf("metrics %s, %d points", got, len(line.Points))
	}
	for _, point := range line.Points {
		kind := fmt.Sprint(point["metric"])
		query := pointsQuery("checkout", kind, kind, "point.attributes.call_name")
		for _, field := range regexp.MustCompile(`point\.([a-z]+)`).FindAllStringSubmatch(query, -1) {
			if point[field[1]] == nil {
				t.Errorf("no %s is in %v", field[1], point)
			}
		}
		if got := fmt.Sprint(point["attributes"]); got != "map[call_name:pay]" {
			t.Errorf("attributes %s", got)
		}
	}
}

// read reads a dashboard, and returns its text too.
func read(t *testing.T, file string, v any) string {
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(file, err)
	}
	return string(text)
}
