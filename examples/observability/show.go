package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	traces "go.opentelemetry.io/proto/otlp/trace/v1"
)

// retried is the root of the first trace in which an order was paid at the second attempt, or nil.
func (r *receiver) retried() *span {
	i := slices.IndexFunc(r.spans, func(s *span) bool { return len(s.GetParentSpanId()) == 0 && r.paidAtSecond(s) })
	if i < 0 {
		return nil
	}
	return r.spans[i]
}

// paidAtSecond reports whether the trace has two attempts, of which the payment service has seen both and the second
// went well.
func (r *receiver) paidAtSecond(root *span) bool {
	for _, invocation := range r.children(root) {
		attempts := r.children(invocation)
		if len(attempts) == 2 && attempts[1].get("http.response.status_code") == "201" && len(r.children(attempts[0])) == 1 && len(r.children(attempts[1])) == 1 {
			return true
		}
	}
	return false
}

const width = 22 // of the time that a trace takes

// trace shows one as a tree.
func (r *receiver) trace(out io.Writer) {
	root := r.retried()
	fmt.Fprintln(out, "\nONE ORDER, paid at the second attempt")
	if root == nil {
		fmt.Fprintln(out, "\n  There was none this time.")
		return
	}
	fmt.Fprintf(out, "trace %x\n\n%62s  %s\n", root.GetTraceId(), "ms", strings.Repeat("─", width))
	total := max(root.GetEndTimeUnixNano()-root.GetStartTimeUnixNano(), 1)
	var show func(s *span, indent, branch string)
	show = func(s *span, indent, branch string) {
		from := int((s.GetStartTimeUnixNano() - root.GetStartTimeUnixNano()) * width / total)
		to := int((s.GetEndTimeUnixNano() - root.GetStartTimeUnixNano()) * width / total)
		bar := strings.Repeat(" ", min(from, width-1)) + strings.Repeat("█", max(min(to, width)-from, 1))
		verdict := cmp.Or(s.get("http.response.status_code"), s.get("error.type"))
		if s.GetStatus().GetCode() == traces.Status_STATUS_CODE_ERROR {
			verdict += " error"
		}
		label := s.service + ": " + s.GetName()
		if n := s.get("http.request.resend_count"); n != "" {
			label += ", resend " + n
		}
		line := fmt.Sprintf("%-52s %9.1f  %-24s %s", indent+branch+label, float64(s.GetEndTimeUnixNano()-s.GetStartTimeUnixNano())/1e6, bar, verdict)
		fmt.Fprintln(out, strings.TrimRight(line, " "))
		switch branch {
		case "├─ ":
			indent += "│  "
		case "└─ ":
			indent += "   "
		}
		below := r.children(s)
		for _, e := range s.GetEvents() {
			mark := "·  "
			if len(below) > 0 {
				mark = "│  · "
			}
			fmt.Fprintln(out, indent+mark+notice(e))
		}
		for i, c := range below {
			if i == len(below)-1 {
				show(c, indent, "└─ ")
			} else {
				show(c, indent, "├─ ")
			}
		}
	}
	show(root, "", "")
}

// notice is an event of a policy.
func notice(e *traces.Span_Event) string {
	a := attributes(e.GetAttributes())
	text := strings.TrimPrefix(e.GetName(), "seawall.")
	if a["seawall.policy.name"] != "" {
		text += " of " + a["seawall.policy.name"]
	}
	if a["seawall.breaker.to"] != "" {
		text += ": " + a["seawall.breaker.from"] + " → " + a["seawall.breaker.to"]
	}
	if a["seawall.attempt"] != "" {
		text += ": attempt " + a["seawall.attempt"] + " failed"
	}
	if a["seawall.wait"] != "" {
		text += ", wait " + a["seawall.wait"] + " s"
	}
	if a["exception.message"] != "" {
		text += ", for: " + a["exception.message"]
	}
	return text
}

// A turn is a breaker's change of state, and what followed until the next.
type turn struct {
	at            time.Duration
	from, to, why string
	refused       int
}

// turns are those of each process.
func (r *receiver) turns() map[string][]turn {
	type noticed struct {
		at    uint64
		event *traces.Span_Event
	}
	all := map[string][]noticed{}
	for _, s := range r.spans {
		for _, e := range s.GetEvents() {
			if attributes(e.GetAttributes())["seawall.policy"] == "breaker" {
				all[s.instance] = append(all[s.instance], noticed{e.GetTimeUnixNano(), e})
			}
		}
	}
	turns := map[string][]turn{}
	for instance, events := range all {
		slices.SortFunc(events, func(a, b noticed) int { return cmp.Compare(a.at, b.at) })
		for _, n := range events {
			a := attributes(n.event.GetAttributes())
			ts := turns[instance]
			if a["seawall.breaker.to"] != "" {
				turns[instance] = append(ts, turn{at: r.at(n.at), from: a["seawall.breaker.from"], to: a["seawall.breaker.to"], why: a["exception.message"]})
			} else if len(ts) > 0 {
				ts[len(ts)-1].refused++
			}
		}
	}
	return turns
}

const shown = 3 // processes with all their turns

// breakers shows what those of all processes did.
func (r *receiver) breakers(out io.Writer) {
	turns := r.turns()
	byTurns := slices.SortedFunc(maps.Keys(turns), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(turns[b]), len(turns[a])), cmp.Compare(turns[a][0].at, turns[b][0].at))
	})
	fmt.Fprintln(out, "\nTHE BREAKER payments, of which each process of the function has its own")
	for _, instance := range byTurns[:min(shown, len(byTurns))] {
		fmt.Fprintf(out, "\nprocess %s\n", instance)
		story(out, turns[instance])
	}
	if len(byTurns) <= shown {
		return
	}
	opened, tried, closed, refused := 0, 0, 0, 0
	for _, instance := range byTurns[shown:] {
		for _, t := range turns[instance] {
			refused += t.refused
			switch {
			case t.from == "closed":
				opened++
			case t.to == "half-open":
				tried++
			case t.to == "closed":
				closed++
			}
		}
	}
	fmt.Fprintf(out, "\nand %d more with less to tell: they opened %d times, refused %d calls, let %d try and closed after %d of them\n",
		len(byTurns)-shown, opened, refused, tried, closed)
}

// story shows a breaker's turns, on one line that to half-open and what came of it.
func story(out io.Writer, turns []turn) {
	for len(turns) > 0 {
		t, states := turns[0], turns[0].from+" → "+turns[0].to
		turns = turns[1:]
		if t.to == "half-open" && len(turns) > 0 {
			states += " → " + turns[0].to
			t.why, t.refused = turns[0].why, t.refused+turns[0].refused
			turns = turns[1:]
		}
		branch := "├─"
		if len(turns) == 0 {
			branch = "└─"
		}
		line := fmt.Sprintf("%s %5.2f s  %-25s", branch, t.at.Seconds(), states)
		if t.why != "" {
			line += "  " + short(t.why)
		}
		if t.refused > 0 {
			line += fmt.Sprintf("  [then %d refused]", t.refused)
		}
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
}

// short is the beginning of a text.
func short(text string) string {
	if runes := []rune(text); len(runes) > 44 {
		return string(runes[:43]) + "…"
	}
	return text
}

// metrics shows what the counters have counted, in all processes.
func (r *receiver) metrics(out io.Writer) {
	fmt.Fprint(out, "\nTHE COUNTERS, of all processes together\n\n")
	for _, key := range slices.Sorted(maps.Keys(r.counters)) {
		total := int64(0)
		for _, n := range r.counters[key] {
			total += n
		}
		name, by, _ := strings.Cut(key, " ")
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("%6d  %-28s %s", total, name, by), " "))
	}
}

// rest shows what the function has logged besides, such as an order that failed with an error of its own.
func (r *receiver) rest(out io.Writer) {
	if r.log.Len() > 0 {
		fmt.Fprintf(out, "\nTHE LOG of the function\n\n%s", &r.log)
	}
}
