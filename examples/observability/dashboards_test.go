package main

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
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

// Each metric of the dashboard is an instrument and used as its kind wants, each label is an attribute, and each
// instrument is on the dashboard.
func TestGrafana(t *testing.T) {
	table, text := documented(t)
	kinds := map[string]string{} // by series
	for _, i := range table {
		switch name := i.prometheus(); i.kind {
		case "histogram":
			kinds[name+"_bucket"], kinds[name+"_count"] = "histogram", "counter"
		default:
			kinds[name] = i.kind
		}
	}
	labels := append(labels(text), "job", "instance", "le")

	var dashboard struct {
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos place
			Targets []struct{ Expr, LegendFormat string }
		}
		Annotations struct{ List []struct{ Expr string } }
	}
	read(t, "grafana.json", &dashboard)
	var exprs []string
	for i, p := range dashboard.Panels {
		for _, q := range dashboard.Panels[:i] {
			if p.GridPos.overlaps(q.GridPos) {
				t.Errorf("%s is over %s", p.Title, q.Title)
			}
		}
		if p.ID != i+1 || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 || (p.Type != "row") != (len(p.Targets) > 0) {
			t.Errorf("panel %+v", p)
		}
		for _, target := range p.Targets {
			exprs = append(exprs, target.Expr)
			for _, label := range regexp.MustCompile(`{{(.*?)}}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !regexp.MustCompile(`by \([^)]*\b` + label[1] + `\b`).MatchString(target.Expr) {
					t.Errorf("%s: nothing is by %s", p.Title, label[1])
				}
			}
		}
	}
	for _, a := range dashboard.Annotations.List {
		exprs = append(exprs, a.Expr)
	}
	used := map[string]bool{}
	for _, expr := range exprs {
		rest, named := withoutLabels(expr)
		for _, label := range named {
			if !slices.Contains(labels, label) {
				t.Errorf("%s: no attribute is called %s", expr, label)
			}
		}
		names := slices.Compact(regexp.MustCompile(`\b(seawall|faas|http)_[a-z_]+`).FindAllString(rest, -1))
		if len(names) != 1 {
			t.Errorf("%s: metrics %q, want one", expr, names)
			continue
		}
		kind, ok := kinds[names[0]]
		counted := strings.Contains(rest, "rate(") || strings.Contains(rest, "increase(")
		if !ok || counted != (kind == "counter" || kind == "histogram") || strings.Contains(rest, "histogram_quantile(") != (kind == "histogram") {
			t.Errorf("%s: %s is a %q", expr, names[0], kind)
		}
		if strings.Contains(expr, "increase(") && !seesTheFirst(expr) {
			t.Errorf("%s: the first point of a series is not counted", expr)
		}
		used[strings.TrimSuffix(strings.TrimSuffix(names[0], "_bucket"), "_count")] = true
	}
	for _, i := range table {
		if !used[i.prometheus()] {
			t.Errorf("%s is on no panel", i.name)
		}
	}
}

// seesTheFirst reports whether the expression counts a series that is new as a whole, of which increase sees only what
// comes after its first point: of a process that lives for one opening of a breaker, nothing, and never a cold start.
func seesTheFirst(expr string) bool {
	series := regexp.MustCompile(`increase\((.*?)\[`).FindStringSubmatch(expr)[1]
	return strings.Contains(expr, "(("+series+" unless last_over_time("+series+"[1h] offset $__rate_interval)) or increase("+series+"[$__rate_interval]))")
}

// withoutLabels takes matchers and groupings out of an expression, and returns the labels they name.
func withoutLabels(expr string) (rest string, labels []string) {
	clause := regexp.MustCompile(`by \([^)]*\)|{[^}]*}`)
	for _, c := range clause.FindAllString(expr, -1) {
		c = regexp.MustCompile(`"[^"]*"`).ReplaceAllString(strings.TrimPrefix(c, "by "), "")
		labels = append(labels, regexp.MustCompile(`[a-z_]+`).FindAllString(c, -1)...)
	}
	return clause.ReplaceAllString(expr, ""), labels
}

// A place is that of a panel.
type place struct{ X, Y, W, H int }

func (a place) overlaps(b place) bool {
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

func TestCloudWatch(t *testing.T) {
	table, text := documented(t)
	labels := labels(text)
	kinds := map[string]string{}
	for _, i := range table {
		kinds[i.name] = i.kind
	}
	stats := map[string]string{"counter": "Sum", "up-down": "Maximum", "gauge": "Maximum", "histogram": "SampleCount Minimum p10 p50 p99"}
	fields := map[string][]string{"counter": {"value"}, "histogram": {"count", "sum", "min", "max"}} // of a point, by kind
	var dashboard struct {
		Widgets []struct {
			Type       string
			X, Y       int
			Width      int
			Height     int
			Properties struct {
				Title, Query string
				Metrics      [][]any
			}
		}
	}
	read(t, "cloudwatch.json", &dashboard)
	used := map[string]bool{}
	for i, w := range dashboard.Widgets {
		for _, o := range dashboard.Widgets[:i] {
			if (place{w.X, w.Y, w.Width, w.Height}).overlaps(place{o.X, o.Y, o.Width, o.Height}) {
				t.Errorf("%s is over %s", w.Properties.Title, o.Properties.Title)
			}
		}
		if w.X+w.Width > 24 || w.Properties.Title == "" {
			t.Errorf("widget %+v", w)
		}
		if w.Type == "log" {
			name := regexp.MustCompile(`point.metric = "([^"]*)"`).FindStringSubmatch(w.Properties.Query)
			if name == nil || fields[kinds[name[1]]] == nil {
				t.Errorf("%s: %q is neither a counter nor a histogram", w.Properties.Title, name)
				continue
			}
			used[name[1]] = true
			for _, field := range regexp.MustCompile(`point\.(\w+)\)`).FindAllStringSubmatch(w.Properties.Query, -1) {
				if !slices.Contains(fields[kinds[name[1]]], field[1]) {
					t.Errorf("%s: a point of %s has no %s", w.Properties.Title, name[1], field[1])
				}
			}
			by := regexp.MustCompile(`attributes\.(\w+)`).FindAllStringSubmatch(w.Properties.Query, -1)
			for _, label := range by {
				if !slices.Contains(labels, label[1]) {
					t.Errorf("%s: no attribute is called %s", w.Properties.Title, label[1])
				}
			}
			if len(by) == 0 {
				t.Errorf("%s: by nothing", w.Properties.Title)
			}
			continue
		}
		for _, m := range w.Properties.Metrics {
			// As package emf writes them: its namespace, the name, and its only dimension.
			if len(m) != 5 || m[0] != "Seawall" || m[2] != "service.name" {
				t.Errorf("%s: %v", w.Properties.Title, m)
				continue
			}
			name, stat := fmt.Sprint(m[1]), m[4].(map[string]any)["stat"].(string)
			if fit := stats[kinds[name]]; !slices.Contains(strings.Fields(fit), stat) {
				t.Errorf("%s: the %s of %s, which is a %q", w.Properties.Title, stat, name, kinds[name])
			}
			if name == "seawall.call.duration" {
				t.Errorf("%s: %s is that of all Spans, and mixes attempts with invocations", w.Properties.Title, name)
			}
			used[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		if !used[name] {
			t.Errorf("%s is on no widget", name)
		}
	}
}

func read(t *testing.T, file string, v any) {
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(file, err)
	}
}
