//go:build unix

// Package endtoend_test lets real processes die, stop and lose replies while they make a call once. The processes are this
// test, started again as workers; the stores are running servers, or fakes where there are none; and the effect of a call
// is in a ledger, which counts.
package endtoend_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if isWorker() {
		work()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// A worker that is killed leaves its record in progress. The next one takes over when the lease is over, and asks the
// ledger what became of the run before.
func TestWorkerIsKilled(t *testing.T) {
	for _, test := range []struct {
		name string
		at   moment
		want answer // of the worker that comes next
	}{
		{"before the effect", beforeEffect, answer{Receipt: "by attempt 2", Outcome: "took over"}},
		{"after the effect", afterEffect, answer{Receipt: "by attempt 1", Outcome: "replayed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, s store, key string) {
				l := newLedger(t)
				gate := l.hold(test.at, 1)
				first := start(t, task{Store: s, Ledger: l.URL, Key: key})
				gate.await(t)
				first.kill(t)

				next := start(t, task{Store: s, Ledger: l.URL, Key: key})
				if got := next.answer(t); got != test.want {
					t.Errorf("the next worker answered %+v, want %+v", got, test.want)
				}
				l.check(t, key, test.want.Receipt)
				s.replays(t, key, test.want.Receipt)
			})
		})
	}
}

// A worker that is paused for longer than its lease does not know that it was followed by another. What it does then is
// refused: its effect by the ledger, which has seen a later token, and its end by the store.
func TestWorkerIsPausedPastItsLease(t *testing.T) {
	for _, test := range []struct {
		name    string
		at      moment
		overlap bool   // it goes on while the next one runs
		late    answer // of the worker that was paused
		next    answer // of the one that took over
	}{
		{
			"before the effect", beforeEffect, false,
			answer{Error: "attempt 1 is over"},
			answer{Receipt: "by attempt 2", Outcome: "took over"},
		},
		{
			"before the effect, and goes on while the next one runs", beforeEffect, true,
			answer{Error: "attempt 1 is over"},
			answer{Receipt: "by attempt 2", Outcome: "took over"},
		},
		{
			"after the effect", afterEffect, false,
			answer{Receipt: "by attempt 1", Outcome: "lost"},
			answer{Receipt: "by attempt 1", Outcome: "replayed"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, s store, key string) {
				l := newLedger(t)
				gate, nextGate := l.hold(test.at, 1), l.hold(beforeEffect, 2)
				late := start(t, task{Store: s, Ledger: l.URL, Key: key})
				gate.await(t)
				late.pause(t)
				gate.open()

				next := start(t, task{Store: s, Ledger: l.URL, Key: key})
				var got answer
				if test.overlap {
					nextGate.await(t)
				} else {
					nextGate.open()
					got = next.answer(t)
				}
				late.resume(t)
				answered := late.answer(t).failed()
				if test.overlap {
					nextGate.open()
					got = next.answer(t)
				}
				if got != test.next {
					t.Errorf("the worker that took over answered %+v, want %+v", got, test.next)
				}
				if answered != test.late {
					t.Errorf("the worker that was paused answered %+v, want %+v", answered, test.late)
				}
				l.check(t, key, test.next.Receipt)
				s.replays(t, key, test.next.Receipt)
			})
		})
	}
}

// The end of a run may be on its way to the store for longer than the lease. When it arrives, the record is another's, and
// stays so.
func TestEndIsLate(t *testing.T) {
	for _, test := range []struct {
		name string
		at   moment // when the network begins to stall
		fail bool
		late answer
		next answer
	}{
		{
			"completion", afterEffect, false,
			answer{Receipt: "by attempt 1", Outcome: "lost"},
			answer{Receipt: "by attempt 1", Outcome: "replayed"},
		},
		{
			"release", beforeEffect, true,
			answer{Error: "declined"},
			answer{Receipt: "by attempt 2", Outcome: "took over"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, s store, key string) {
				l, stall := newLedger(t), newGate()
				line := newLine(t, s.host(), fault{stall: stall})
				gate := l.hold(test.at, 1)
				late := start(t, task{Store: s.through(line), Ledger: l.URL, Key: key, Fail: test.fail})
				gate.await(t)
				stall.arm()
				gate.open()
				stall.await(t)

				if got := start(t, task{Store: s, Ledger: l.URL, Key: key}).answer(t); got != test.next {
					t.Errorf("the worker that took over answered %+v, want %+v", got, test.next)
				}
				stall.open()
				if got := late.answer(t).failed(); got != test.late {
					t.Errorf("the worker that was late answered %+v, want %+v", got, test.late)
				}
				l.check(t, key, test.next.Receipt)
				s.replays(t, key, test.next.Receipt)
			})
		})
	}
}

// A request is carried out, its reply is lost, and the client sends it again: whichever request that is, the worker finds
// itself to be the owner, and all is as if nothing had happened.
func TestReplyIsLost(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store, key string) {
		want := answer{Receipt: "by attempt 1", Outcome: "ran"}
		lost := 0
		for {
			key := key + string(rune('a'+lost))
			l, line := newLedger(t), newLine(t, s.host(), fault{victim: lost + 1})
			if got := start(t, task{Store: s.through(line), Ledger: l.URL, Key: key}).answer(t); got != want {
				t.Errorf("without the reply to request %d, the worker answered %+v, want %+v", lost+1, got, want)
			}
			l.check(t, key, want.Receipt)
			s.replays(t, key, want.Receipt)
			if !line.lost() {
				break // there was no such request
			}
			lost++
		}
		if lost < 2 {
			t.Errorf("%d replies were lost, want at least those to the claim and to the completion", lost)
		}
	})
}

// A request is carried out, its reply is lost, and the worker cannot reach the store any more. Either it was refused, or
// it has its result though nobody knows of it; the next worker finds out which.
func TestStoreIsOutOfReach(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store, key string) {
		refused, unsaved := 0, 0
		for n := 1; ; n++ {
			key := key + string(rune('a'+n))
			l, line := newLedger(t), newLine(t, s.host(), fault{victim: n, forGood: true})
			got := start(t, task{Store: s.through(line), Ledger: l.URL, Key: key, Impatient: true}).answer(t)
			if !line.lost() {
				break
			}
			receipt := "by attempt 1"
			switch {
			case got.Error != "" && got.Outcome == "refused":
				refused++
			case got == answer{Receipt: receipt, Outcome: "unsaved"}:
				unsaved++
			default:
				t.Errorf("without the store from the reply to request %d on, the worker answered %+v", n, got)
			}
			next := start(t, task{Store: s, Ledger: l.URL, Key: key}).answer(t)
			if next.Receipt == "" || got.Receipt != "" && next.Receipt != got.Receipt {
				t.Errorf("after %+v, the next worker answered %+v", got, next)
			}
			l.check(t, key, next.Receipt)
			s.replays(t, key, next.Receipt)
		}
		if refused == 0 || unsaved == 0 {
			t.Errorf("%d were refused and %d unsaved, want some of each", refused, unsaved)
		}
	})
}
