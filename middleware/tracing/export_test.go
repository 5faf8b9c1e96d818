package tracing

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/internal/event"
)

// An Instrument is a row of the table, for tests.
type Instrument struct {
	Name, Kind, Unit, Text string
	Attributes             []string
	Event                  event.Kind
}

func Table() (rows []Instrument) {
	for _, row := range table() {
		i := Instrument{Name: row.name, Kind: row.kind, Unit: row.unit, Text: row.text, Event: row.event}
		for _, key := range row.attributes {
			i.Attributes = append(i.Attributes, string(key))
		}
		rows = append(rows, i)
	}
	return rows
}

// FreshProcess makes the next invocation the first.
func FreshProcess() { warm.Store(false) }

// Seen is how many invocations are kept.
func Seen() (n int) {
	seen.Range(func(any, any) bool {
		n++
		return true
	})
	return n
}

func ParseXRay(header string) trace.SpanContext { return parseXRay(header) }

func ErrorType(err error) string { return errorType(err) }

const MostSets = mostSets

// Sets is how many sets of attributes the span's instruments keep.
func (s Span) Sets() int {
	sets := &s.series().sets
	sets.mu.RLock()
	defer sets.mu.RUnlock()
	return len(sets.set)
}

// Read is what is read where so many are in flight and were at once.
func Read(inFlight, peak int64) (read int64, called bool) {
	var c calls
	c.read()
	c.inFlight.Store(inFlight)
	c.peak.Store(peak)
	_, read, called = c.read()
	return read, called
}
