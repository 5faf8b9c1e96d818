package retry_test

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall-go/seawall/internal/scope"
	"github.com/seawall-go/seawall/retry"
)

// repeats is how many repeats b pays for, until it pays no more.
func repeats(b *retry.Budget) int {
	return calls(context.Background(), retry.Policy{Attempts: 900, Budget: b}, errDown) - 1
}

func succeed(t *testing.T, b *retry.Budget, n int) {
	t.Helper()
	for range n {
		if err := (retry.Policy{Budget: b}).Do(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBudget(t *testing.T) {
	for _, tt := range []struct {
		name      string
		budget    *retry.Budget
		successes int
		want      int
	}{
		{"zero value", &retry.Budget{}, 0, 10},
		{"zero value after nine successes", &retry.Budget{}, 9, 10},
		{"zero value after ten successes", &retry.Budget{}, 10, 11},
		{"zero value, full", &retry.Budget{}, 10_000, 35},
		{"opening", &retry.Budget{Opening: 3}, 0, 3},
		{"no opening", &retry.Budget{Opening: -1}, 0, 0},
		{"no opening, earned", &retry.Budget{Opening: -1}, 20, 2},
		{"ratio", &retry.Budget{Opening: -1, Ratio: 0.57}, 100, 35},
		{"ratio without error", &retry.Budget{Opening: -1, Ratio: 0.57, Max: 99}, 100, 57},
		{"whole ratio", &retry.Budget{Opening: -1, Ratio: 1}, 5, 5},
		{"max", &retry.Budget{Max: 12}, 1000, 12},
		{"opening above max", &retry.Budget{Opening: 20, Max: 5}, 1000, 20},
		{"max without end", &retry.Budget{Opening: -1, Ratio: 1, Max: math.MaxInt}, 50, 50},
		{"no limit to speak of", &retry.Budget{Opening: math.MaxInt, Max: math.MaxInt}, 10, 899},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.budget
			succeed(t, b, tt.successes)
			if got := repeats(b); got != tt.want {
				t.Errorf("paid for %d repeats, want %d", got, tt.want)
			}
			if got := repeats(b); got != 0 && tt.want < 899 {
				t.Errorf("paid for %d repeats when it was empty", got)
			}
		})
	}
}

func TestBudgetEarnsFromFirstAttemptsOnly(t *testing.T) {
	b := &retry.Budget{Opening: 1, Ratio: 1}
	s := &script{errs: []error{errDown}}
	if err := (retry.Policy{Base: -1, Budget: b}).Do(t.Context(), s.call); err != nil {
		t.Fatal(err)
	}
	if got := repeats(b); got != 0 {
		t.Errorf("%d repeats earned by a success that took one", got)
	}
}

func TestBudgetIsSharedByPolicies(t *testing.T) {
	b := &retry.Budget{Opening: 3}
	if got := calls(t.Context(), retry.Policy{Budget: b}, errDown) + calls(t.Context(), retry.Policy{Attempts: 9, Budget: b}, errDown); got != 2+3 {
		t.Errorf("two policies made %d calls, want 2 and 3 repeats", got)
	}
}

func TestBudgetDoesNotPayForWhatIsNotMade(t *testing.T) {
	t.Run("stop, attempts, deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &retry.Budget{}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_ = retry.Policy{Budget: b}.Do(ctx, failing(retry.Permanent(errDown)).call)
			_ = retry.Policy{Budget: b, Attempts: 1}.Do(ctx, failing(errDown).call)
			_ = retry.Policy{Budget: b, Cap: time.Hour}.Do(ctx, failing(hinted{time.Hour}).call)
			if got := repeats(b); got != 10 {
				t.Errorf("%d repeats left, want 10", got)
			}
		})
	})
	t.Run("cancelled while waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &retry.Budget{}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_ = retry.Policy{Budget: b}.Do(ctx, failing(hinted{time.Minute}).call)
			if got := repeats(b); got != 10 {
				t.Errorf("%d repeats left, want 10", got)
			}
		})
	})
}

// Nothing is earned by waiting, so a process that was frozen for a day is as rich as before.
func TestBudgetDoesNotFillByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &retry.Budget{}
		repeats(b)
		time.Sleep(24 * time.Hour)
		if got := repeats(b); got != 0 {
			t.Errorf("paid for %d repeats after a day, want 0", got)
		}
	})
}

func TestBudgetNonsensePanics(t *testing.T) {
	for _, b := range []*retry.Budget{{Ratio: 1.1}, {Ratio: math.NaN()}, {Ratio: math.Inf(1)}, {Max: -1}} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, "retry: Budget{") {
					t.Errorf("Budget{Ratio: %v, Max: %v} panics with %q", b.Ratio, b.Max, s)
				}
			}()
			_ = retry.Policy{Budget: b}.Do(t.Context(), func(context.Context) error { return nil })
		}()
	}
}

// The model: a balance that starts at Opening, earns Ratio up to Max, and pays one for each repeat it has.
func TestBudgetModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		thousandths := rapid.IntRange(1, 1000).Draw(rt, "ratio")
		opening, most := rapid.IntRange(1, 20).Draw(rt, "opening"), rapid.IntRange(1, 40).Draw(rt, "max")
		b := &retry.Budget{Ratio: float64(thousandths) / 1000, Opening: opening, Max: most}
		balance := opening * 1000
		rt.Repeat(map[string]func(*rapid.T){
			"succeed": func(*rapid.T) {
				succeed(t, b, 1)
				if balance < most*1000 {
					balance = min(balance+thousandths, most*1000)
				}
			},
			"fail": func(rt *rapid.T) {
				attempts := rapid.IntRange(1, 5).Draw(rt, "attempts")
				want := min(attempts-1, balance/1000)
				balance -= want * 1000
				if got := calls(context.Background(), retry.Policy{Attempts: attempts, Budget: b}, errDown) - 1; got != want {
					rt.Fatalf("%d repeats, want %d", got, want)
				}
			},
		})
	})
}

// Many at once lose nothing of what they earn, and spend no more than that.
func TestBudgetConcurrently(t *testing.T) {
	const callers, rounds = 8, 50_000
	b := &retry.Budget{Opening: -1, Ratio: 0.5, Max: callers * rounds}
	p := policy(retry.Policy{Attempts: -1, Base: -1, Budget: b, Nested: true})
	nested := scope.WithRetry(context.Background()) // it is the fastest so, and meets the others most often
	atOnce := func(do func()) {
		var wg sync.WaitGroup
		for range callers {
			wg.Go(do)
		}
		wg.Wait()
	}
	atOnce(func() {
		for range rounds {
			_ = p.Do(nested, succeeding)
		}
	})
	var made atomic.Int64
	atOnce(func() {
		for range 10 {
			_ = p.Do(nested, func(context.Context) error { made.Add(1); return errDown })
		}
	})
	if got, want := made.Load()-callers*10, int64(callers*rounds/2); got != want {
		t.Errorf("paid for %d repeats, want %d", got, want)
	}
}
