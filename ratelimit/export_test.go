package ratelimit

import "time"

// Others is the limiter that keys without one of their own share.
func (g *Group) Others() *Limiter { return g.others }

// Len is how many keys have limiters of their own.
func (g *Group) Len() int { return len(g.byKey) }

// LineUp is what a caller does who read the clock at some time and reaches the bucket now.
func (l *Limiter) LineUp(at time.Time, longest time.Duration) { l.lineUp(at, longest) }

// WithoutBucket has whoever touches the bucket panic.
func (l *Limiter) WithoutBucket() { l.bucket = nil }
