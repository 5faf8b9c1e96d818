// Package breaker stops calling a dependency that is down, so that callers get an answer at once and the dependency
// gets a rest.
//
// A [Breaker] is closed at first: it makes every call, and watches how they end. When too many fail it opens, and
// refuses all calls with an [*OpenError], which says when to come back. When its time is over it is half-open: it lets
// a call or a few through as probes. It closes if they succeed, and opens again, for longer, if one fails.
//
// Use [New] for a breaker that all calls to one dependency share, and a [Group] for one breaker per host or tenant. Put
// a breaker inside a retry, so that it sees every attempt.
//
// # What counts
//
// A nil error is a success, every other one is a failure. But
//
//   - it counts for nothing if the caller had cancelled the context given to Do: the dependency had no say;
//   - it counts for nothing if a policy inside refused the call, Refused() true: the dependency was not asked;
//   - Config.Classify may say otherwise of all the rest;
//   - it is a success if the dependency answered that this request was at fault: HTTPStatusCode() from 400 to 499, but for
//     408, 425, 429, and the codes by which AWS services throttle, ErrorCode().
//
// What else is the fault of a request, rather than the dependency's, has to be kept from the breaker, or one caller's
// mistakes open it for all: look at the request before Do, or let Config.Classify say Success. That an error is not to be
// repeated, retry.Permanent, is no excuse: so is one after which nobody knows whether a payment was made.
//
// A call that panics, or ends its goroutine with [runtime.Goexit], is a failure. So is one that takes longer than
// Config.Slow, though it succeeds. A call counts only in the state it began in: one that was slow to fail before the
// breaker opened does not open it again.
//
// The state of a breaker is judged when a call comes, and by a clock that goes on while the process is frozen.
package breaker

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/internal/wall"
)

// A State is what a breaker does with calls.
type State string

// The states of a breaker.
const (
	Closed   State = "closed"    // it makes them
	Open     State = "open"      // it refuses them
	HalfOpen State = "half-open" // it makes a few as probes and refuses the others
)

// A Breaker makes calls, or refuses them while the dependency behind them is down. Use [New] to make one; it is safe
// for use by many goroutines at once.
type Breaker struct {
	config Config
	key    string // in its Group
	phase  atomic.Pointer[phase]

	// The machine has the last word on the state, on who may probe, and on which results still count. But how long it
	// stays open is up to the phase, since the machine's clock may stand still in a freeze: when asked, it is half-open
	// as soon as that clock has moved on.
	machine *gobreaker.TwoStepCircuitBreaker[struct{}]
	window  window // guarded by the machine's lock

	// All that may change the state happens under mu, that is, every result but a success while closed: so a change has
	// one cause. No code of callers runs under it.
	mu      sync.Mutex
	turned  State // what the machine just turned to
	openFor time.Duration
	failed  wall.Instant // the last failure
}

// A phase is one stay in one state: a generation of the machine.
type phase struct {
	state   State
	at      time.Time           // of its beginning, later than that of the phase before; zero for the first
	done    func(verdict error) // takes the results of all calls of this phase; nil while open
	refusal *OpenError          // nil while closed
	cause   error               // of its beginning; nil unless open
	probed  wall.Instant        // when the last probe was let in; guarded by Breaker.mu
}

// New returns a closed Breaker. It panics if config makes no sense.
func New(config Config) *Breaker { return newBreaker(config.resolved(), "") }

func newBreaker(config Config, key string) *Breaker {
	b := &Breaker{config: config, key: key}
	b.window.width = config.Window / buckets
	b.machine = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   uint32(config.Probes),
		Timeout:       1, // 0 would be a minute
		IsExcluded:    ignored,
		IsSuccessful:  b.count,
		ReadyToTrip:   b.tooMany,
		OnStateChange: b.turn,
	})
	b.phase.Store(b.close())
	return b
}

// Do makes the call, or refuses it with an [*OpenError]. Nothing is held while the call runs, and its error comes out
// as it is.
//
// Do does not look at ctx before the call: what to do in a context that has ended is for the call to say.
func (b *Breaker) Do(ctx context.Context, call func(context.Context) error) error {
	p := b.phase.Load()
	before := p
	if p.state != Closed {
		var refusal *OpenError
		if before, p, refusal = b.probe(ctx, p); refusal != nil {
			return refusal
		}
	}
	verdict := errLost
	defer func() { b.book(ctx, p, verdict) }()
	if p != before {
		b.emit(ctx, before, p)
	}
	var began time.Time
	if b.config.Slow > 0 {
		began = time.Now()
	}
	err := call(ctx)
	verdict = b.judge(ctx, err, began)
	return err
}

// State is what the breaker does with calls now. It is half-open once its time to be open is over, though no call has
// come to probe.
func (b *Breaker) State() State {
	p := b.phase.Load()
	if p.state == Open && p.refusal.left() == 0 {
		return HalfOpen
	}
	return p.state
}

// probe lets a call in that found the breaker in p, not closed, or refuses it. A call that is let in belongs to the
// phase after; if it is the first of that phase, before is the one that it ended.
func (b *Breaker) probe(ctx context.Context, p *phase) (before, after *phase, refusal *OpenError) {
	if p.state == Open {
		if wait := p.refusal.left(); wait > 0 {
			return p, p, b.refuse(ctx, p.refusal, wait)
		}
	}
	b.mu.Lock()
	before = b.phase.Load()
	after, ok := b.enter(before)
	b.mu.Unlock()
	if ok {
		return before, after, nil
	}

	if after != before {
		b.emit(ctx, before, after)
	}
	wait := after.refusal.left()
	if after.state == Open && wait == 0 {
		time.Sleep(2 * time.Nanosecond) // frozen since it opened, the machine's clock has yet to move
		return b.probe(ctx, after)
	}
	return before, after, b.refuse(ctx, after.refusal, wait)
}

// enter asks to be let in during p. It returns what p has become by that, and whether the call may be made.
func (b *Breaker) enter(p *phase) (*phase, bool) {
	if p.state == Closed {
		return p, true
	}
	if p.state == Open && p.refusal.left() > 0 {
		return p, false
	}
	done, err := b.machine.Allow()
	now := wall.Now()
	switch {
	case err == nil && p.state == Open:
		p = &phase{
			state:   HalfOpen,
			done:    done,
			refusal: &OpenError{Name: b.config.Name, Key: b.key, wait: b.config.OpenFor / 10},
			probed:  now,
		}
		b.begin(p)
	case err == nil:
		p.probed = now
	case p.state == HalfOpen && now.Since(p.probed) >= b.config.ProbeTimeout:
		p = b.report(p, errHung)
	}
	return p, err == nil
}

// book counts the verdict on a call that was let in during p.
func (b *Breaker) book(ctx context.Context, p *phase, verdict error) {
	if p.state == Closed && verdict == nil {
		p.done(nil)
		return
	}
	if p.state == Closed && ignored(verdict) {
		return // it gives no slot back, for it had none
	}
	b.mu.Lock()
	next := b.report(p, verdict)
	b.mu.Unlock()
	if next != p {
		b.emit(ctx, p, next)
	}
}

// report tells the machine the verdict, which it forgets if p is over. It returns what p has become by that.
func (b *Breaker) report(p *phase, verdict error) *phase {
	b.turned = p.state
	p.done(verdict)
	switch b.turned {
	case p.state:
		return p
	case Open:
		p = b.open(verdict)
	default:
		p = b.close()
	}
	b.begin(p)
	return p
}

// begin makes p the phase that the breaker is in.
func (b *Breaker) begin(p *phase) {
	p.at = time.Now()
	if before := b.phase.Load().at; !p.at.After(before) { // the clock is coarse
		p.at = before.Add(1)
	}
	b.phase.Store(p)
}

func (b *Breaker) close() *phase {
	b.openFor = 0
	done, _ := b.machine.Allow() // a closed machine refuses nobody, and done serves any number of calls
	return &phase{state: Closed, done: done}
}

func (b *Breaker) open(cause error) *phase {
	b.openFor = min(max(2*b.openFor, b.config.OpenFor), b.config.MaxOpenFor)
	return &phase{
		state: Open,
		cause: cause,
		refusal: &OpenError{
			Name:  b.config.Name,
			Key:   b.key,
			since: wall.Now(),
			wait:  b.openFor + rand.N(b.openFor/2+1),
		},
	}
}

// count and the two below are called by the machine, with its lock held.
func (b *Breaker) count(verdict error) (success bool) {
	if b.config.Ratio > 0 {
		b.window.add(wall.Now(), verdict != nil)
	}
	if verdict != nil {
		b.failed = wall.Now()
	}
	return verdict == nil
}

func (b *Breaker) tooMany(counts gobreaker.Counts) bool {
	c, w := &b.config, &b.window
	return c.Failures > 0 && int(counts.ConsecutiveFailures) >= c.Failures ||
		c.Ratio > 0 && w.calls >= c.MinCalls && float64(w.failures)/float64(w.calls) >= c.Ratio
}

func (b *Breaker) turn(_ string, _, to gobreaker.State) {
	switch to {
	case gobreaker.StateClosed:
		b.turned = Closed
		b.window.clear()
	case gobreaker.StateOpen:
		b.turned = Open
	case gobreaker.StateHalfOpen: // not under mu, and of no interest: enter decides when
	}
}

func (b *Breaker) refuse(ctx context.Context, refusal *OpenError, wait time.Duration) *OpenError {
	refusal.told.Store(int64(wait))
	event.Emit(ctx, event.Event{
		Kind: event.Refusal, Policy: "breaker", Name: b.config.Name, Wait: wait, Err: refusal,
	})
	return refusal
}

func (b *Breaker) emit(ctx context.Context, from, to *phase) {
	e := event.Event{
		Kind: event.Transition, Policy: "breaker", Name: b.config.Name,
		From: string(from.state), To: string(to.state), At: to.at, Err: to.cause,
	}
	if to.state == Open {
		e.Wait = to.refusal.left()
	}
	event.Emit(ctx, e)
}
