package idempotency_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
	"github.com/seawall-go/seawall/internal/refusal"
)

func TestPayloadOfEqualPayloadsIsEqual(t *testing.T) {
	type inner struct {
		B string `json:"b"`
		A int64  `json:"a"`
	}
	for name, same := range map[string][]any{
		"order of members": {
			json.RawMessage(`{"a":1,"b":"x"}`), json.RawMessage(`{"b":"x","a":1}`), inner{"x", 1}, &inner{"x", 1}, map[string]any{"b": "x", "a": 1},
		},
		"white space":          {json.RawMessage("[1,{\"a\":[]}]"), json.RawMessage(" [ 1 ,\n\t{ \"a\" : [ ] } ]\r\n")},
		"order at every depth": {json.RawMessage(`[{"x":{"b":{"d":1,"c":2},"a":0}}]`), json.RawMessage(`[{"x":{"a":0,"b":{"c":2,"d":1}}}]`)},
		"spelling of strings":  {json.RawMessage(`"a/\u00e9\n\ud83d\ude00<\u003c\u0001"`), json.RawMessage(`"\u0061\/é\u000a😀\u003c<\u0001"`), "a/é\n😀<<\x01"},
		"spelling of numbers":  {json.RawMessage(`[100,0.1,0,1e-7]`), json.RawMessage(`[1e2,1E-1,-0.0,0.0000001]`), []float64{100, 0.1, math.Copysign(0, -1), 1e-7}},
		"large numbers":        {json.RawMessage(`[9007199254740993,12345678901234567890]`), []any{int64(9007199254740993), uint64(12345678901234567890)}, json.RawMessage(`[900719925474099.3e1,1234567890123456789e1]`)},
		"keys that differ only by case": {
			json.RawMessage(`{"a":1,"A":2,"Aa":3,"aA":4}`), json.RawMessage(`{"A":2,"aA":4,"a":1,"Aa":3}`), json.RawMessage(`{"aA":4,"Aa":3,"A":2,"a":1}`),
		},
		"the replacement character": {json.RawMessage(`"\ufffd"`), json.RawMessage("\"\ufffd\""), "\ufffd"},
		"a backslash before it":     {json.RawMessage(`"\\ufffd"`), `\ufffd`},
	} {
		t.Run(name, func(t *testing.T) {
			var want string
			for i, v := range same {
				var got string
				var err error
				if raw, ok := v.(json.RawMessage); ok {
					got, err = idempotency.Payload(raw)
				} else {
					got, err = idempotency.Payload(v)
				}
				if err != nil || len(got) != 64 {
					t.Fatalf("%v: %q, %v", v, got, err)
				}
				if i == 0 {
					want = got
				} else if got != want {
					t.Errorf("%v has another key than %v", v, same[0])
				}
			}
		})
	}
}

func TestPayloadOfDifferentPayloadsIsDifferent(t *testing.T) {
	seen := make(map[string]string)
	for _, text := range []string{
		`0`, `false`, `""`, `[]`, `{}`, `[null]`, `"0"`, `"null"`, `[[]]`, `{"a":null}`, `{"a":[]}`,
		`[1,2]`, `[2,1]`, `[12]`, `{"a":1,"b":2}`, `{"a":2,"b":1}`, `{"a":{"b":2}}`, `{"A":1,"b":2}`,
		`9007199254740992`, `9007199254740993`, `0.1`, `0.10000000000000000000001`, `1e400`, `-1`, `1`, `1e-400`, `10`,
		`"a"`, `"A"`, `"a "`, `"é"`, `"e\u0301"`, `"\u0000"`, `"\ud83d\ude00"`,
	} {
		got, err := idempotency.Payload(json.RawMessage(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%s has the key of %s", text, other)
		}
		seen[got] = text
	}
}

// Without a payload there is nothing that tells one call from another. All empty events had one key once, and one record.
func TestRegression_NoPayloadIsNoKey(t *testing.T) {
	payload := func(name, got string, err error) {
		t.Helper()
		if got != "" || !errors.Is(err, idempotency.ErrNoKey) {
			t.Errorf("%s: got %q, %v; want ErrNoKey", name, got, err)
		}
	}
	got, err := idempotency.Payload[any](nil)
	payload("nil", got, err)
	got, err = idempotency.Payload[*order](nil)
	payload("a nil pointer", got, err)
	got, err = idempotency.Payload[map[string]int](nil)
	payload("a nil map", got, err)
	got, err = idempotency.Payload[[]int](nil)
	payload("a nil slice", got, err)
	got, err = idempotency.Payload[json.RawMessage](nil)
	payload("no JSON", got, err)
	got, err = idempotency.Payload(json.RawMessage(" null\n"))
	payload("a JSON null", got, err)

	s := newStage()
	h := idempotency.Wrap(func(context.Context, *order) (receipt, error) { s.runs.Add(1); return receipt{}, nil }, idempotency.Payload, s.config)
	for want := range int32(3) {
		if _, err := h(t.Context(), nil); err != nil || s.runs.Load() != want+1 {
			t.Errorf("%d runs, %v; want one for each call", s.runs.Load(), err)
		}
	}
}

type verbatim struct {
	Raw  json.RawMessage
	Text string
	More any
}

// A replacement character that was escaped in a json.RawMessage was taken for a string that is not UTF-8.
func TestRegression_AnEscapedReplacementCharacterIsLegal(t *testing.T) {
	raw, plain := json.RawMessage(`{"a":"\ufffd","b":"\uFFFD"}`), map[string]string{"b": "\ufffd", "a": "\ufffd"}
	want, err := idempotency.Payload(map[string]any{"Raw": plain, "Text": "\ufffd", "More": plain})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{
		verbatim{raw, "\ufffd", plain},
		&verbatim{raw, "\ufffd", []any{raw}[0]},
		map[id]any{"x": 1, "y": &verbatim{raw, `\ufffd`, raw}, "z": [1][]byte{{0xff}}}, // bytes are no string
	} {
		got, err := idempotency.Payload(v)
		if m, ok := v.(map[id]any); err != nil || !ok && got != want {
			t.Errorf("%v: got %q, %v; want %q", m, got, err, want)
		}
	}
	for name, v := range map[string]any{
		"beside it":        verbatim{raw, "\xff", nil},
		"in an interface":  verbatim{raw, "", []any{"\xff"}},
		"as a name":        map[string]any{"\xff": raw},
		"in an embedded":   struct{ Embedded verbatim }{verbatim{raw, "\xff", nil}},
		"behind a pointer": &[]*verbatim{{raw, "\xff", nil}},
		"as a text":        []any{raw, id("\xff")},
		"of its own":       []any{raw, optional[string]{"\xff", true}},
		"in the raw":       struct{ R json.RawMessage }{json.RawMessage("\"\xff\"")},
	} {
		if got, err := idempotency.Payload(v); err == nil || got != "" {
			t.Errorf("not UTF-8 %s: got %q, %v", name, got, err)
		}
	}
}

// A sealed one writes its text itself.
type sealed struct{ text string }

func (s sealed) MarshalJSON() ([]byte, error) { return json.Marshal(s.text) }

func (s *sealed) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &s.text) }

// A sealedText does so through a pointer, which only what has an address has.
type sealedText struct{ text string }

func (s *sealedText) MarshalText() ([]byte, error) { return []byte(s.text), nil }

// A hexed one is written in digits, but as the name of a member it is written as it is.
type hexed string

func (h hexed) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%x", string(h)), nil }

// The six characters \ufffd, as JSON in a string has them, beside anything with a MarshalJSON, even a time.Time, were taken
// for a string that is not UTF-8: such an event never had a key.
func TestRegression_ATextWithTheEscapeOfAReplacementCharacterIsLegal(t *testing.T) {
	type message struct {
		At, Text any
	}
	hidden := struct {
		Hidden string `json:"-"`
	}{"\xff"}
	seen := make(map[string]any)
	for _, text := range []string{`\ufffd`, `\\ufffd`, `{"name":"\ufffd"}`, "\ufffd", "x"} {
		for _, v := range []any{
			message{time.Unix(0, 0), text}, &message{&time.Time{}, text}, message{sealed{text}, text}, message{sealed{text}, 0}, message{0, &sealedText{text}},
			message{map[time.Time]string{{}: text}, 0}, message{map[string]any{text: 1}, time.Time{}}, message{hexed(text), text},
			message{map[int]any{1: text}, 1}, message{hidden, text},
		} {
			got, err := idempotency.Payload(v)
			if err != nil {
				t.Errorf("%+v: %v", v, err)
				continue
			}
			if other, taken := seen[got]; taken {
				t.Errorf("%+v has the key of %+v", v, other)
			}
			seen[got] = v
		}
	}
	for name, v := range map[string]any{
		"a text of its own":              sealed{"\xff"},
		"a text of its own, beside one":  message{sealed{"\xff"}, `\ufffd`},
		"with backslashes":               message{sealed{`\` + "\xff"}, nil},
		"beside one":                     message{time.Time{}, `\ufffd` + "\xff"},
		"behind a pointer":               &message{&sealed{"\xff"}, nil},
		"a text of a pointer's":          &struct{ S sealedText }{sealedText{"\xff"}},
		"a name that could write itself": map[hexed]int{"\xff": 1},
		"in a string of JSON in a string": struct {
			S string `json:",string"`
		}{"\xff"},
	} {
		if got, err := idempotency.Payload(v); err == nil || got != "" {
			t.Errorf("not UTF-8, %s: got %q, %v", name, got, err)
		}
	}
}

func TestPayloadAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	e := kilobyte()
	got := testing.AllocsPerRun(100, func() { _, _ = idempotency.Payload(e) })
	if got > 2 { // the argument, and the key
		t.Errorf("%v allocations, want 2 at most", got)
	}
}

func TestPayloadOfWhatMeansNothing(t *testing.T) {
	for name, v := range map[string]any{
		"not JSON":                 json.RawMessage(`{"a":`),
		"empty":                    json.RawMessage(``),
		"two values":               json.RawMessage(`1 2`),
		"a member twice":           json.RawMessage(`{"a":1,"b":2,"a":3}`),
		"spelled in two ways":      json.RawMessage(`{"a":1,"\u0061":1}`),
		"twice, further in":        json.RawMessage(`[{"x":{"a":1,"a":1}}]`),
		"twice, in a map":          map[string]json.RawMessage{"x": json.RawMessage(`{"a":1,"a":1}`)},
		"not UTF-8":                json.RawMessage("\"\xff\""),
		"not UTF-8, in Go":         "\xff",
		"not UTF-8, as a name":     map[string]int{"\xff": 1},
		"half a character":         json.RawMessage(`"\ud83d"`),
		"the wrong half":           json.RawMessage(`"\ud83d\u0061"`),
		"the wrong half, in a map": map[string]json.RawMessage{"x": json.RawMessage(`"\ude00"`)},
		"no number":                math.NaN(),
		"an exponent out of reach": json.RawMessage(`1e99999999999`),
		"a function":               func() {},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			var err error
			if raw, ok := v.(json.RawMessage); ok {
				got, err = idempotency.Payload(raw)
			} else {
				got, err = idempotency.Payload(v)
			}
			if err == nil || got != "" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	seen := make(map[string][]string)
	for _, parts := range [][]string{
		{"a", "b"}, {"b", "a"}, {"ab"}, {"ab", ""}, {"", "ab"}, {"a", "", "b"}, {"1:a,1:b,"}, {"1:a", "1:b"}, {"a,", "b"}, {"a", ",b"},
		{strings.Repeat("x", 11)}, {"1", ":" + strings.Repeat("x", 9)},
	} {
		got := idempotency.Join(parts...)
		if other, ok := seen[got]; ok || got == "" {
			t.Errorf("Join(%q) = Join(%q) = %q", parts, other, got)
		}
		seen[got] = parts
	}
	if idempotency.Join() != "" || idempotency.Join("", "") != "" {
		t.Error("no part is a key")
	}
}

func TestCallWithoutAKey(t *testing.T) {
	s := newStage()
	for range 2 {
		n := s.runs.Load() + 1
		s.want(t, t.Context(), order{}, n, idempotency.Unprotected, 0)
	}
	if len(s.events) != 2 || s.events[0].Kind != "unprotected" || !errors.Is(s.events[0].Err, idempotency.ErrNoKey) {
		t.Errorf("told %+v", s.events)
	}
	s.config.RequireKey = true
	err := s.refused(t, t.Context(), order{}, idempotency.ErrNoKey)
	if want := "idempotency orders: the call has no key"; err.Error() != want || refusal.Status(err) != 400 || s.Calls(storetest.Any) != 0 {
		t.Errorf("got %q", err)
	}
}

func TestKeyThatCannotBeFound(t *testing.T) {
	for _, tt := range []struct {
		name   string
		key    func(order) (string, error)
		change func(*idempotency.Config)
		want   error
		runs   bool
	}{
		{name: "an error", key: func(order) (string, error) { return "7", errBoom }, want: errBoom},
		{name: "that there is none", key: func(order) (string, error) { return "", errors.Join(idempotency.ErrNoKey) }, runs: true},
		{name: "that there is none, required", key: func(order) (string, error) { return "", idempotency.ErrNoKey }, change: func(c *idempotency.Config) { c.RequireKey = true }, want: idempotency.ErrNoKey},
		{name: "a raw key with a '#'", key: func(order) (string, error) { return "a#b", nil }, change: func(c *idempotency.Config) { c.RawKey = true }},
		{name: "no fingerprint", key: byID, change: func(c *idempotency.Config) { c.Fingerprint = func(any) (string, error) { return "", errBoom } }, want: errBoom},
		{name: "no fingerprint for want of a key", key: byID, change: func(c *idempotency.Config) {
			c.Fingerprint = func(any) (string, error) { return "", idempotency.ErrNoKey }
		}, want: idempotency.ErrNoKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage()
			if tt.change != nil {
				tt.change(&s.config)
			}
			_, outcome, err := watched(t.Context(), idempotency.Wrap(s.place, tt.key, s.config), order{ID: "7"})
			var ke *idempotency.KeyError
			if tt.runs != (err == nil) || tt.runs != (outcome == idempotency.Unprotected) || err != nil && !errors.As(err, &ke) || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, %v", outcome, err)
			}
			if n := s.Calls(storetest.Any); n != 0 || tt.runs != (s.runs.Load() == 1) {
				t.Errorf("%d round trips, %d runs", n, s.runs.Load())
			}
		})
	}
}

// A handler that changed its argument once completed the record of another key.
func TestRegression_KeyIsTakenBeforeTheHandlerRuns(t *testing.T) {
	s := newStage()
	type box struct{ Order order }
	s.config.Fingerprint = idempotency.Payload
	h := idempotency.Wrap(func(_ context.Context, b *box) (receipt, error) {
		s.runs.Add(1)
		b.Order = order{ID: "changed", Amount: -1}
		return receipt{"7", 1}, nil
	}, idempotency.Payload, s.config)
	for range 3 {
		if r, err := h(t.Context(), &box{order{"7", 5}}); err != nil || r != (receipt{"7", 1}) {
			t.Errorf("got %v, %v", r, err)
		}
	}
	if s.runs.Load() != 1 {
		t.Errorf("%d runs", s.runs.Load())
	}
}

func TestRawKeyIsReadableInTheStore(t *testing.T) {
	s := newStage()
	s.config.RawKey = true
	s.want(t, t.Context(), order{ID: "7"}, 1, idempotency.Ran, 2)
	if r, err := s.memory.Load(t.Context(), "orders#7"); err != nil || r.Status != idempotency.Completed {
		t.Errorf("record %+v, %v", r, err)
	}
}

func amount(in any) (string, error) { return idempotency.Payload(in.(order).Amount) }

func TestKeyWithAnotherPayloadIsAMismatch(t *testing.T) {
	for name, cache := range map[string]*idempotency.Cache{"from the store": nil, "from the cache": {}} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			s.config.Fingerprint, s.config.Cache = amount, cache
			s.want(t, t.Context(), order{"7", 5}, 1, idempotency.Ran, 2)
			before := s.record(t, "7")
			s.told()
			for range 2 {
				err := s.refused(t, t.Context(), order{"7", 6}, idempotency.ErrMismatch)
				if refusal.Status(err) != 422 || !refusal.Is(err) {
					t.Errorf("got %v", err)
				}
			}
			if got := s.told(); got != "mismatch mismatch" {
				t.Errorf("told %q", got)
			}
			after := s.record(t, "7")
			if !bytes.Equal(before.Result.Data, after.Result.Data) || before.Owner != after.Owner || before.Fingerprint != after.Fingerprint {
				t.Errorf("the record was %+v, is %+v", before, after)
			}
			if _, outcome, err := s.call(t.Context(), order{"7", 5}); outcome != idempotency.Replayed || err != nil {
				t.Errorf("the same payload: %v, %v", outcome, err)
			}
		})
	}
}

func TestEventsHaveDigestsForKeys(t *testing.T) {
	s := newStage()
	s.config.Fingerprint = amount
	s.want(t, t.Context(), order{"card-4711", 5}, 1, idempotency.Ran, 2)
	s.want(t, t.Context(), order{"card-4711", 5}, 1, idempotency.Replayed, 1)
	err := s.refused(t, t.Context(), order{"card-4711", 6}, idempotency.ErrMismatch)
	about, ok := errors.AsType[*idempotency.MismatchError](err)
	if !ok || len(s.events) != 2 {
		t.Fatalf("got %v and the events %v", err, s.events)
	}
	for _, e := range s.events {
		if e.Key != about.Digest || e.Name != "orders" || e.Policy != "idempotency" || strings.Contains(fmt.Sprint(e), "4711") {
			t.Errorf("event %+v, want the digest %s", e, about.Digest)
		}
	}
}

// The fingerprint was lost on completion once, and found only in the cache: the same call, made again, did not match.
func TestRegression_FingerprintOutlivesTheProcess(t *testing.T) {
	s := newStage()
	s.config.Fingerprint, s.config.Cache = amount, new(idempotency.Cache)
	s.want(t, t.Context(), order{"7", 5}, 1, idempotency.Ran, 2)
	s.config.Cache = new(idempotency.Cache) // another process
	s.refused(t, t.Context(), order{"7", 6}, idempotency.ErrMismatch)
	s.refused(t, t.Context(), order{"7", 6}, idempotency.ErrMismatch) // and nothing was cached
	s.want(t, t.Context(), order{"7", 5}, 1, idempotency.Replayed, 1)
	s.want(t, t.Context(), order{"7", 5}, 1, idempotency.Replayed, 0)
	s.refused(t, t.Context(), order{"7", 6}, idempotency.ErrMismatch)
}

// A mismatch is one before it is in progress: waiting would not help.
func TestMismatchComesBeforeInProgress(t *testing.T) {
	s := newStage()
	s.config.Fingerprint = amount
	s.then = func(context.Context) error {
		s.refused(t, t.Context(), order{"7", 5}, idempotency.ErrInProgress)
		s.refused(t, t.Context(), order{"7", 6}, idempotency.ErrMismatch)
		return nil
	}
	s.want(t, t.Context(), order{"7", 5}, 1, idempotency.Ran, 4)
}

func TestFingerprintThatIsNewOrGone(t *testing.T) {
	other := func(any) (string, error) { return "v2", nil }
	for _, tt := range []struct {
		name          string
		first, second func(any) (string, error)
		mismatch      bool
	}{
		{"turned on", nil, amount, false},
		{"turned off", amount, nil, false},
		{"changed", amount, other, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage()
			s.config.Fingerprint = tt.first
			s.want(t, t.Context(), order{"7", 5}, 1, idempotency.Ran, 2)
			s.config.Fingerprint = tt.second
			if tt.mismatch {
				s.refused(t, t.Context(), order{"7", 5}, idempotency.ErrMismatch)
			} else {
				s.want(t, t.Context(), order{"7", 5}, 1, idempotency.Replayed, 1)
			}
		})
	}
}

// One key for one payload, however it is written, and its form is the form of its form.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{
		`{"b":[1,2.50,{"d":null,"c":"\u00e9\n"}],"a":-1e3}`, `[]`, `"\ud83d\ude00"`, `{"":0,"\uffff":1,"\ud83d\ude00":2}`, `1e21`, `123456789012345678901234567890`, ` -0.0 `, `{"a":{},"a":1}`,
	} {
		f.Add([]byte(seed), uint64(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		key, err := idempotency.Payload(json.RawMessage(text))
		form, err2 := idempotency.Canonical(text)
		if errors.Is(err, idempotency.ErrNoKey) && err2 == nil && string(form) == "null" {
			return
		}
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v, %v", err, err2)
		}
		if err != nil {
			return
		}
		again, err := idempotency.Canonical(form)
		if err != nil || !bytes.Equal(form, again) {
			t.Fatalf("%s became %s, %v", form, again, err)
		}
		var before, after any
		if err := json.Unmarshal(text, &before); err == nil { // some numbers are too large for it
			if err := json.Unmarshal(form, &after); err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			if !reflect.DeepEqual(before, after) {
				t.Fatalf("%s was %v, is %v", text, before, after)
			}
		}
		shuffled := shuffle(t, form, rand.New(rand.NewPCG(seed, 0)))
		if got, err := idempotency.Payload(json.RawMessage(shuffled)); err != nil || got != key {
			t.Fatalf("%s has another key than %s: %v", shuffled, text, err)
		}
	})
}

// shuffle writes a JSON text with its members in another order.
func shuffle(t *testing.T, text []byte, r *rand.Rand) []byte {
	t.Helper()
	text = bytes.TrimSpace(text)
	switch text[0] {
	case '[':
		var elements []json.RawMessage
		if err := json.Unmarshal(text, &elements); err != nil {
			t.Fatal(err)
		}
		for i, e := range elements {
			elements[i] = shuffle(t, e, r)
		}
		return []byte("[ " + string(bytes.Join(raws(elements), []byte(" , "))) + " ]")
	case '{':
		members := make(map[string]json.RawMessage)
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatal(err)
		}
		var written [][]byte
		for name, v := range members {
			n, _ := json.Marshal(name)
			written = append(written, append(append(n, " : "...), shuffle(t, v, r)...))
		}
		r.Shuffle(len(written), func(i, j int) { written[i], written[j] = written[j], written[i] })
		return []byte("{\n" + string(bytes.Join(written, []byte(",\t"))) + "}")
	}
	return text
}

func raws(in []json.RawMessage) (out [][]byte) {
	for _, b := range in {
		out = append(out, b)
	}
	return out
}
