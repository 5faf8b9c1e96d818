package idempotency_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

// replays checks that a replay is equal to the first result, in type and value, and that the handler does not run.
func replays[T any](name string, result T) func(*testing.T) {
	return func(t *testing.T) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			for cached, cache := range map[string]*idempotency.Cache{"store": nil, "cache": {}} {
				s := newStage()
				s.config.Cache = cache
				runs := 0
				h := func(ctx context.Context, key string) (T, error) {
					return idempotency.Do(ctx, s.config, key, func(context.Context) (T, error) { runs++; return result, nil })
				}
				first, outcome, err := watched(s.observe(t.Context()), h, "7")
				if err != nil || outcome != idempotency.Ran || !reflect.DeepEqual(any(first), any(result)) {
					t.Fatalf("first: %#v, %v, %v", first, outcome, err)
				}
				second, outcome, err := watched(t.Context(), h, "7")
				if err != nil || outcome != idempotency.Replayed || !reflect.DeepEqual(any(second), any(result)) {
					t.Errorf("replay from the %s: %#v, %v, %v; was %#v; record %+v", cached, second, outcome, err, result, s.record(t, "7"))
				}
				if runs != 1 {
					t.Errorf("%d runs", runs)
				}
			}
		})
	}
}

type id string

func (i id) MarshalText() ([]byte, error) { return []byte("id:" + i), nil }
func (i *id) UnmarshalText(text []byte) error {
	*i = id(strings.TrimPrefix(string(text), "id:"))
	return nil
}

type sku string

type base struct{ Base int }

type everything struct {
	base

	I64    int64
	U64    uint64
	F      float64
	F32    float32
	S      string
	B      []byte
	T      time.Time
	Number json.Number `json:",omitempty"`
	Big    *big.Int
	Addr   netip.Addr
	P      *everything `json:",omitempty"`
	M      map[sku]int
	K      map[int8]bool
	A      [2]bool
	Any    any
	D      time.Duration
	None   struct{}
}

func everythingThereIs() everything {
	e := everything{
		base: base{1}, I64: math.MaxInt64, U64: math.MaxUint64, F: 0.1, F32: 0.1, S: "<&>\u2028\ufffd\\ufffd\x00é😀", B: []byte{0, 255},
		T: time.Date(2026, 11, 22, 1, 2, 3, 456789012, time.UTC), Number: "12345678901234567890.10", Big: new(big.Int).Lsh(big.NewInt(1), 200),
		Addr: netip.MustParseAddr("::1"), M: map[sku]int{"a": 1}, K: map[int8]bool{-1: true}, A: [2]bool{true, false},
		Any: map[string]any{"n": json.Number("9007199254740993"), "l": []any{nil, "x", true}}, D: time.Hour,
	}
	e.P = new(everything)
	*e.P = e
	e.P.Number, e.P.P, e.P.Any = "", nil, nil
	return e
}

func TestReplayIsEqualToTheFirstResult(t *testing.T) {
	now := time.Now().UTC().Round(0)
	seven := 7
	nothing := (*int)(nil)
	for _, check := range []func(*testing.T){
		replays("zero", 0),
		replays("false", false),
		replays("empty string", ""),
		replays("nil", any(nil)),
		replays("nil pointer", nothing),
		replays("pointer", &seven),
		replays("nil slice", []int(nil)),
		replays("empty slice", []int{}),
		replays("nil map", map[string]int(nil)),
		replays("empty map", map[string]int{}),
		replays("empty struct", struct{}{}),
		replays("zero struct", receipt{}),
		replays("empty list in an interface", any([]any{})),
		replays("empty object in an interface", any(map[string]any{})),
		replays("false in an interface", any(false)),
		replays("int64 beyond a float", int64(1<<53+1)),
		replays("uint64", uint64(math.MaxUint64)),
		replays("a number in an interface", any(json.Number("9007199254740993"))),
		replays("a number that is empty", struct {
			N json.Number `json:",omitempty"`
		}{}),
		replays("keys that write themselves", map[netip.Addr]int{netip.IPv6Loopback(): 1}),
		replays("keys of a time", map[onlyTime]int{{time.Unix(7, 0).UTC()}: 1}),
		replays("keys that are written as they are", map[oneWayText]int{"a": 1}),
		replays("keys that are read as they should be", map[proper]proper{"A": "B"}),
		replays("keys that are numbers", map[time.Duration]int{7: 1}),
		replays("a decimal in an interface", any(map[string]any{"price": json.Number("0.10000000000000000000001")})),
		replays("float", math.SmallestNonzeroFloat64),
		replays("negative zero", math.Copysign(0, -1)),
		replays("time", now),
		replays("bytes", []byte{0, 1, 255}),
		replays("no bytes", []byte{}),
		replays("text that HTML escapes", "<script>&\u2028</script>"),
		replays("the replacement character", "\ufffd"),
		replays("its escape", `\ufffd`),
		replays("raw JSON, as it is written", json.RawMessage(" {\"b\":1 , \"a\":\"<\\u003c\"}\n")),
		replays("no raw JSON", json.RawMessage(nil)),
		replays("raw null", json.RawMessage("null")),
		replays("a field of no size", marked{N: 1}),
		replays("everything", everythingThereIs()),
	} {
		check(t)
	}
}

func TestReplaysAreCopies(t *testing.T) {
	for name, cache := range map[string]*idempotency.Cache{"from the store": nil, "from the cache": {}} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			s.config.Cache = cache
			for range 4 {
				got, err := idempotency.Do(t.Context(), s.config, "7", func(context.Context) (map[string][]int, error) {
					return map[string][]int{"a": {1, 2}}, nil
				})
				if err != nil || len(got) != 1 || !reflect.DeepEqual(got["a"], []int{1, 2}) {
					t.Fatalf("got %v, %v", got, err)
				}
				got["a"][0], got["b"] = 9, nil
			}
			raw := s.config
			raw.Scope = "raw"
			for range 4 {
				got, err := idempotency.Do(t.Context(), raw, "7", func(context.Context) (json.RawMessage, error) {
					return json.RawMessage(`[1]`), nil
				})
				if err != nil || string(got) != "[1]" {
					t.Fatalf("got %s, %v", got, err)
				}
				got[1] = '9'
			}
		})
	}
}

type marked struct {
	_    int
	mark struct{} //nolint:unused // it is there to be left out
	N    int
}

type explodes struct{ N int }

func (explodes) MarshalJSON() ([]byte, error) { panic("boom") }
func (*explodes) UnmarshalJSON([]byte) error  { return nil }

// What cannot be encoded is known when the call is done: its caller gets the result, and nobody makes the call again.
func TestResultThatCannotBeEncoded(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, c idempotency.Config) (any, error){
		"not a number": func(ctx context.Context, c idempotency.Config) (any, error) {
			return idempotency.Do(ctx, c, "7", func(context.Context) (float64, error) { return math.Inf(1), nil })
		},
		"not UTF-8": func(ctx context.Context, c idempotency.Config) (any, error) {
			return idempotency.Do(ctx, c, "7", func(context.Context) (string, error) { return "\xff", nil })
		},
		"not JSON": func(ctx context.Context, c idempotency.Config) (any, error) {
			return idempotency.Do(ctx, c, "7", func(context.Context) (json.RawMessage, error) { return json.RawMessage("{"), nil })
		},
		"a function in an interface": func(ctx context.Context, c idempotency.Config) (any, error) {
			return idempotency.Do(ctx, c, "7", func(context.Context) (any, error) { return func() {}, nil })
		},
		"a panic": func(ctx context.Context, c idempotency.Config) (any, error) {
			return idempotency.Do(ctx, c, "7", func(context.Context) (explodes, error) { return explodes{1}, nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			got, outcome, err := watched(s.observe(t.Context()), func(ctx context.Context, _ int) (any, error) { return call(ctx, s.config) }, 0)
			if err != nil || outcome != idempotency.Unsaved || reflect.ValueOf(got).IsZero() {
				t.Errorf("first: %v, %v, %v", got, outcome, err)
			}
			if len(s.events) != 1 || s.events[0].Kind != "unsaved" || !strings.HasPrefix(s.events[0].Err.Error(), "idempotency orders 7902699b: result not kept: ") {
				t.Errorf("told %+v", s.events)
			}
			for range 2 {
				got, outcome, err := watched(t.Context(), func(ctx context.Context, _ int) (any, error) { return call(ctx, s.config) }, 0)
				if !errors.Is(err, idempotency.ErrNotKept) || outcome != idempotency.Refused || got != nil && !reflect.ValueOf(got).IsZero() {
					t.Errorf("again: %v, %v, %v", got, outcome, err)
				}
			}
		})
	}
}

// An ajar can be written and not read.
type ajar struct{ N int }

func (ajar) MarshalJSON() ([]byte, error) { return []byte("1"), nil }
func (*ajar) UnmarshalJSON([]byte) error  { panic("boom") }

// A result with the six characters \ufffd in a string counted as one that is not UTF-8, and was not kept, if a time in it
// had a monotonic reading.
func TestRegression_AResultWithTheEscapeOfAReplacementCharacterIsKept(t *testing.T) {
	type at struct {
		At     time.Time
		Text   any
		Sealed sealed
		Raw    optional[json.RawMessage]
		Quoted string `json:",string"`
	}
	raw := json.RawMessage(`["\ufffd"]`)
	for i, tt := range []struct {
		at

		kept bool
	}{
		{at{Text: `{"name":"\ufffd"}`}, true},
		{at{Text: "\ufffd", Sealed: sealed{`\ufffd`}}, true},
		{at{Text: raw, Sealed: sealed{"\ufffd"}}, true},
		{at{Raw: optional[json.RawMessage]{raw, true}}, true},
		{at{Text: `\ufffd` + "\xff"}, false},
		{at{Text: `\ufffd`, Sealed: sealed{"\xff"}}, false},
		{at{Text: optional[string]{"\xff", true}}, false},
		{at{Quoted: "\xff"}, false},
	} {
		s := newStage()
		now := time.Now()
		f := func(context.Context) (at, error) { tt.At = now; return tt.at, nil }
		if _, err := idempotency.Do(t.Context(), s.config, "7", f); err != nil {
			t.Fatal(err)
		}
		got, err := idempotency.Do(t.Context(), s.config, "7", f)
		if errors.Is(err, idempotency.ErrNotKept) == tt.kept || tt.kept && (err != nil || !got.At.Equal(now) || got.Sealed != tt.Sealed || string(got.Raw.V) != string(tt.Raw.V)) {
			t.Errorf("%d: got %+v, %v", i, got, err)
		}
	}
}

// A type that panics over its own JSON brought the caller down with each replay.
func TestRegression_APanicOfADecoderIsACorruptRecord(t *testing.T) {
	s := newStage()
	f := func(context.Context) (ajar, error) { return ajar{7}, nil }
	if _, err := idempotency.Do(t.Context(), s.config, "7", f); err != nil {
		t.Fatal(err)
	}
	got, err := idempotency.Do(t.Context(), s.config, "7", f)
	if want := "record: panic: boom"; !errors.Is(err, idempotency.ErrCorrupt) || !contains(err.Error(), want) || got != (ajar{}) {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
}

type oneWay struct{ N int }

func (oneWay) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

type oneWayText string

func (oneWayText) MarshalText() ([]byte, error) { return nil, nil }

// A proper name is read in capitals.
type proper string

func (p *proper) UnmarshalText(text []byte) error { *p = proper(bytes.ToUpper(text)); return nil }

type countdown int

func (c *countdown) UnmarshalText(text []byte) error { return json.Unmarshal(text, (*int)(c)) }

type textByPointer struct{ N int }

func (t *textByPointer) MarshalText() ([]byte, error)    { return json.Marshal(t.N) }
func (t *textByPointer) UnmarshalText(text []byte) error { return json.Unmarshal(text, &t.N) }

type hidden struct{ n int } //nolint:unused // it is there to be left out

type self struct {
	Next *self

	hidden //nolint:unused // as above
}

func refuses[T any](want string) func(*testing.T) {
	return func(t *testing.T) {
		t.Run(want, func(t *testing.T) {
			h := func(context.Context, order) (T, error) { panic("it ran") }
			c := newStage().config
			if got := panics(func() { idempotency.Wrap(h, byID, c) }); !contains(got, want+": return what JSON can carry, or set a Codec") {
				t.Errorf("panic %q", got)
			}
			if got := panics(func() {
				_, _ = idempotency.Do(t.Context(), c, "7", func(ctx context.Context) (T, error) { return h(ctx, order{}) })
			}); !contains(got, want) {
				t.Errorf("Do: panic %q", got)
			}
			c.Codec = gobs{}
			idempotency.Wrap(h, byID, c)
		})
	}
}

// Better no first result than a second one that is not equal to it: what JSON would lose is known before anything runs.
func TestTypeThatJSONDoesNotCarryIsRefused(t *testing.T) {
	for _, check := range []func(*testing.T){
		refuses[hidden]("hidden.n is not exported"),
		refuses[[]*hidden]("hidden.n is not exported"),
		refuses[map[string]hidden]("hidden.n is not exported"),
		refuses[*self]("self.hidden.n is not exported"),
		refuses[struct{ *hidden }]("hidden is not exported"),
		refuses[struct {
			A int `json:"-"`
		}]("A is left out of JSON"),
		refuses[struct{ C chan int }]("C is of type chan int"),
		refuses[func()]("func() is of type func()"),
		refuses[complex128]("complex128 is of type complex128"),
		refuses[struct{ Err error }]("Err is an interface with methods, error"),
		refuses[io.Reader]("io.Reader is an interface with methods, io.Reader"),
		refuses[url.URL]("is not exported"),
		refuses[map[float64]int]("the keys of map[float64]int are of type float64"),
		refuses[map[oneWay]int]("the keys of map[idempotency_test.oneWay]int are of type idempotency_test.oneWay"),
		refuses[map[id]int]("the keys of map[idempotency_test.id]int are read with the UnmarshalText of idempotency_test.id, and not written with its MarshalText"),
		refuses[map[listening]int]("a key of map[idempotency_test.listening]int has the MarshalText of a field that is embedded, which leaves out the others"),
		refuses[map[byPointer]int]("the keys of map[idempotency_test.byPointer]int are of type idempotency_test.byPointer"),
		refuses[map[textByPointer]int]("a key of map[idempotency_test.textByPointer]int is in a map, where its MarshalText is not called, for it wants a pointer"),
		refuses[map[countdown]int]("a key of map[idempotency_test.countdown]int has an UnmarshalText and no MarshalText"),
		refuses[struct{ N json.Number }](`N is a json.Number, of which "" would be replayed as 0: tag it omitempty`),
		refuses[[]json.Number](`[]json.Number is a json.Number, of which "" would be replayed as 0: tag it omitempty`),
		refuses[oneWay]("oneWay has a MarshalJSON and no UnmarshalJSON"),
		refuses[[]oneWayText]("oneWayText has a MarshalText and no UnmarshalText"),
	} {
		check(t)
	}
}

// gobs is a Codec that keeps what JSON does not, and spoils the bytes it was given.
type gobs struct{}

func (gobs) Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func (gobs) Unmarshal(data []byte, v any) error {
	defer clear(data)
	return gob.NewDecoder(bytes.NewReader(data)).Decode(v)
}

func TestCodec(t *testing.T) {
	for name, limit := range map[string]int{"inline": 0, "compressed": 200, "in a blob": 100} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			s.config.Codec, s.config.Cache = gobs{}, new(idempotency.Cache)
			s.config.Blobs = &blobs{}
			s.Store = limited{&s.memory, limit}
			want := complex(1, 2)
			call := func(context.Context) (map[string]complex128, error) {
				s.runs.Add(1)
				return map[string]complex128{strings.Repeat("x", 1000): want}, nil
			}
			for i := range 4 {
				if i == 2 {
					s.config.Cache = new(idempotency.Cache)
				}
				got, err := idempotency.Do(t.Context(), s.config, "7", call)
				if err != nil || got[strings.Repeat("x", 1000)] != want || s.runs.Load() != 1 {
					t.Errorf("call %d: %v, %v after %d runs", i, got, err, s.runs.Load())
				}
			}
		})
	}
}

func TestCodecReadsWhatWasJSON(t *testing.T) {
	s := newStage()
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	s.config.Codec = gobs{}
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Replayed, 1)
	s.want(t, t.Context(), order{ID: "8"}, 2, idempotency.Ran, 2)
	s.config.Codec = nil
	s.refused(t, t.Context(), order{ID: "8"}, idempotency.ErrCorrupt)
}

// limited is a store with a limit that is exact.
type limited struct {
	idempotency.Store

	max int
}

func (l limited) MaxData(string) int { return l.max }

func (l limited) Complete(ctx context.Context, c idempotency.Completion) error {
	if l.max > 0 && len(c.Result.Data) > l.max {
		return fmt.Errorf("%d bytes are too many", len(c.Result.Data))
	}
	return l.Store.Complete(ctx, c)
}

type blobs struct {
	mu    sync.Mutex
	kept  map[string][]byte
	fails []error
}

func (b *blobs) next() error {
	if len(b.fails) == 0 {
		return nil
	}
	err := b.fails[0]
	b.fails = b.fails[1:]
	return err
}

func (b *blobs) Put(_ context.Context, name string, data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.next(); err != nil {
		return err
	}
	if b.kept == nil {
		b.kept = make(map[string][]byte)
	}
	b.kept[name] = bytes.Clone(data)
	return nil
}

func (b *blobs) Get(_ context.Context, name string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.next(); err != nil {
		return nil, err
	}
	data, ok := b.kept[name]
	if !ok {
		return nil, &fs.PathError{Op: "get", Path: name, Err: fs.ErrNotExist}
	}
	return data, nil
}

func TestLargeResult(t *testing.T) {
	regular := strings.Repeat("x", 10_000)
	source := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 10_000)
	for i := range random {
		random[i] = byte('0' + source.IntN(64))
	}
	for _, tt := range []struct {
		name   string
		result string
		limit  int
		blobs  *blobs
		want   idempotency.Encoding
	}{
		{"no limit", regular, 0, nil, idempotency.JSON},
		{"exactly the limit", regular, 10_002, nil, idempotency.JSON},
		{"one byte more", regular, 10_001, nil, idempotency.Gzip},
		{"too large compressed", string(random), 200, &blobs{}, idempotency.Blob},
		{"not compressible", string(random), 5_000, &blobs{}, idempotency.Blob},
		{"nowhere to go", string(random), 200, nil, idempotency.NotKept},
		{"one failure of the blobs", string(random), 200, &blobs{fails: []error{errBoom}}, idempotency.Blob},
		{"the blobs are down", string(random), 200, &blobs{fails: slices.Repeat([]error{errBoom}, 99)}, idempotency.NotKept},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.Store = limited{&s.memory, tt.limit}
				if tt.blobs != nil {
					s.config.Blobs = tt.blobs
				}
				result := tt.result
				h := idempotency.Wrap(func(context.Context, order) (string, error) { s.runs.Add(1); return result, nil }, byID, s.config)
				got, outcome, err := watched(s.observe(t.Context()), h, order{ID: "7"})
				kept := tt.want != idempotency.NotKept
				if got != result || err != nil || kept != (outcome == idempotency.Ran) || kept != (s.told() == "") {
					t.Errorf("first: %d bytes, %v, %v", len(got), outcome, err)
				}
				if r := s.record(t, "7"); r.Status != idempotency.Completed || r.Result.Encoding != tt.want {
					t.Errorf("the record is %s, %s, %d bytes", r.Status, r.Result.Encoding, len(r.Result.Data))
				}
				for range 2 {
					got, outcome, err := watched(t.Context(), h, order{ID: "7"})
					if kept && (got != result || outcome != idempotency.Replayed || err != nil) {
						t.Errorf("replay: %d bytes, %v, %v", len(got), outcome, err)
					}
					if !kept && (got != "" || outcome != idempotency.Refused || !errors.Is(err, idempotency.ErrNotKept)) {
						t.Errorf("replay: %d bytes, %v, %v", len(got), outcome, err)
					}
				}
				if n := s.runs.Load(); n != 1 {
					t.Errorf("%d runs", n)
				}
			})
		})
	}
}

func TestBlobsThatFailOnReplay(t *testing.T) {
	s := newStage()
	s.Store = limited{&s.memory, 200}
	b := &blobs{}
	s.config.Blobs, s.config.FailOpen = b, true
	want := make([]byte, 500)
	_, _ = rand.NewChaCha8([32]byte{}).Read(want)
	call := func(ctx context.Context, key string) ([]byte, error) {
		return idempotency.Do(ctx, s.config, key, func(context.Context) ([]byte, error) { return want, nil })
	}
	if _, outcome, err := watched(t.Context(), call, "7"); outcome != idempotency.Ran {
		t.Errorf("first: %v, %v", outcome, err)
	}
	b.fails = []error{errBoom}
	got, outcome, err := watched(t.Context(), call, "7")
	if got != nil || outcome != idempotency.Refused {
		t.Errorf("got %v, %v", got, outcome)
	}
	if failed, ok := errors.AsType[*idempotency.StoreError](err); !ok || failed.Op != "get" || !errors.Is(err, errBoom) || !failed.Refused() || errors.Is(err, idempotency.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	if got, outcome, err := watched(t.Context(), call, "7"); !bytes.Equal(got, want) || outcome != idempotency.Replayed {
		t.Errorf("then %v, %v, %v", got, outcome, err)
	}
	for name := range b.kept {
		if want := recordKey("orders", "7") + "/" + s.record(t, "7").Owner + "/"; !strings.HasPrefix(name, want) || len(name) != len(want)+16 {
			t.Errorf("blob %q, want %q", name, want)
		}
	}
}

// A blob that was gone was a store that is down, until the TTL was over.
func TestRegression_ResultWhoseBlobIsGoneIsNotKept(t *testing.T) {
	s := newStage()
	s.Store = limited{&s.memory, 200}
	b := &blobs{}
	s.config.Blobs = b
	call := func(ctx context.Context, key string) ([]byte, error) {
		return idempotency.Do(ctx, s.config, key, func(context.Context) ([]byte, error) {
			noise := make([]byte, 500)
			_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
			return noise, nil
		})
	}
	if _, outcome, err := watched(t.Context(), call, "7"); outcome != idempotency.Ran || err != nil {
		t.Errorf("first: %v, %v", outcome, err)
	}
	clear(b.kept)
	got, outcome, err := watched(t.Context(), call, "7")
	if got != nil || outcome != idempotency.Refused || !errors.Is(err, idempotency.ErrNotKept) || !errors.Is(err, fs.ErrNotExist) || errors.Is(err, idempotency.ErrStore) {
		t.Errorf("got %v, %v, %v", got, outcome, err)
	}
}

// An error that is too large to be kept is one that nobody can replay.
func TestLargeErrorIsNotKept(t *testing.T) {
	s := newStage()
	s.Store = limited{&s.memory, 200}
	s.config.Keep = func(error) bool { return true }
	text := make([]byte, 500)
	_, _ = rand.NewChaCha8([32]byte{}).Read(text)
	large := fmt.Errorf("%x", text)
	s.then = func(context.Context) error { return large }
	if _, outcome, err := s.call(t.Context(), order{ID: "7"}); outcome != idempotency.Unsaved || !errors.Is(err, large) {
		t.Errorf("got %v, %v", outcome, err)
	}
	s.refused(t, t.Context(), order{ID: "7"}, idempotency.ErrNotKept)
	s.config.Blobs = &blobs{}
	for _, want := range []idempotency.Outcome{idempotency.Ran, idempotency.Replayed} {
		if _, outcome, err := s.call(t.Context(), order{ID: "8"}); outcome != want || err == nil || err.Error() != large.Error() {
			t.Errorf("got %v, %v", outcome, err)
		}
	}
}

func TestCompletionOf(t *testing.T) {
	s := newStage()
	s.config.Fingerprint = amount
	s.then = func(ctx context.Context) error {
		c, err := idempotency.CompletionOf(ctx, receipt{"7", 1})
		if err != nil {
			t.Fatal(err)
		}
		token, _ := idempotency.Token(ctx)
		if c.Key != token.Key || c.Owner != token.Owner || c.Fingerprint == "" || c.Expires.Before(time.Now().Add(59*time.Minute)) || c.Result.Encoding != idempotency.JSON {
			t.Errorf("completion %+v", c)
		}
		return s.memory.Complete(ctx, c)
	}
	s.want(t, t.Context(), order{"7", 5}, 1, idempotency.Ran, 2)
	s.want(t, t.Context(), order{"7", 5}, 1, idempotency.Replayed, 1)
}

func TestCompletionOfNothing(t *testing.T) {
	s := newStage()
	s.Store = limited{&s.memory, 20}
	for name, result := range map[string]any{"of another type": 7, "too large": receipt{strings.Repeat("x", 100), 1}} {
		s.then = func(ctx context.Context) error {
			_, err := idempotency.CompletionOf(ctx, result)
			if err == nil {
				t.Error(name)
			}
			return err
		}
		if _, outcome, err := s.call(t.Context(), order{ID: "7"}); err == nil || outcome != idempotency.Released {
			t.Errorf("%s: %v, %v", name, outcome, err)
		}
	}
	if _, err := idempotency.CompletionOf(t.Context(), 7); err == nil {
		t.Error("there is a completion outside of all calls")
	}
}

// Whatever JSON value a handler returns comes back as the same JSON.
func FuzzResult(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5,"x",null,true]}`, `0`, `""`, `[]`, `9007199254740993`, `"\ud800"`, `"<"`, `1e400`, `{"a":1,"a":2}`} {
		f.Add([]byte(seed), 0)
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, limit int) {
		if !json.Valid(text) {
			return
		}
		s := newStage()
		if limit > 0 {
			s.Store = limited{&s.memory, limit%1000 + 200} // room for the name of a blob
		}
		s.config.Blobs = &blobs{}
		raw := s.config
		raw.Scope = "raw"
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var value any
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := idempotency.Do(t.Context(), s.config, "7", func(context.Context) (any, error) { return value, nil })
			if err != nil || !reflect.DeepEqual(got, value) {
				t.Fatalf("%s: got %#v, %v, want %#v", text, got, err, value)
			}
			again, err := idempotency.Do(t.Context(), raw, "7", func(context.Context) (json.RawMessage, error) { return text, nil })
			if err != nil || !bytes.Equal(again, text) {
				t.Fatalf("%s: got %s, %v", text, again, err)
			}
		}
	})
}
