package breaker_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/wall"
)

// A model is what a breaker should be: lists of what happened, gone through from the start at every question.
type model struct {
	breaker.Config

	state   breaker.State
	stay    int // grows with every change of state
	inARow  int
	calls   []modelCall
	openFor time.Duration
	until   time.Time
	places  int // taken by probes under way or successful
	good    int
	lastLet time.Time
}

type modelCall struct {
	at     time.Time
	failed bool
}

func (m *model) turn(state breaker.State) {
	m.state, m.stay = state, m.stay+1
	m.inARow, m.calls, m.places, m.good = 0, nil, 0, 0
}

// open asks the breaker for how long it will be: that is random.
func (m *model) open(t *rapid.T, b *breaker.Breaker, now time.Time) {
	if m.state == breaker.Closed {
		m.openFor = m.OpenFor
	} else {
		m.openFor = min(2*m.openFor, m.MaxOpenFor)
	}
	m.turn(breaker.Open)
	var open *breaker.OpenError
	if err := b.Do(context.Background(), succeed); !errors.As(err, &open) {
		t.Fatalf("it has just opened, and Do = %v", err)
	}
	wait := open.RetryAfter()
	if wait < m.openFor || wait > m.openFor+m.openFor/2 {
		t.Fatalf("it stays open for %v, want %v and up to a half more", wait, m.openFor)
	}
	m.until = now.Add(wait)
}

// enter reports whether a call that comes now is made, and whether it finds that a probe hangs.
func (m *model) enter(now time.Time) (made, hung bool) {
	switch {
	case m.state == breaker.Closed:
		return true, false
	case m.state == breaker.Open && now.Before(m.until):
		return false, false
	case m.state == breaker.Open:
		m.turn(breaker.HalfOpen)
	case m.places == m.Probes:
		return false, now.Sub(m.lastLet) >= m.ProbeTimeout
	}
	m.places++
	m.lastLet = now
	return true, false
}

// end counts a call that was made during stay, and reports whether that opens the breaker.
func (m *model) end(now time.Time, stay int, outcome breaker.Outcome) (opens bool) {
	switch {
	case stay != m.stay:
	case m.state == breaker.HalfOpen && outcome == breaker.Ignore:
		m.places--
	case outcome == breaker.Ignore:
	case m.state == breaker.HalfOpen && outcome == breaker.Success:
		if m.good++; m.good == m.Probes {
			m.turn(breaker.Closed)
		}
	case m.state == breaker.HalfOpen:
		return true
	default:
		m.calls = append(m.calls, modelCall{now, outcome == breaker.Failure})
		if outcome == breaker.Success {
			m.inARow = 0
			return false
		}
		m.inARow++
		return m.Failures > 0 && m.inARow >= m.Failures || m.Ratio > 0 && m.tooMany(now)
	}
	return false
}

func (m *model) tooMany(now time.Time) bool {
	tenth := func(t time.Time) int64 { return t.UnixNano() / int64(m.Window/10) }
	calls, failed := 0, 0
	for _, c := range m.calls {
		if tenth(now)-tenth(c.at) < 10 {
			calls++
			if c.failed {
				failed++
			}
		}
	}
	return calls >= m.MinCalls && float64(failed)/float64(calls) >= m.Ratio
}

func TestModel(t *testing.T) {
	type ending struct {
		outcome breaker.Outcome
		end     func() error
		cancel  bool
	}
	endings := map[string]ending{
		"succeed": {outcome: breaker.Success, end: func() error { return nil }},
		"fail":    {outcome: breaker.Failure, end: func() error { return errDown }},
		"panic":   {outcome: breaker.Failure, end: func() error { panic("boom") }},
		"exit":    {outcome: breaker.Failure, end: exit},
		"cancel":  {outcome: breaker.Ignore, end: func() error { return context.Canceled }, cancel: true},
		"refuse":  {outcome: breaker.Ignore, end: func() error { return &breaker.OpenError{} }},
	}
	type underWay struct {
		*running

		stay  int
		began time.Time
	}
	durations := func(t *rapid.T) time.Duration {
		return rapid.SampledFrom([]time.Duration{
			0, 1, 100 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second, time.Minute,
		}).Draw(t, "time")
	}

	property := func(t *rapid.T) {
		config := breaker.Config{
			Failures:     rapid.SampledFrom([]int{-1, 1, 2, 3}).Draw(t, "Failures"),
			Ratio:        rapid.SampledFrom([]float64{0.3, 0.5, 1, -1}).Draw(t, "Ratio"),
			MinCalls:     rapid.IntRange(1, 6).Draw(t, "MinCalls"),
			Window:       10 * time.Second,
			OpenFor:      time.Second,
			MaxOpenFor:   rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second}).Draw(t, "MaxOpenFor"),
			Probes:       rapid.IntRange(1, 3).Draw(t, "Probes"),
			ProbeTimeout: 3 * time.Second,
			Slow:         rapid.SampledFrom([]time.Duration{0, 2 * time.Second}).Draw(t, "Slow"),
		}
		if config.Failures < 0 && config.Ratio < 0 {
			config.Failures = 4
		}
		b, m := breaker.New(config), &model{Config: config, state: breaker.Closed}

		frozen := time.Duration(0)
		now := func() time.Time { return time.Now().Add(frozen) }
		var calls []underWay
		t.Cleanup(func() {
			for _, c := range calls {
				_ = c.finish(nil)
			}
		})

		begin := func(t *rapid.T) {
			at := now()
			made, hung := m.enter(at)
			c := underWay{running: start(b), stay: m.stay}
			if !c.made.Load() && len(c.err) == 0 {
				time.Sleep(2 * time.Nanosecond) // the machine needs a tick after a freeze
				synctest.Wait()
				m.lastLet = now()
			}
			c.began = time.Now()
			if c.made.Load() != made {
				t.Fatalf("the call was made: %v, want %v", c.made.Load(), made)
			}
			if hung {
				m.open(t, b, at)
			}
			if made {
				calls = append(calls, c)
			} else if err := <-c.err; !errors.Is(err, breaker.ErrOpen) {
				t.Fatalf("refused with %v", err)
			}
		}
		finish := func(t *rapid.T, i int) {
			how := rapid.SampledFrom(slices.Sorted(maps.Keys(endings))).Draw(t, "ending")
			c, e := calls[i], endings[how]
			calls = slices.Delete(calls, i, i+1)
			outcome := e.outcome
			if outcome == breaker.Success && config.Slow > 0 && time.Since(c.began) > config.Slow {
				outcome = breaker.Failure
			}
			opens := m.end(now(), c.stay, outcome)
			if e.cancel {
				c.cancel()
			}
			_ = c.finishBy(e.end)
			if opens {
				m.open(t, b, now())
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				state := m.state
				if state == breaker.Open && !now().Before(m.until) {
					state = breaker.HalfOpen
				}
				if got := b.State(); got != state {
					t.Fatalf("it is %s, want %s", got, state)
				}
			},
			"begin": begin,
			"call": func(t *rapid.T) {
				n := len(calls)
				begin(t)
				if len(calls) > n {
					finish(t, n)
				}
			},
			"finish": func(t *rapid.T) {
				if len(calls) == 0 {
					t.Skip("no call is under way")
				}
				finish(t, rapid.IntRange(0, len(calls)-1).Draw(t, "call"))
			},
			"sleep": func(t *rapid.T) { time.Sleep(durations(t)) },
			"freeze": func(t *rapid.T) {
				d := durations(t)
				t.Cleanup(wall.Freeze(d))
				frozen += d
			},
		})
	}
	rapid.Check(t, func(t *rapid.T) { rapid.SyncTest(t, property) })
}
