package emf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Members of a line that are neither metrics nor dimensions. The names of instruments begin with a letter.
const (
	keyMeta   = "_aws"
	keyPoints = "_points"
)

type metadata struct {
	Timestamp         int64
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct {
	Name string
	Unit string `json:",omitempty"`
}

// statistics is a histogram as AWS's own collector writes it; the specification of the format has yet to say so.
type statistics struct {
	Values []float64
	Counts []uint64
	Max    float64
	Min    float64
	Count  uint64
	Sum    float64
}

// A line is one on its way to be written.
type line struct {
	at      time.Time
	base    map[string]any // the dimensions
	sets    [][]string
	metrics []definition
	members map[string]json.RawMessage
	points  []json.RawMessage
	size    int // at least what it will be, in bytes
}

// lines is what is to be written of a group.
func (c *collection) lines(g *group, now time.Time) (written [][]byte) {
	open := c.open(g, now)
	flush := func() {
		if len(open.metrics)+len(open.points) > 0 {
			written = append(written, open.encode(c.exporter.namespace))
		}
		open = c.open(g, now)
	}
	waiting := g.series
	for len(waiting) > 0 {
		var again []*series // whose names are taken
		for _, s := range waiting {
			if _, taken := open.members[s.name]; taken {
				again = append(again, s)
				continue
			}
			value, err := s.encode()
			if err != nil {
				c.errs = append(c.errs, fmt.Errorf("emf: %s: %w; left out", s.name, err))
				continue
			}
			if len(open.metrics) == maxMetrics || open.size+open.metricSize(s, value) > maxLine {
				flush()
			}
			open.size += open.metricSize(s, value)
			open.metrics = append(open.metrics, definition{s.name, s.unit})
			open.members[s.name] = value
		}
		if waiting = again; len(again) > 0 {
			flush()
		}
	}
	for _, s := range g.series {
		texts := make([]json.RawMessage, len(s.points))
		for i, p := range s.points {
			texts[i] = encode(p)
		}
		slices.SortFunc(texts, func(a, b json.RawMessage) int { return bytes.Compare(a, b) }) // the SDK has them in any order
		for _, text := range texts {
			if open.size+len(text)+1 > maxLine {
				flush()
			}
			if open.size+len(text)+1 > maxLine {
				c.errs = append(c.errs, fmt.Errorf("emf: %s: a point with attributes of %d bytes; left out of %s", s.name, len(text), keyPoints))
				continue
			}
			open.size += len(text) + 1
			open.points = append(open.points, text)
		}
	}
	flush()
	return written
}

// open begins a line.
func (c *collection) open(g *group, now time.Time) *line {
	l := &line{at: now, base: make(map[string]any), members: make(map[string]json.RawMessage)}
	first, all := []string{}, []string{}
	for i, d := range c.exporter.dimensions {
		if g.values[i] == "" {
			continue
		}
		l.base[d] = g.values[i]
		all = append(all, d)
		if i == 0 {
			first = append(first, d)
		}
	}
	l.sets = append(l.sets, first)
	if len(all) > len(first) {
		l.sets = append(l.sets, all)
	}
	l.size = len(l.encode(c.exporter.namespace)) + len(`,"_points":[]`)
	return l
}

// metricSize is how much longer a metric makes the line.
func (l *line) metricSize(s *series, value json.RawMessage) int {
	return len(encode(definition{s.name, s.unit})) + len(encode(s.name)) + len(value) + len(`,,:`)
}

// encode is the line, with its break.
func (l *line) encode(namespace string) []byte {
	root := make(map[string]any, len(l.base)+len(l.members)+2)
	maps.Copy(root, l.base)
	for name, value := range l.members {
		root[name] = value
	}
	metrics := l.metrics
	if metrics == nil {
		metrics = []definition{}
	}
	root[keyMeta] = metadata{l.at.UnixMilli(), []directive{{namespace, l.sets, metrics}}}
	if len(l.points) > 0 {
		root[keyPoints] = l.points
	}
	return append(encode(root), '\n')
}

// encode is the value of the metric.
func (s *series) encode() (json.RawMessage, error) {
	d := &s.joined
	if s.kind == counter || s.kind == upDown {
		if !fits(s.total) {
			return nil, errValue
		}
		return encode(s.total), nil
	}
	if !fits(d.sum) {
		return nil, errValue
	}
	if s.kind == gauge && d.count <= maxValues {
		values := make([]float64, len(d.samples))
		for i, sample := range d.samples {
			values[i] = sample.value
		}
		slices.Sort(values)
		if len(values) == 1 {
			return encode(values[0]), nil
		}
		return encode(values), nil
	}
	d.thin(maxValues)
	stats := statistics{Max: d.max, Min: d.min, Count: d.count, Sum: d.sum}
	for _, sample := range d.samples {
		stats.Values = append(stats.Values, sample.value)
		stats.Counts = append(stats.Counts, sample.count)
	}
	return encode(stats), nil
}

// encode is v in JSON. All that comes here can be encoded.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic("emf: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
