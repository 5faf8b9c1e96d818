package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
)

func TestFlaky(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := new(idempotency.Memory)
		f := &storetest.Flaky{Store: memory}
		now := time.Now()
		claim := func(ctx context.Context, owner string) (idempotency.Record, error) {
			return f.Claim(ctx, idempotency.Claim{
				Key: "k", Owner: owner, Now: now, Lease: now.Add(time.Minute), Expires: now.Add(time.Hour),
			})
		}
		held := func() string {
			r, _ := memory.Load(t.Context(), "k")
			return fmt.Sprint(r.Owner, r.Status)
		}
		boom := errors.New("boom")
		f.Next(storetest.Any, storetest.Fault{Err: boom})
		f.Next(storetest.Claim, storetest.Fault{}, storetest.Fault{Err: boom}, storetest.Fault{Lost: true})
		f.Next(storetest.Claim, storetest.Fault{Lost: true, Err: boom})

		if r, err := claim(t.Context(), "A"); err != nil || r.Owner != "A" {
			t.Errorf("a Claim without a fault: %+v, %v", r, err)
		}
		if err := f.Release(t.Context(), "k", "A"); !errors.Is(err, boom) || held() != "AINPROGRESS" {
			t.Errorf("a Release that failed: %v, the record is %s", err, held())
		}
		if err := f.Release(t.Context(), "k", "A"); err != nil || held() != "" {
			t.Errorf("a Release: %v, the record is %s", err, held())
		}
		if _, err := claim(t.Context(), "B"); !errors.Is(err, boom) || held() != "" {
			t.Errorf("a Claim that failed: %v, the record is %s", err, held())
		}
		if r, err := claim(t.Context(), "C"); !errors.Is(err, storetest.ErrReply) || r.Owner != "" || held() != "CINPROGRESS" {
			t.Errorf("a Claim whose reply was lost: %+v, %v, the record is %s", r, err, held())
		}
		if r, err := claim(t.Context(), "C"); !errors.Is(err, boom) || r.Owner != "" {
			t.Errorf("a Claim whose reply was lost with an error: %+v, %v", r, err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f.Next(storetest.Extend, storetest.Fault{Delay: time.Hour}, storetest.Fault{Delay: time.Hour, Lost: true})
		f.Next(storetest.Complete, storetest.Fault{Delay: 2 * time.Second})
		f.Next(storetest.Load, storetest.Fault{Delay: time.Minute, Err: boom})
		if err := f.Extend(ctx, "k", "C", now); !errors.Is(err, context.DeadlineExceeded) || time.Since(now) != time.Second {
			t.Errorf("an Extend that took too long: %v after %v", err, time.Since(now))
		}
		if err := f.Extend(ctx, "k", "C", now); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an Extend that took too long and would have lost its reply: %v", err)
		}
		err := f.Complete(t.Context(), idempotency.Completion{Key: "k", Owner: "C", Expires: now.Add(time.Hour)})
		if err != nil || time.Since(now) != 3*time.Second || held() != "CCOMPLETED" {
			t.Errorf("a Complete that took 2s: %v after %v, the record is %s", err, time.Since(now), held())
		}
		if _, err := f.Load(t.Context(), "k"); !errors.Is(err, boom) {
			t.Errorf("a Load that failed: %v", err)
		}
		if r, err := f.Load(t.Context(), "k"); err != nil || r.Status != idempotency.Completed {
			t.Errorf("a Load: %+v, %v", r, err)
		}
		for verb, want := range map[storetest.Verb]int{
			storetest.Claim: 4, storetest.Release: 2, storetest.Extend: 2, storetest.Complete: 1, storetest.Load: 2, storetest.Any: 11,
		} {
			if got := f.Calls(verb); got != want {
				t.Errorf("Calls(%q) = %d, want %d", verb, got, want)
			}
		}
	})
}
