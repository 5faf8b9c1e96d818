package jmespath_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/jmespath"
)

type order struct {
	ID     string   `json:"id"`
	Tenant *string  `json:"tenant"`
	Amount int64    `json:"amount"`
	Paid   bool     `json:"paid"`
	Tags   []string `json:"tags"`
}

const event = `{
	"id": "7", "tenant": null, "empty": "", "zero": 0, "negative": -2.5, "no": false, "amount": 9007199254740993, "price": 0.1,
	"nested": {"id": "8", "nothing": null}, "list": [{"id": "a", "n": 1}, {"id": "b", "n": 20}], "body": "{\"id\":\"9\"}"
}`

func payload(t *testing.T, v any) string {
	t.Helper()
	key, err := idempotency.Payload(v)
	if err != nil {
		t.Fatal(err)
	}
	return "json:" + key
}

func TestKey(t *testing.T) {
	for _, tt := range []struct {
		expression string
		want       string
	}{
		{"id", "7"},
		{"nested.id", "8"},
		{"tenant || id", "7"},
		{"body", `{"id":"9"}`},
		{"[id, nested.id]", payload(t, []string{"7", "8"})},
		{"[tenant, id]", payload(t, []any{nil, "7"})},
		{"{a: id, b: nested.id}", payload(t, map[string]string{"b": "8", "a": "7"})},
		{"amount", payload(t, int64(9007199254740993))},
		{"[amount]", payload(t, json.RawMessage("[9007199254740993]"))},
		{"price", payload(t, 0.1)},
		{"list[?n > `10`].id | [0]", "b"},
		{"list[?n == `1`].id | [0]", "a"},
		{"[zero][?@ == `0`] | [0]", payload(t, 0)},
		{"[negative, amount][?@ < `0`] | [0]", payload(t, -2.5)},
		{"list[*].id", payload(t, []string{"a", "b"})},
		{"sum(list[*].n)", payload(t, 21)},
		{"to_string(amount)", "9007199254740993"},
		{"@", payload(t, json.RawMessage(event))},

		{"zero", payload(t, 0)},
		{"no", payload(t, false)},
		{"[zero, tenant]", payload(t, []any{0, nil})},

		{"tenant", ""},
		{"empty", ""},
		{"missing.further", ""},
		{"[tenant, missing]", ""},
		{"[tenant, empty, [missing], {a: missing}]", ""},
		{"{a: tenant, b: missing}", ""},
		{"list[?n > `100`]", ""},
		{"nested.nothing", ""},
	} {
		t.Run(tt.expression, func(t *testing.T) {
			got, err := jmespath.Key[json.RawMessage](tt.expression)(json.RawMessage(event))
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// A number and the string that its key was had one key.
func TestRegression_KeysOfDifferentTypesAreDifferent(t *testing.T) {
	key := jmespath.Key[json.RawMessage]("id")
	seen := make(map[string]string)
	for _, id := range []string{`5`, `"5"`, `[5]`, `{"a":5}`, `true`, `"true"`, `"json:"`, `"json:5"`, `"json:json:5"`, `"JSON:5"`, `["json:5"]`} {
		for range 4 { // the key of a key of a key
			got, err := key(json.RawMessage(`{"id":` + id + `}`))
			if err != nil || got == "" {
				t.Fatalf("%s: %q, %v", id, got, err)
			}
			if other, ok := seen[got]; ok && other != id {
				t.Errorf("%s has the key of %s, %s", id, other, got)
			}
			seen[got] = id
			if id == strconv.Quote(got) {
				break // a string is its own
			}
			id = strconv.Quote(got)
		}
		sum := strings.TrimPrefix(payload(t, json.RawMessage(id)), "json:")
		if got, err := key(json.RawMessage(`{"id":"` + sum + `"}`)); err != nil || got != sum {
			t.Errorf("the string %s has the key %s, %v", sum, got, err)
		}
	}
}

// Strings that are not UTF-8 were all one string, so that two orders shared a record.
func TestRegression_StringsThatAreNotUTF8HaveNoKey(t *testing.T) {
	typed := jmespath.Key[order]("id")
	for _, id := range []string{"a\xff", "a\xfe", "\xed\xa0\x80"} {
		if got, err := typed(order{ID: id}); got != "" || err == nil || !strings.HasSuffix(err.Error(), "is not UTF-8") {
			t.Errorf("%q: got %q, %v", id, got, err)
		}
	}
	for _, id := range []string{`"a\ud800"`, `"a\udfff"`, "\"a\xff\"", `["a\ud800"]`, "{\"a\xff\":1}", `[{"a\udfff":1}]`} {
		for _, expression := range []string{"id", "[id]", "{a: id}", "to_string(id)", "@"} {
			got, err := jmespath.Key[json.RawMessage](expression)(json.RawMessage(`{"id":` + id + `}`))
			if got != "" || err == nil || !strings.HasSuffix(err.Error(), "is not UTF-8") {
				t.Errorf("%s of %s: got %q, %v", expression, id, got, err)
			}
		}
	}

	// A replacement character that was sent is a character, and elsewhere it is no matter what there is.
	for text, want := range map[string]string{
		`{"id":"a\ufffd"}`:                            "a\ufffd",
		"{\"id\":\"a\ufffd\"}":                        "a\ufffd",
		"{\"id\":\"7\",\"x\":[\"\xff\",\"\\ud800\"]}": "7",
	} {
		if got, err := jmespath.Key[json.RawMessage]("id")(json.RawMessage(text)); got != want || err != nil {
			t.Errorf("%s: got %q, %v; want %q", text, got, err, want)
		}
	}
	if got, err := typed(order{ID: "a\ufffd"}); got != "a\ufffd" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// Numbers that are next to nothing were rounded: 1e-400 had the key of 0, and 3e-324 that of 5e-324.
func TestRegression_NumbersAreToldApartToTheLastDigit(t *testing.T) {
	key := jmespath.Key[json.RawMessage]("id")
	seen := make(map[string]string)
	for _, same := range [][]string{
		{"0", "-0", "0e-400", "0.000"}, {"1e-400"}, {"2e-400", "0.2e-399"}, {"3e-324"}, {"5e-324"}, {"4.94065645841246e-324"}, {"2.2250738585072e-308"}, {"2.3e-308"}, {"-1e-400"}, {"1e400"}, {"2e400"},
		{"123456789012345", "1.23456789012345e14"}, {"1234567890123456", "1.234567890123456e15"}, {"0.1", "1e-1"}, {"9007199254740993"}, {"9007199254740992"},
	} {
		for _, shape := range []string{"%s", "[%s]", `{"n":%s}`} {
			want := ""
			for i, number := range same {
				number = fmt.Sprintf(shape, number)
				got, err := key(json.RawMessage(`{"id":` + number + `}`))
				if err != nil || got == "" || i > 0 && got != want {
					t.Errorf("%s: got %q, %v; want %q", number, got, err, want)
				}
				want = got
			}
			if other, taken := seen[want]; taken {
				t.Errorf("%s in %s has the key of %s", same, shape, other)
			}
			seen[want] = fmt.Sprint(same, " in ", shape)
		}
	}
}

// All parts that are selected are missing: such calls once shared one record.
func TestRegression_EventsWithoutAKeyShareNoRecord(t *testing.T) {
	runs := 0
	place := func(context.Context, order) (int, error) { runs++; return runs, nil }
	c := idempotency.Config{Store: new(idempotency.Memory), Scope: "orders"}
	h := idempotency.Wrap(place, jmespath.Key[order]("[tenant, tags]"), c)
	for want := range 3 {
		if got, err := h(t.Context(), order{ID: fmt.Sprint(want)}); got != want+1 || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
	}
	c.RequireKey = true
	h = idempotency.Wrap(place, jmespath.Key[order]("[tenant, tags]"), c)
	if _, err := h(t.Context(), order{ID: "7"}); !errors.Is(err, idempotency.ErrNoKey) || runs != 3 {
		t.Errorf("got %v after %d runs", err, runs)
	}
}

func TestZeroAndFalseAreKeys(t *testing.T) {
	for _, expression := range []string{"amount", "paid"} {
		runs := 0
		c := idempotency.Config{Store: new(idempotency.Memory), Scope: "orders", RequireKey: true}
		h := idempotency.Wrap(func(context.Context, order) (int, error) { runs++; return runs, nil }, jmespath.Key[order](expression), c)
		for range 2 {
			if got, err := h(t.Context(), order{}); got != 1 || err != nil {
				t.Errorf("%s: got %v, %v", expression, got, err)
			}
		}
	}
}

func TestKeyOfATypedEventHasItsJSONNames(t *testing.T) {
	typed := jmespath.Key[order]("{id: id, amount: amount}")
	raw := jmespath.Key[json.RawMessage]("{amount: amount, id: id}")
	a, err := typed(order{ID: "7", Amount: 1<<62 + 1})
	b, err2 := raw(json.RawMessage(`{"id":"7","amount":4611686018427387905.0}`))
	if err != nil || err2 != nil || a != b || a == "" {
		t.Errorf("got %q, %v and %q, %v", a, err, b, err2)
	}
}

func TestEventThatCannotBeSearched(t *testing.T) {
	for name, find := range map[string]func() (string, error){
		"not JSON":        func() (string, error) { return jmespath.Key[json.RawMessage]("id")(json.RawMessage("{")) },
		"two values":      func() (string, error) { return jmespath.Key[json.RawMessage]("id")(json.RawMessage("{} {}")) },
		"nothing":         func() (string, error) { return jmespath.Key[json.RawMessage]("id")(nil) },
		"no JSON":         func() (string, error) { return jmespath.Key[func()]("id")(func() {}) },
		"the wrong type":  func() (string, error) { return jmespath.Key[json.RawMessage]("abs(id)")(json.RawMessage(event)) },
		"a library panic": func() (string, error) { return jmespath.Key[json.RawMessage]("merge(id)")(json.RawMessage(event)) },
		"no function": func() (string, error) {
			return jmespath.Key[json.RawMessage]("powertools_json(body)")(json.RawMessage(event))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if key, err := find(); key != "" || err == nil {
				t.Errorf("got %q, %v", key, err)
			}
		})
	}
	c := idempotency.Config{Store: new(idempotency.Memory), Scope: "orders"}
	h := idempotency.Wrap(func(context.Context, json.RawMessage) (int, error) { panic("it ran") }, jmespath.Key[json.RawMessage]("abs(id)"), c)
	if _, err := h(t.Context(), json.RawMessage(event)); !strings.HasPrefix(fmt.Sprint(err), "idempotency orders: key: abs(id): ") {
		t.Errorf("got %v", err)
	}
}

func TestExpressionThatMakesNoKey(t *testing.T) {
	for expression, want := range map[string]string{
		"":                     "Incomplete expression",
		"a b":                  "Unexpected token",
		"nested.*":             "have no order",
		"*":                    "have no order",
		"[id, list[0].*]":      "have no order",
		"keys(@)":              "have no order",
		"sort(values(nested))": "have no order",
	} {
		t.Run(expression, func(t *testing.T) {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "jmespath: Key(") || !strings.Contains(p, want) {
					t.Errorf("panic %q, want one about %q", p, want)
				}
			}()
			jmespath.Key[order](expression)
		})
	}
	jmespath.Key[order](`keys || values || "keys" || 'ASTValueProjection {'`) // members of that name
}

func TestKeyIsSafeForConcurrentUse(t *testing.T) {
	key := jmespath.Key[json.RawMessage]("[list[?n > `10`].id | [0], sort_by(list, &n)[0].id]")
	want, _ := key(json.RawMessage(event))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got, err := key(json.RawMessage(event)); err != nil || got != want {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

// One event, one key, whatever the expression.
func FuzzKey(f *testing.F) {
	for _, expression := range []string{"id", "[a, b.c]", "{x: a}", "a[?b > `1`].c", "sort_by(a, &b)", "not_null(a, b)", "join(',', a)", "a[::-1]", "to_number(a)"} {
		f.Add(expression, []byte(event))
		f.Add(expression, []byte(`{"a":[{"b":2,"c":"x"}],"b":{"c":1e400}}`))
	}
	f.Fuzz(func(t *testing.T, expression string, event []byte) {
		var key func(json.RawMessage) (string, error)
		func() {
			defer func() {
				if p := recover(); p != nil && !strings.HasPrefix(fmt.Sprint(p), "jmespath: Key(") {
					panic(p)
				}
			}()
			key = jmespath.Key[json.RawMessage](expression)
		}()
		if key == nil {
			return
		}
		want, err := key(event)
		for range 5 {
			if got, err2 := key(event); got != want || (err == nil) != (err2 == nil) {
				t.Fatalf("%q, %v and then %q, %v", want, err, got, err2)
			}
		}
	})
}
