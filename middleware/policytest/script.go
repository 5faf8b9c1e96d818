package policytest

import (
	"context"
	"sync"
	"time"
)

// A Step is how a [Script] answers one call. The zero Step is a success at once.
type Step struct {
	Takes time.Duration // how long the call takes; it ends sooner, with ctx's error, if ctx does
	Deaf  bool          // the call does not look at its ctx
	Err   error         // what it returns
	Panic any           // what it panics with, if not nil
}

// A Script is a downstream that answers as it is told, call by call, and remembers when it was called. It is safe for
// concurrent use. Inside a [testing/synctest] bubble its times are exact.
type Script struct {
	steps []Step

	mu    sync.Mutex
	calls int
	ended time.Time
	waits []time.Duration
}

// NewScript returns a Script of steps. The last one answers all further calls too; with none, every call succeeds.
func NewScript(steps ...Step) *Script { return &Script{steps: steps} }

// Fail is a script whose first n calls fail with err and whose others succeed.
func Fail(n int, err error) *Script {
	steps := make([]Step, n+1)
	for i := range n {
		steps[i].Err = err
	}
	return NewScript(steps...)
}

// Call answers the next call. It is what a test passes to Do.
func (s *Script) Call(ctx context.Context) error {
	step := s.begin()
	defer s.end()
	if step.Takes > 0 {
		if err := step.wait(ctx); err != nil {
			return err
		}
	}
	if step.Panic != nil {
		panic(step.Panic)
	}
	return step.Err
}

// Calls is how many calls there were.
func (s *Script) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Waits are the times between the end of each call and the beginning of the next.
func (s *Script) Waits() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Duration(nil), s.waits...)
}

func (s *Script) begin() Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended.IsZero() {
		s.waits = append(s.waits, time.Since(s.ended))
	}
	s.calls++
	if len(s.steps) == 0 {
		return Step{}
	}
	return s.steps[min(s.calls, len(s.steps))-1]
}

func (s *Script) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = time.Now()
}

func (s Step) wait(ctx context.Context) error {
	if s.Deaf {
		ctx = context.WithoutCancel(ctx)
	}
	timer := time.NewTimer(s.Takes)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
