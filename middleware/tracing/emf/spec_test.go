package emf_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A document is a line, after it was checked.
type document struct {
	timestamp  int64
	namespace  string
	dimensions [][]string
	units      map[string]string          // by metric
	metrics    map[string]target          // by name
	members    map[string]json.RawMessage // all
	points     []map[string]any
}

// A target is what a metric refers to.
type target struct {
	values []float64
	counts []float64
	stats  map[string]float64 // Max, Min, Count, Sum
}

func (t target) sum() (sum float64) {
	if t.stats != nil {
		return t.stats["Sum"]
	}
	for _, v := range t.values {
		sum += v
	}
	return sum
}

var namespacePattern = regexp.MustCompile(`^ *[0-9A-Za-z._#/-][0-9A-Za-z ._#:/-]*$`)

var dimensionPattern = regexp.MustCompile(`^ *[!-~][ -~]*$`)

var unitPattern = regexp.MustCompile(`^(Seconds|Microseconds|Milliseconds|Bytes|Kilobytes|Megabytes|Gigabytes|Terabytes|Bits|Kilobits|Megabits|Gigabits|Terabits|Percent|Count|Bytes/Second|Kilobytes/Second|Megabytes/Second|Gigabytes/Second|Terabytes/Second|Bits/Second|Kilobits/Second|Megabits/Second|Gigabits/Second|Terabits/Second|Count/Second|None)$`)

const maxLine = 256<<10 - 26

// parse reads a line, and says what is wrong with it by the specification of the format, by the limits of CloudWatch
// Logs (256 KB for an event with its header of 26 bytes) and by those of CloudWatch's MetricDatum.
func parse(line []byte) (d document, err error) {
	wrong := func(format string, args ...any) (document, error) {
		return d, fmt.Errorf("%s in %.300s", fmt.Sprintf(format, args...), line)
	}
	if len(line) > maxLine {
		return wrong("%d bytes", len(line))
	}
	if i := bytes.IndexByte(line, '\n'); i != len(line)-1 {
		return wrong("a line break at %d of %d", i, len(line))
	}
	root, err := object(line)
	if err != nil {
		return wrong("%v", err)
	}
	d.members = root
	meta, err := object(root["_aws"])
	if err != nil || len(meta) != 2 {
		return wrong("metadata: %v, %d members", err, len(meta))
	}
	if json.Unmarshal(meta["Timestamp"], &d.timestamp) != nil || d.timestamp <= 0 {
		return wrong("timestamp %s", meta["Timestamp"])
	}
	var directives []json.RawMessage
	if json.Unmarshal(meta["CloudWatchMetrics"], &directives) != nil || len(directives) != 1 {
		return wrong("%d directives, want one", len(directives))
	}
	if err := d.direct(directives[0]); err != nil {
		return wrong("directive: %v", err)
	}
	if points, ok := root["_points"]; ok {
		if json.Unmarshal(points, &d.points) != nil || len(d.points) == 0 {
			return wrong("points %.100s", points)
		}
	}
	return d, nil
}

// direct reads the directive, and what it refers to.
func (d *document) direct(text []byte) error {
	directive, err := object(text)
	if err != nil || len(directive) != 3 {
		return fmt.Errorf("%w, %d members", err, len(directive))
	}
	if json.Unmarshal(directive["Namespace"], &d.namespace) != nil || len(d.namespace) > 255 || strings.HasPrefix(d.namespace, "AWS/") || !namespacePattern.MatchString(d.namespace) {
		return fmt.Errorf("namespace %q", d.namespace)
	}
	if json.Unmarshal(directive["Dimensions"], &d.dimensions) != nil || len(d.dimensions) < 1 {
		return fmt.Errorf("dimensions %s", directive["Dimensions"])
	}
	for _, set := range d.dimensions {
		if len(set) > 30 || set == nil {
			return fmt.Errorf("%d dimensions", len(set))
		}
		for i, name := range set {
			var value string
			if len(name) > 255 || name == "" || name[0] == ':' || !dimensionPattern.MatchString(name) || slices.Contains(set[:i], name) {
				return fmt.Errorf("dimension %q", name)
			}
			if json.Unmarshal(d.members[name], &value) != nil || len(value) > 1024 || !dimensionPattern.MatchString(value) {
				return fmt.Errorf("dimension %s is %.100q", name, d.members[name])
			}
		}
	}
	return d.define(directive["Metrics"])
}

// define reads the definitions of metrics, and the metrics.
func (d *document) define(text []byte) error {
	var metrics []json.RawMessage
	if json.Unmarshal(text, &metrics) != nil || metrics == nil || len(metrics) > 100 {
		return fmt.Errorf("%d metrics", len(metrics))
	}
	d.metrics, d.units = map[string]target{}, map[string]string{}
	for _, m := range metrics {
		definition, err := object(m)
		var name, unit string
		if err != nil || len(definition) != 2 || json.Unmarshal(definition["Name"], &name) != nil || json.Unmarshal(definition["Unit"], &unit) != nil {
			return fmt.Errorf("metric: %w %s", err, m)
		}
		if _, twice := d.metrics[name]; twice || len(name) < 1 || len(name) > 255 || !unitPattern.MatchString(unit) {
			return fmt.Errorf("metric %.300q, unit %q", name, unit)
		}
		if d.metrics[name], err = targetOf(d.members[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		d.units[name] = unit
	}
	return nil
}

// object reads an object that has each of its members once.
func object(text []byte) (map[string]json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); token != json.Delim('{') {
		return nil, fmt.Errorf("%v is no object: %w", token, err)
	}
	members := map[string]json.RawMessage{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		if _, twice := members[name.(string)]; twice {
			return nil, fmt.Errorf("%s is there twice", name)
		}
		members[name.(string)] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, fmt.Errorf("something follows")
	}
	return members, nil
}

// targetOf reads what a metric refers to: a number, up to 100 numbers, or, as AWS's own collector writes histograms and
// CloudWatch takes them though the specification is silent, up to 100 values with their counts.
func targetOf(text []byte) (t target, err error) {
	var one float64
	if json.Unmarshal(text, &one) == nil {
		t.values = []float64{one}
	} else if json.Unmarshal(text, &t.values) != nil {
		var h map[string]json.RawMessage
		if h, err = object(text); err != nil || len(h) != 6 {
			return t, fmt.Errorf("%w: neither numbers nor statistics: %.100s", err, text)
		}
		if json.Unmarshal(h["Values"], &t.values) != nil || json.Unmarshal(h["Counts"], &t.counts) != nil || len(t.values) != len(t.counts) {
			return t, fmt.Errorf("%d values with %d counts", len(t.values), len(t.counts))
		}
		t.stats = map[string]float64{}
		for _, name := range []string{"Max", "Min", "Count", "Sum"} {
			var v float64
			if err := json.Unmarshal(h[name], &v); err != nil {
				return t, err
			}
			t.stats[name] = v
		}
	}
	if len(t.values) < 1 || len(t.values) > 100 {
		return t, fmt.Errorf("%d values", len(t.values))
	}
	for _, v := range t.values {
		if math.Abs(v) > math.Pow(2, 360) {
			return t, fmt.Errorf("value %v", v)
		}
	}
	if t.stats == nil {
		return t, nil
	}
	count, sum, scale := 0.0, 0.0, 0.0
	for i, v := range t.values {
		count += t.counts[i]
		sum += v * t.counts[i]
		scale += math.Abs(v) * t.counts[i]
		if t.counts[i] < 1 || v < t.stats["Min"] || v > t.stats["Max"] || i > 0 && v < t.values[i-1] {
			return t, fmt.Errorf("value %v, %v times, in %s", v, t.counts[i], text)
		}
	}
	if t.values[0] != t.stats["Min"] || t.values[len(t.values)-1] != t.stats["Max"] || count != t.stats["Count"] || math.Abs(sum-t.stats["Sum"]) > 1e-9*scale {
		return t, fmt.Errorf("the values are %v times and add up to %v in %s", count, sum, text)
	}
	return t, nil
}

// The checker itself sees what is wrong.
func TestParse(t *testing.T) {
	const good = `{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"N","Dimensions":[["d"]],"Metrics":[{"Name":"m","Unit":"Count"}]}]},"d":"x","m":1}` + "\n"
	if _, err := parse([]byte(good)); err != nil {
		t.Error(err)
	}
	for _, change := range [][2]string{
		{"\n", ""},
		{`"m":1}`, `"m":1}{}`},
		{`"m":1`, `"m":1,"m":1`},
		{`"m":1`, `"m":"1"`},
		{`"m":1`, `"n":1`},
		{`"m":1`, `"m":[]`},
		{`"m":1`, `"m":1e200`},
		{`"m":1`, `"m":{"Values":[1,2],"Counts":[1],"Max":2,"Min":1,"Count":2,"Sum":3}`},
		{`"m":1`, `"m":{"Values":[1,2],"Counts":[1,1],"Max":2,"Min":1,"Count":2,"Sum":4}`},
		{`"m":1`, `"m":{"Values":[1,2],"Counts":[1,1],"Max":2,"Min":1,"Count":3,"Sum":3}`},
		{`"d":"x"`, `"d":1`},
		{`"d":"x"`, `"d":" "`},
		{`"d":"x"`, `"d":"ä"`},
		{`"N"`, `""`},
		{`"N"`, `" "`},
		{`"N"`, `":N"`},
		{`"N"`, `"N!"`},
		{`"N"`, `"AWS/N"`},
		{`["d"]`, `[":d"]`},
		{`[["d"]]`, `[]`},
		{`[["d"]]`, `[["e"]]`},
		{`"Count"}`, `"Counts"}`},
		{`"Timestamp":1`, `"Timestamp":"1"`},
		{`"Timestamp":1,`, ``},
	} {
		bad := bytes.Replace([]byte(good), []byte(change[0]), []byte(change[1]), 1)
		if _, err := parse(bad); err == nil {
			t.Errorf("nothing is wrong with %s", bad)
		}
	}
}
