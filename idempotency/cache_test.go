package idempotency_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
	"github.com/seawall-go/seawall/internal/wall"
)

func TestCachedReplayAsksNoStore(t *testing.T) {
	s := newStage()
	s.config.Cache = new(idempotency.Cache)
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 0)
	s.config.Cache = new(idempotency.Cache) // another process
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 0)
	if got := s.told(); got != "replay replay replay" {
		t.Errorf("told %q", got)
	}
}

func TestCachedRecordExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Cache = new(idempotency.Cache)
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
		time.Sleep(time.Hour)
		s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 0)
		time.Sleep(time.Millisecond)
		s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Ran, 2)
		thaw := wall.Freeze(2 * time.Hour) // the environment was frozen, and its monotonic clock stood still
		defer thaw()
		s.want(t, t.Context(), order{ID: "7"}, 2, idempotency.Replayed, 1)
	})
}

func TestOnlyResultsAreCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.config.Cache = new(idempotency.Cache)
		s.then = func(context.Context) error {
			s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
			s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
			return errBoom
		}
		_, _, _ = s.call(t.Context(), order{ID: "7"})
		s.then = nil
		if n := s.Calls(storetest.Any); n != 4 {
			t.Errorf("%d round trips, want 4", n)
		}
		abandoned(t, s, t.Context())
		s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrInProgress)
	})
}

func TestKeptErrorIsCached(t *testing.T) {
	s := newStage()
	s.config.Cache = new(idempotency.Cache)
	s.config.Keep = func(error) bool { return true }
	s.then = func(context.Context) error { return errBoom }
	for trips := range 2 {
		before := s.Calls(storetest.Any)
		if _, _, err := s.call(t.Context(), order{ID: "7"}); err == nil || err.Error() != "boom" {
			t.Errorf("got %v", err)
		}
		if n := s.Calls(storetest.Any) - before; n != 2-2*trips {
			t.Errorf("%d round trips", n)
		}
	}
}

// asIs is a Codec that keeps bytes as they are, and in their place.
type asIs struct{}

func (asIs) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (asIs) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = data
	return nil
}

// A Codec returned the result's own bytes, its caller changed the result, and with it every replay.
func TestRegression_CachedResultIsACopy(t *testing.T) {
	for name, max := range map[string]int{"inline": 0, "in a blob": 150} {
		t.Run(name, func(t *testing.T) {
			noise := make([]byte, 200)
			_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
			s := newStage()
			s.Store = limited{&s.memory, max}
			kept := shares{}
			s.config.Codec, s.config.Cache, s.config.Blobs = asIs{}, new(idempotency.Cache), kept
			for i := range 5 {
				got, err := idempotency.Do(t.Context(), s.config, "7", func(context.Context) ([]byte, error) { return bytes.Clone(noise), nil })
				if err != nil || !bytes.Equal(got, noise) {
					t.Errorf("call %d: %x, %v", i, got, err)
				}
				clear(got)
				if i == 2 {
					s.config.Cache = new(idempotency.Cache) // the next one has it from the store
				}
			}
			for _, data := range kept {
				clear(data)
			}
			if got, err := idempotency.Do(t.Context(), s.config, "7", func(context.Context) ([]byte, error) { panic("it ran") }); err != nil || !bytes.Equal(got, noise) {
				t.Errorf("in the end: %x, %v", got, err)
			}
		})
	}
}

// shares keeps what it is given, and gives what it keeps.
type shares map[string][]byte

func (b shares) Put(_ context.Context, name string, data []byte) error {
	b[name] = data
	return nil
}

func (b shares) Get(_ context.Context, name string) ([]byte, error) { return b[name], nil }

// A transaction completed the record with one result, the handler returned another, and the cache disagreed with the store.
func TestRegression_CacheAgreesWithATransaction(t *testing.T) {
	s := newStage()
	s.config.Cache = new(idempotency.Cache)
	s.then = func(ctx context.Context) error {
		c, err := idempotency.CompletionOf(ctx, receipt{"7", 42})
		if err != nil {
			return err
		}
		return s.memory.Complete(ctx, c)
	}
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	s.want(t, t.Context(), order{ID: "7"}, 42, idempotency.Replayed, 1)
	s.want(t, t.Context(), order{ID: "7"}, 42, idempotency.Replayed, 0)
}

func TestCacheIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cache *idempotency.Cache
		size  int
		fits  int
	}{
		{"256 entries", new(idempotency.Cache), 1, 256},
		{"3 entries", &idempotency.Cache{Entries: 3}, 1, 3},
		{"1 MiB", &idempotency.Cache{Entries: 1000}, 1 << 18, 3},
		{"10 kB", &idempotency.Cache{Bytes: 10_000}, 1800, 5},
		{"too large alone", &idempotency.Cache{Bytes: 1000}, 1000, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage()
			s.config.Cache = tt.cache
			h := idempotency.Wrap(func(context.Context, order) (string, error) { return strings.Repeat("x", tt.size), nil }, byID, s.config)
			call := func(id int) (trips int) {
				before := s.Calls(storetest.Any)
				if _, err := h(t.Context(), order{ID: fmt.Sprint(id)}); err != nil {
					t.Fatal(err)
				}
				return s.Calls(storetest.Any) - before
			}
			for id := range tt.fits + 1 {
				call(id)
				if tt.fits > 1 && call(0) != 0 {
					t.Error("the one that was used last is gone")
				}
			}
			cached := 0
			for id := tt.fits; id >= 0; id-- { // the last that came in first, for a miss puts one in
				if call(id) > 0 {
					break
				}
				cached++
			}
			if want := max(tt.fits-1, min(tt.fits, 1)); cached != want {
				t.Errorf("%d of the last are cached, want %d", cached, want)
			}
		})
	}
}

func TestRecordTooLargeForTheCacheLeavesTheOthers(t *testing.T) {
	s := newStage()
	s.config.Cache = &idempotency.Cache{Bytes: 1000}
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	large := order{ID: strings.Repeat("8", 1000)}
	s.want(t, t.Context(), large, 2, idempotency.Ran, 2)
	s.want(t, t.Context(), large, 2, idempotency.Replayed, 1)
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 0)
}

// together is a store that answers claims two at a time.
type together struct {
	idempotency.Store

	gate sync.WaitGroup
}

func (s *together) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	s.gate.Done()
	s.gate.Wait()
	return s.Store.Claim(ctx, c)
}

func TestRecordThatComesTwiceIsCachedOnce(t *testing.T) {
	s := newStage()
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	s.config.Cache = &idempotency.Cache{Entries: 2}
	pairs := &together{Store: &s.memory}
	s.Store = pairs
	pairs.gate.Add(2)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Replayed || err != nil {
				t.Errorf("got %v, %v", outcome, err)
			}
		})
	}
	wg.Wait()
	s.Store = &s.memory
	s.want(t, t.Context(), order{ID: "8"}, 2, idempotency.Ran, 2)
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 0)
	s.want(t, t.Context(), order{ID: "8"}, 2, idempotency.Replayed, 0)
}

func TestCacheIsSharedByOperations(t *testing.T) {
	s := newStage()
	s.config.Cache = new(idempotency.Cache)
	var wg sync.WaitGroup
	for i := range 8 {
		c := s.config
		c.Scope = fmt.Sprint("scope ", i)
		h := idempotency.Wrap(func(_ context.Context, o order) (string, error) { return fmt.Sprintf("%d/%s", i, o.ID), nil }, byID, c)
		wg.Go(func() {
			for n := range 600 {
				id := n % 100
				if got, err := h(t.Context(), order{ID: fmt.Sprint(id)}); err != nil || got != fmt.Sprintf("%d/%d", i, id) {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}
