package scope

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

type (
	callKey     struct{}
	injectorKey struct{}
)

// A Call is a call as its adapter shows it to the policies around it: to those that look, which say so with a method
//
//	Looks(at any) int
//
// that returns how many policies, itself or those in it, want to see calls with such an argument or result: an event, an
// *http.Request that comes in, an *http.Response that is asked for. A Call is
// made for one invocation and not used again, so that a policy which was left behind looks at its own.
type Call struct {
	In       any  // the event, or the *http.Request
	Client   bool // the call goes out
	Looks    int  // how many policies look
	Repeated bool // the call of the innermost of them may be several

	// Status is the HTTP status with which a call is answered if the policies end with err, zero if with none. It is
	// nil where no such answer is made.
	Status func(c *Call, err error) int

	taken atomic.Bool

	// Sent counts the attempts that were sent out.
	Sent atomic.Int64

	mu     sync.Mutex
	result Result

	context.Context //nolint:containedctx // it is one, once it is shown
}

// A Result is what became of an attempt.
type Result struct {
	Out    any    // what the handler returned, of a call with an event
	Status int    // that of the response, of a call with an *http.Request; zero without one
	Err    error  // what the policies were told of it, if the caller gets the response for that error only
	Final  bool   // whatever the policies say, the caller gets no other response
	Route  string // the pattern that the request matched
}

// Looking is how many of policies want to see calls with such values, of which the first that anybody looks at counts. A
// value that has a method Shown() is that of an adapter which shows the call itself: nobody looks.
func Looking[P any](policies []P, at ...any) (n int) {
	for _, value := range at {
		if _, ok := value.(interface{ Shown() }); ok {
			return 0
		}
		for _, p := range policies {
			if l, ok := any(p).(interface{ Looks(at any) int }); ok {
				n += l.Looks(value)
			}
		}
		if n > 0 {
			return n
		}
	}
	return 0
}

// Repeated reports whether, of policies, one that repeats calls is inside the innermost that looks at such a value. For
// those that are made of several, their own method Repeated says it.
func Repeated[P any](policies []P, at any) bool {
	repeats := false
	for _, p := range slices.Backward(policies) {
		if l, ok := any(p).(interface{ Looks(at any) int }); ok && l.Looks(at) > 0 {
			several, ok := any(p).(interface{ Repeated(at any) bool })
			return repeats || ok && several.Repeated(at)
		}
		if r, ok := any(p).(interface{ Repeats() bool }); ok && r.Repeats() {
			repeats = true
		}
	}
	return false
}

// Show returns a child of ctx in which policies see c. It is c, and that is shown once.
func Show(ctx context.Context, c *Call) context.Context {
	c.Context = ctx
	return c
}

// Value is for [Shown].
func (c *Call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

func (c *Call) String() string { return "scope.Call" }

// Shown is the innermost call in ctx, or nil.
func Shown(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// Take reports whether it is asked for the first time: of a call, however often it is made, there is one span.
func (c *Call) Take() bool { return !c.taken.Swap(true) }

// Return says what became of the last attempt. A nil call takes no notice.
func (c *Call) Return(r Result) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.result = r
}

// Result is what became of the last attempt, zero if there was none.
func (c *Call) Result() Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.result
}

// An Injector is a context type that has something for the header of requests made in it. It answers [IsInjector] keys
// with itself.
type Injector interface {
	Inject(ctx context.Context, header map[string][]string)
}

// IsInjector reports whether key asks for an [Injector].
func IsInjector(key any) bool { return key == (injectorKey{}) }

// Injecting is the innermost injector in ctx, or nil.
func Injecting(ctx context.Context) Injector {
	i, _ := ctx.Value(injectorKey{}).(Injector)
	return i
}
