package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/seawall-go/seawall/examples/internal/surge"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func TestMain(m *testing.M) {
	lambdatest.Serve("checkout-bare", bare)
	lambdatest.Serve("checkout", guarded)
	if os.Getenv("QUICKSTART") != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func TestTrial(t *testing.T) {
	var out bytes.Buffer
	introduce(&out, surge.Short)
	trial := begin(surge.Short)
	if err := trial.run(t.Context(), &out); err != nil {
		t.Error(err)
	}
	// A machine under load may have missed the moment at which a breaker would have closed.
	for range 1000 {
		if len(trial.with.journal.transitions("half-open", "closed")) > 0 {
			break
		}
		trial.with.invoke(t.Context(), surge.Order{ID: "late", Pay: "card"})
	}
	trial.end()
	trial.table(&out)
	trial.timeline(&out)
	trial.remarks(&out)
	t.Log("\n" + out.String())

	for _, v := range []*variant{trial.without, trial.with} {
		seen := map[string]int{}
		for _, r := range v.records {
			seen[r.order.ID]++
		}
		o := v.outcome()
		total := 0
		for _, n := range o.fates {
			total += n
		}
		if want := len(surge.Short.Orders()); len(seen) != want || o.orders != want || total != want {
			t.Errorf("%d different orders in %d records with %d fates, want %d of each", len(seen), o.orders, total, want)
		}
		if o.cards.orders+o.invoices.orders != o.orders || o.cards.served+o.invoices.served != o.fates[served] {
			t.Errorf("by card %v, by invoice %v, together not %d orders and %d served", o.cards, o.invoices, o.orders, o.fates[served])
		}
		if o.fates[served] == 0 || o.twice > 0 || o.calls == 0 || o.environments == 0 {
			t.Errorf("want orders served, none charged twice: %+v", o)
		}
	}
	if n := len(trial.without.journal.notices); n > 0 {
		t.Errorf("the bare function logged %d notices, want none", n)
	}
	if n := trial.without.outcome().fates[refused]; n > 0 {
		t.Errorf("the bare function told %d customers when to come back, and does not know how", n)
	}
	if trial.with.outcome().fates[refused] == 0 {
		t.Error("the guarded function told nobody when to come back")
	}
	j := &trial.with.journal
	if len(j.transitions("closed", "open")) == 0 || len(j.transitions("half-open", "closed")) == 0 || len(j.open()) == 0 {
		t.Error("no breaker opened and closed again")
	}
	if j.count("timeout", "timeout") == 0 || j.count("retry", "retry") == 0 || j.count("breaker", "refusal") == 0 {
		t.Error("want timeouts, retries and refusals")
	}
	for line := range strings.Lines(out.String()) {
		if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > 100 {
			t.Errorf("%d columns, want 100 at most: %s", width, line)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, test := range []struct{ arg, want string }{
		{"-slow", "flag provided but not defined: -slow"},
		{"faster", `quickstart: there are no arguments, but got "faster"`},
	} {
		cmd := command(t, test.arg)
		out, err := cmd.CombinedOutput()
		exit, _ := errors.AsType[*exec.ExitError](err)
		if exit == nil || exit.ExitCode() != 2 || !strings.HasPrefix(string(out), test.want) || !strings.Contains(string(out), "usage: ") {
			t.Errorf("%s: %v\n%s", test.arg, err, out)
		}
	}
}

func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot interrupt another")
	}
	cmd := command(t, "-quick")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && !strings.Contains(lines.Text(), "stalls  ") { // until functions hang
	}
	cmd.Process.Signal(os.Interrupt)
	rest, _ := io.ReadAll(stdout)
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || stderr.String() != "quickstart: interrupted\n" || bytes.Contains(rest, []byte("orders")) {
		t.Errorf("%v\n%s%s", err, rest, &stderr)
	}
}

// command is this program as a user runs it.
func command(t *testing.T, arg string) *exec.Cmd {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], arg)
	cmd.Env = append(os.Environ(), "QUICKSTART=1")
	return cmd
}
