package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// A notice is a line in a function's log about something that a policy noticed.
type notice struct {
	Time        time.Time
	Kind        string `json:"msg"` // of the event
	Environment string
	Policy      string
	From, To    string
	Wait        time.Duration
}

// A journal keeps the notices from a function's log.
type journal struct {
	mu      sync.Mutex
	notices []notice
}

// Write takes some lines of the log.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range bytes.Lines(p) {
		var n notice
		if json.Unmarshal(line, &n) == nil && n.Policy != "" {
			j.notices = append(j.notices, n)
		}
	}
	return len(p), nil
}

// count is how often a policy noticed a kind of thing.
func (j *journal) count(policy, kind string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, x := range j.notices {
		if x.Policy == policy && x.Kind == kind {
			n++
		}
	}
	return n
}

// transitions are those of all breakers from one state to another.
func (j *journal) transitions(from, to string) (times []time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, n := range j.notices {
		if n.Kind == "transition" && n.From == from && n.To == to {
			times = append(times, n.Time)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// A span is a time for which an environment's breaker was open, or half-open with a call under way.
type span struct {
	environment string
	from, to    time.Time
}

// open is all spans so far.
func (j *journal) open() []span {
	j.mu.Lock()
	defer j.mu.Unlock()
	var spans []span
	latest := map[string]int{} // by environment
	for _, n := range j.notices {
		if n.Policy != "breaker" {
			continue
		}
		i, ok := latest[n.Environment]
		switch end := n.Time.Add(n.Wait); {
		case n.From == "closed", n.To == "half-open":
			latest[n.Environment] = len(spans)
			spans = append(spans, span{n.Environment, n.Time, end})
		case ok: // refused a call, or made its mind up about one
			spans[i].to = end
		}
	}
	return spans
}
