package policytest

import "time"

// StuckSoon lets a check that is stuck say so sooner.
func StuckSoon() { stuckAfter = 2 * time.Second }
