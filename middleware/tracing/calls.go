package tracing

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seawall-go/seawall/internal/wall"
)

// calls are those of one name, by all spans with one MeterProvider.
type calls struct {
	name       string
	attributes metric.MeasurementOption
	success    []metric.RecordOption // the attributes of a call that succeeded

	inFlight atomic.Int64
	peak     atomic.Int64 // since it was last read
	called   atomic.Bool  // since it was last read

	mu   sync.Mutex
	last reading
}

// A reading is what was read from calls. It stands for a while, so that several readers who read together see the same;
// what they read is in it and does not come again.
type reading struct {
	at     wall.Instant
	peak   int64
	called bool
}

const readingStands = time.Second

// callsOf are the calls of that name, which is one of a few.
func (i *instruments) callsOf(name string) *calls {
	if c, ok := i.calls.Load(name); ok {
		return c.(*calls)
	}
	attributes := metric.WithAttributeSet(attribute.NewSet(keyCall.String(text(name))))
	c, _ := i.calls.LoadOrStore(name, &calls{name: name, attributes: attributes, success: []metric.RecordOption{attributes}})
	return c.(*calls)
}

// read reports how many calls of each name there are, and were at once.
func (i *instruments) read(_ context.Context, to metric.Observer) error {
	i.heard.Store(true)
	i.calls.Range(func(_, c any) bool {
		if n, peak, called := c.(*calls).read(); called {
			to.ObserveInt64(i.inFlight, n, c.(*calls).attributes)
			to.ObserveInt64(i.peak, peak, c.(*calls).attributes)
		}
		return true
	})
	return nil
}

func (c *calls) read() (n, peak int64, called bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := wall.Now(); now.Since(c.last.at) >= readingStands {
		c.last = reading{at: now}
	}
	n = c.inFlight.Load()
	c.last.peak = max(c.last.peak, c.peak.Swap(n), n)
	c.last.called = c.called.Swap(n > 0) || n > 0 || c.last.called
	return n, c.last.peak, c.last.called
}

func (c *calls) begin() {
	n := c.inFlight.Add(1)
	for {
		peak := c.peak.Load()
		if n <= peak || c.peak.CompareAndSwap(peak, n) {
			break
		}
	}
	if !c.called.Load() {
		c.called.Store(true)
	}
}

func (c *calls) end() { c.inFlight.Add(-1) }
