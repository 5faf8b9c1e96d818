package retry

import (
	"fmt"
	"sync/atomic"
)

const (
	defaultRatio   = 0.1
	defaultOpening = 10
	defaultMax     = 35
)

// A Budget limits how much of the load on a dependency is repeats, so that an outage is not answered with a storm. One
// Budget is shared by all policies whose calls go to the same dependency. The zero value is ready for use; a Budget
// must not be copied after that, and its fields must not change. Of policies inside one another, the outermost repeats
// the call, and it is the one that needs the Budget.
//
// It counts calls, not time: a call that succeeds at its first attempt earns Ratio, every repeat costs one. Nothing is
// earned by waiting, so a process that was frozen wakes up no richer, and nothing is forgotten. When the balance
// is below one, policies return the error they have.
//
// The numbers are others'. A tenth is the share of repeats that the Google SRE book allows a client, and with a store of
// ten it is the example of gRPC's retry throttling (A6); Finagle lets through a fifth of all requests and ten a second
// more. The AWS SDKs start with 500 tokens, of which a repeat costs 14, or 5 after a throttle, and a success at the first
// attempt earns 1; 500/14 is the Max here. The opening balance is smaller because a process may be one sandbox of
// many: a thousand that start cold with 35 repeats each bring 35,000 to a dependency that is down, and together have
// no limit to speak of. All repeats cost the same, throttled or not; a throttle is paid for by its longer wait.
type Budget struct {
	// Ratio is what a call that succeeds at its first attempt earns, in repeats, at most 1. Zero means 0.1, negative means
	// nothing.
	Ratio float64

	// Opening is the balance to begin with, in repeats. Zero means 10, negative means none.
	Opening int

	// Max is the balance above which nothing more is earned, in repeats. Zero means 35.
	Max int

	balance atomic.Int64 // what was earned less what was spent, in millionths of a repeat
}

const (
	repeat = 1_000_000         // in millionths, so that tenths and hundredths add up
	most   = 1_000_000_000_000 // in repeats, so that their millionths do not overflow
)

// check panics if b's fields make no sense.
func (b *Budget) check() {
	if b != nil && (!(b.Ratio <= 1) || b.Max < 0) {
		panic(fmt.Sprintf("retry: Budget{Ratio: %v, Max: %d}: want a Ratio of at most 1 and a Max of 0 or more", b.Ratio, b.Max))
	}
}

// earn books a success at the first attempt.
func (b *Budget) earn() {
	if b == nil {
		return
	}
	ratio := b.Ratio
	if ratio == 0 {
		ratio = defaultRatio
	}
	b.add(int64(max(ratio, 0) * repeat))
}

// refund books back a repeat that was paid for and not made.
func (b *Budget) refund() {
	if b != nil {
		b.balance.Add(repeat)
	}
}

func (b *Budget) add(amount int64) {
	full := b.max() - b.opening()
	for {
		have := b.balance.Load()
		if have >= full || b.balance.CompareAndSwap(have, min(have+amount, full)) {
			return
		}
	}
}

// spend pays for a repeat, and reports whether there was enough.
func (b *Budget) spend() bool {
	if b == nil {
		return true
	}
	empty := -b.opening()
	for {
		have := b.balance.Load()
		if have-empty < repeat {
			return false
		}
		if b.balance.CompareAndSwap(have, have-repeat) {
			return true
		}
	}
}

func (b *Budget) opening() int64 {
	if b.Opening == 0 {
		return defaultOpening * repeat
	}
	return repeat * min(most, max(0, int64(b.Opening)))
}

func (b *Budget) max() int64 {
	if b.Max == 0 {
		return defaultMax * repeat
	}
	return repeat * min(most, int64(b.Max))
}
