package breaker

import (
	"cmp"
	"fmt"
	"math"
	"time"
)

// A Config says when a breaker opens, and for how long. Its zero value is ready for use, also where calls are few: a
// process that makes one call in a while opens after five failures in a row.
type Config struct {
	// Name is the breaker's name in errors and events.
	Name string

	// Failures is how many failures in a row open the breaker, however far apart they are. Default 5; negative is off.
	Failures int

	// Ratio opens the breaker when a call fails, and at least this share of the calls within Window has failed by then.
	// Default 0.5; negative is off.
	Ratio float64

	// MinCalls is how many calls within Window it takes for Ratio to be looked at. Default 10, or one in six seconds:
	// fewer can fail by half through bad luck, and should the dependency be down, Failures does not need that many.
	MinCalls int

	// Window is how long a call counts for Ratio, or up to a tenth less. Default one minute.
	Window time.Duration

	// OpenFor is how long an open breaker refuses calls before it probes. Default 10 seconds. Each probe that fails
	// doubles it, up to MaxOpenFor, until the breaker has closed. Up to half as much is added at random, every time, so
	// that a fleet does not probe in step.
	OpenFor time.Duration

	// MaxOpenFor is where OpenFor no longer doubles. Default one minute, or OpenFor if that is longer; negative is off:
	// OpenFor does not double at all.
	MaxOpenFor time.Duration

	// Probes is how many calls a half-open breaker lets through; it closes when that many have succeeded. Default 1.
	Probes int

	// ProbeTimeout is how long after the last probe a half-open breaker goes on to refuse calls while it waits for the
	// probes to end. After that one is taken to hang: the breaker opens again, and their results no longer count. Default
	// 30 seconds, by when most gateways have given up.
	ProbeTimeout time.Duration

	// Slow makes a call that succeeds but takes longer than this a failure. Its caller gets the nil all the same.
	// Default off.
	Slow time.Duration

	// Classify says what the error of a call counts as. Those for which it says Unknown, and all if it is nil, count by
	// the rules in the package comment. It is not asked about errors that count for nothing anyway.
	Classify func(err error) Outcome
}

// longest is longer than anyone waits, and can be doubled and have a half added without overflow.
const longest = math.MaxInt64 / 4

// resolved returns c with its defaults, or panics on behalf of a constructor.
func (c Config) resolved() Config {
	c.Failures = cmp.Or(c.Failures, 5)
	c.Ratio = cmp.Or(c.Ratio, 0.5)
	c.MinCalls = cmp.Or(c.MinCalls, 10)
	c.Window = cmp.Or(c.Window, time.Minute)
	c.OpenFor = min(cmp.Or(c.OpenFor, 10*time.Second), longest)
	c.MaxOpenFor = min(cmp.Or(c.MaxOpenFor, max(c.OpenFor, time.Minute)), longest)
	if c.MaxOpenFor < 0 {
		c.MaxOpenFor = c.OpenFor
	}
	c.Probes = cmp.Or(c.Probes, 1)
	c.ProbeTimeout = cmp.Or(c.ProbeTimeout, 30*time.Second)

	switch {
	case c.Failures < 0 && c.Ratio < 0:
		panic("breaker: Config.Failures and Ratio are both off, so it would never open: " +
			"turn one on, or leave the breaker out")
	case !(c.Ratio <= 1): // or NaN
		panic(fmt.Sprintf("breaker: Config.Ratio is %v: want the share of calls that failed, up to 1; negative is off",
			c.Ratio))
	case c.MinCalls < 0:
		panic(fmt.Sprintf("breaker: Config.MinCalls is %d: want at least 1; to turn the ratio off, make Ratio negative",
			c.MinCalls))
	case c.Window < buckets:
		panic(fmt.Sprintf("breaker: Config.Window is %v: want how long a call counts; to turn the ratio off, "+
			"make Ratio negative", c.Window))
	case c.OpenFor < 0:
		panic(fmt.Sprintf("breaker: Config.OpenFor is %v: want how long to stay open", c.OpenFor))
	case c.MaxOpenFor < c.OpenFor:
		panic(fmt.Sprintf("breaker: Config.MaxOpenFor is %v, less than OpenFor, %v: make it larger, "+
			"or negative to stay at OpenFor", c.MaxOpenFor, c.OpenFor))
	case c.Probes < 0 || c.Probes > math.MaxInt32:
		panic(fmt.Sprintf("breaker: Config.Probes is %d: want at least 1", c.Probes))
	case c.ProbeTimeout < 0:
		panic(fmt.Sprintf("breaker: Config.ProbeTimeout is %v: want how long a probe may hang, for without an end "+
			"a hung one would keep the breaker half-open for ever", c.ProbeTimeout))
	}
	return c
}
