// Command bench measures what Seawall costs, against the same policies written by hand and against failsafe-go, in one
// run and as ratios: run it with «make bench». Rounds of all candidates take turns, so that whatever else the machine
// does meets all of them, and the median of the rounds counts.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"
)

func main() {
	testing.Init()
	rounds := flag.Int("rounds", 21, "rounds per candidate")
	each := flag.Duration("each", 50*time.Millisecond, "time per round")
	flag.Parse()
	if flag.NArg() > 0 || *rounds < 1 || *each <= 0 {
		fmt.Fprintln(os.Stderr, "bench: want no arguments, at least one round, and a positive time for each; see -help")
		os.Exit(2)
	}
	if err := flag.Set("test.benchtime", each.String()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if err := report(*rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A candidate is something measured.
type candidate struct {
	name string
	run  func(*testing.B)

	recorded bool // by an SDK, as a span

	ns     []float64
	allocs int64
}

func (c *candidate) median() float64 {
	slices.Sort(c.ns)
	return c.ns[len(c.ns)/2]
}

func calling(h handler) func(*testing.B) {
	return func(b *testing.B) {
		ctx := context.Background()
		for b.Loop() {
			_, _ = h(ctx, order{id: "1"})
		}
	}
}

func now(b *testing.B) {
	for b.Loop() {
		_ = time.Now()
	}
}

func candidates() []*candidate {
	return []*candidate{
		{name: "healthy, Seawall", run: calling(seawall(healthy))},
		{name: "healthy, by hand", run: calling(byHand(healthy))},
		{name: "healthy, failsafe-go", run: calling(withFailsafe(healthy))},
		{name: "open, Seawall", run: calling(seawall(open))},
		{name: "open, by hand", run: calling(byHand(open))},
		{name: "open, failsafe-go", run: calling(withFailsafe(open))},
		{name: "limited, Seawall", run: calling(seawall(limiting))},
		{name: "limited, by hand", run: calling(byHand(limiting))},
		{name: "limited, failsafe-go", run: calling(withFailsafe(limiting))},
		{name: "time.Now", run: now},
		{name: "bare handler", run: calling(place)},
		{name: "handler in one pass-through policy", run: calling(passThrough())},
	}
}

// measure adds a round. What counts is the processor time of the whole process, for a collector that runs beside the
// benchmark is not free: a function has one core or less.
func (c *candidate) measure() {
	runtime.GC()
	r := testing.Benchmark(func(b *testing.B) {
		before := processorTime()
		c.run(b)
		b.ReportMetric(float64(processorTime()-before)/float64(b.N), "cpu-ns/op")
	})
	c.ns = append(c.ns, r.Extra["cpu-ns/op"])
	c.allocs = r.AllocsPerOp()
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func report(rounds int) error {
	all := candidates()
	for range rounds {
		for _, c := range all {
			c.measure()
		}
	}

	fmt.Printf("%s, %s/%s, GOMAXPROCS %d; processor time, medians of %d rounds\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), rounds)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "timeout + retry + breaker + limiter\tns/op\tallocs\tof by hand\tof failsafe-go")
	for i := range 3 {
		ours, hand, failsafe := all[3*i], all[3*i+1], all[3*i+2]
		for _, c := range []*candidate{ours, hand, failsafe} {
			fmt.Fprintf(w, "  %s\t%.0f\t%d", c.name, c.median(), c.allocs)
			if c == ours {
				fmt.Fprintf(w, "\t%.2f\t%.2f", c.median()/hand.median(), c.median()/failsafe.median())
			}
			fmt.Fprintln(w)
		}
	}
	fmt.Fprintln(w, "  wanted\t\t1\t0.70\t0.25")

	clock, bare, passing := all[9], all[10], all[11]
	fmt.Fprintln(w, "\nmiddleware.Wrap\tns/op\tallocs\tof time.Now")
	fmt.Fprintf(w, "  %s\t%.1f\t%d\n", clock.name, clock.median(), clock.allocs)
	fmt.Fprintf(w, "  %s\t%.1f\t%d\n", bare.name, bare.median(), bare.allocs)
	fmt.Fprintf(w, "  %s\t%.1f\t%d\n", passing.name, passing.median(), passing.allocs)
	fmt.Fprintf(w, "  what Wrap adds\t%.1f\t%d\t%.2f\n", passing.median()-bare.median(), passing.allocs-bare.allocs, (passing.median()-bare.median())/clock.median())
	fmt.Fprintln(w, "  wanted\t\t0\t0.60")
	if err := w.Flush(); err != nil {
		return err
	}
	if err := reportTracing(rounds); err != nil {
		return err
	}
	if err := reportShapes(rounds); err != nil {
		return err
	}
	return packages("github.com/seawall-go/seawall/retry")
}

// packages prints what a program that imports only pkg compiles beside the standard library.
func packages(pkg string) error {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", pkg).Output()
	if err != nil {
		return fmt.Errorf("go list -deps %s: %w", pkg, err)
	}
	var ours, foreign []string
	for p := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(p, "github.com/seawall-go/seawall/") {
			ours = append(ours, p)
		} else {
			foreign = append(foreign, p)
		}
	}
	fmt.Printf("\na program that imports only %s compiles %d foreign package (%s) and %d of ours\n",
		pkg, len(foreign), strings.Join(foreign, ", "), len(ours))
	return nil
}
