package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const slots = 60 // of the timeline

// timeline shows what happened when.
func (t *trial) timeline(out io.Writer) {
	width := t.scenario.Length() / slots
	without, with, back := t.without.slots(served, width), t.with.slots(served, width), t.with.slots(refused, width)
	most := slices.Max(slices.Concat(without, with))

	var phases, seconds string
	for i, p := range t.scenario.Phases {
		phases = mark(phases, t.scenario.Begin(i)/width, p.Name)
	}
	for at := time.Duration(0); at < t.scenario.Length(); at += time.Second {
		seconds = mark(seconds, at/width, fmt.Sprint(at.Seconds()))
	}
	line := func(label, text string) { fmt.Fprintf(out, "%-24s%s\n", label, text) }
	fmt.Fprintln(out)
	line("seconds", seconds)
	line("payment service", phases)
	line("served without Seawall", bars(without, most))
	line("served with Seawall", bars(with, most))
	line("refused with Seawall", bars(back, slices.Max(back)))
	line("breakers open", bars(t.with.open(width), t.scenario.Environments))
}

// mark is line as far as a slot, and text from there on.
func mark(line string, slot time.Duration, text string) string {
	return fmt.Sprintf("%-*.*s%s", int(slot), int(slot), line, text)
}

// bars has a bar for each number, as high as it is of most.
func bars(numbers []int, most int) string {
	most = max(most, 1)
	var b strings.Builder
	for _, n := range numbers {
		b.WriteRune([]rune(" ▁▂▃▄▅▆▇█")[min((8*n+most-1)/most, 8)])
	}
	return fmt.Sprintf("%s  █ %d", b.String(), most)
}

// slots is how many orders met a fate in each slot.
func (v *variant) slots(f fate, width time.Duration) []int {
	n := make([]int, slots)
	for _, r := range v.records {
		if i := int((r.sent + r.took) / width); r.fate == f && i < slots {
			n[i]++
		}
	}
	return n
}

// open is how many environments had an open breaker in each slot, if only for a part of it.
func (v *variant) open(width time.Duration) []int {
	n := make([]int, slots)
	spans := v.journal.open()
	for i := range n {
		from := v.start.Add(time.Duration(i) * width)
		to := from.Add(width)
		environments := map[string]bool{}
		for _, s := range spans {
			if s.from.Before(to) && from.Before(s.to) {
				environments[s.environment] = true
			}
		}
		n[i] = len(environments)
	}
	return n
}

// remarks is what else the policies say.
func (t *trial) remarks(out io.Writer) {
	j := &t.with.journal
	fmt.Fprintf(out, `
Nothing serves a card order while the payment service is down. What policies change is what becomes
of all other orders, how soon a customer knows, and what is left standing.

The policies noticed %d timeouts, %d retries and %d calls given up after their last attempt. They
refused %d calls while a breaker was open, %d over the rate limit, and %d for want of time.
`, j.count("timeout", "timeout"), j.count("retry", "retry"), j.count("retry", "give_up"),
		j.count("breaker", "refusal"), j.count("ratelimit", "refusal"), j.count("reserve", "refusal"))

	opened, reopened, closed := j.transitions("closed", "open"), j.transitions("half-open", "open"), j.transitions("half-open", "closed")
	if len(opened) > 0 && len(closed) > 0 {
		fmt.Fprintf(out, `Breakers opened %d times, first at %s. Of the calls that they let try, %d failed, and %d went well
and closed one, last at %s.
`, len(opened), readable(opened[0].Sub(t.start)), len(reopened), len(closed), readable(closed[len(closed)-1].Sub(t.start)))
	}
	fmt.Fprint(out, `Each environment has a breaker of its own, and needs failures of its own to learn what others know
already: one that the whole fleet shares is not there yet.
`)
}
