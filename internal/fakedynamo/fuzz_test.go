package fakedynamo

import (
	"math/big"
	"strings"
	"testing"
)

func newParser() *parser {
	return &parser{
		names:  map[string]string{"#a": "a", "#s": "status"},
		values: map[string]value{":n": {kind: "N", text: "1"}, ":s": {kind: "S", text: "x"}, ":ss": {kind: "SS", set: []string{"x"}}},
		used:   make(map[string]bool),
	}
}

// Whatever comes, the parser returns; what it has read can be used on any item; and space around words changes nothing.
func FuzzConditions(f *testing.F) {
	for _, c := range []string{
		"attribute_not_exists(id) OR NOT #a = :s AND (#s = :s AND b < :n OR size(#s) >= :n)",
		"((a = :n))", "a = a", "NOT NOT a", "size(:n) = :n", "a <> :nothing", "status = :s", "attribute_exists(a, b)", "a.b[0] = :n", "(", "é = :n", "",
	} {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, text string) {
		holds, err := parse(newParser(), text, "ConditionExpression", (*parser).condition)
		if err != nil {
			return
		}
		var spaced []string
		for _, token := range scan(text) {
			spaced = append(spaced, token.text)
		}
		again, err := parse(newParser(), strings.Join(spaced, " "), "ConditionExpression", (*parser).condition)
		if err != nil && len(text) < 2000 {
			t.Fatalf("%q is refused with space between its words: %v", text, err)
		}
		for _, i := range []item{nil, {"a": {kind: "N", text: "1"}}, {"a": {kind: "S", text: "x"}, "status": {kind: "BOOL"}, "b": {kind: "L"}}} {
			if got := holds(i); err == nil && again(i) != got {
				t.Fatalf("%q holds for %v: %v, and with space the opposite", text, i, got)
			}
		}
	})
}

// The same for updates, which moreover leave the item that they are applied to as it was.
func FuzzUpdates(f *testing.F) {
	for _, u := range []string{
		"SET a = if_not_exists(a, :n) + :n, #s=:s REMOVE b ADD c :n, d :ss",
		"SET a = b", "ADD a :s", "ADD a :ss", "set a = :s remove a", "SET a = f(b)", "SET", "REMOVE a SET a = :n", "SET a = if_not_exists(:n)", "",
	} {
		f.Add(u)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parse(newParser(), text, "UpdateExpression", (*parser).update)
		if err != nil {
			return
		}
		if len(u.paths()) == 0 {
			t.Fatalf("%q updates nothing", text)
		}
		for _, i := range []item{{}, {"a": {kind: "N", text: "1"}}, {"a": {kind: "SS", set: append(make([]string, 0, 8), "y")}, "b": {kind: "NULL"}}} {
			before, err := encode(i)
			if err != nil {
				t.Fatal(err)
			}
			updated, err := u.apply(i)
			if after, _ := encode(i); string(after) != string(before) {
				t.Fatalf("%q changed %s to %s in place", text, before, after)
			}
			if err != nil && asFailure(err).code != validation {
				t.Fatalf("%q: %v", text, err)
			}
			if err == nil && updated == nil {
				t.Fatalf("%q left no item", text)
			}
		}
	})
}

// A number that is accepted keeps its value, and has one spelling.
func FuzzNumbers(f *testing.F) {
	for _, n := range []string{"0", "-0", "1", "-1.50e1", "0010", ".5", "5.", "1e125", "1e-130", "9e126", "1e99999999999999999999", "00e-9", "1e+5", "+1", "--1", ".", "e1", "1e", "12345678901234567890123456789012345678"} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, exponent, _ := strings.Cut(strings.ToLower(text), "e"); len(text) > 1000 || len(exponent) > 5 {
			return // too much for big.Rat
		}
		stored := text
		if canonical(&stored) != nil {
			return
		}
		want, ok := new(big.Rat).SetString(text)
		got, ok2 := new(big.Rat).SetString(stored)
		if !ok || !ok2 || want.Cmp(got) != 0 {
			t.Fatalf("%q is stored as %q", text, stored)
		}
		again := stored
		if err := canonical(&again); err != nil || again != stored {
			t.Fatalf("%q is stored as %q, and that as %q: %v", text, stored, again, err)
		}
		if size := numberSize(stored); size < 1 || size > 22 {
			t.Fatalf("%q takes %d bytes", text, size)
		}
		one := mustNumber("1")
		if back := mustNumber(stored).plus(one, false).plus(one, true); back.String() != stored {
			t.Fatalf("%s + 1 - 1 = %s", stored, back)
		}
	})
}

// Digits are kept in pairs that begin at even exponents, a byte each; there is one for the exponent, and one for a sign.
func TestSizesOfNumbers(t *testing.T) {
	for text, want := range map[string]int{
		"0": 1, "1": 2, "10": 2, "100": 2, "12": 2, "120": 3, "1200": 2, "123": 3, "0.1": 2, "0.12": 2, "0.012": 3,
		"-1": 3, "-12345": 5, "1700000000": 2, "1700000001": 6, "1700000000123": 8, "99999999999999999999999999999999999999": 20,
	} {
		if got := numberSize(text); got != want {
			t.Errorf("%s takes %d bytes, want %d", text, got, want)
		}
	}
}

func TestExpressionsAreShort(t *testing.T) {
	long := "attribute_exists(a)" + strings.Repeat(" ", 4096)
	if _, err := parse(newParser(), long[:4096], "ConditionExpression", (*parser).condition); err != nil {
		t.Error(err)
	}
	if _, err := parse(newParser(), long[:4097], "ConditionExpression", (*parser).condition); err == nil {
		t.Error("an expression of 4097 bytes is accepted")
	}
}

func TestUpdatesLeaveTheOldItem(t *testing.T) {
	old := item{"a": {kind: "SS", set: append(make([]string, 0, 8), "y")}}
	u, err := parse(newParser(), "ADD a :ss", "UpdateExpression", (*parser).update)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := u.apply(old)
	first["a"].set[1] = "z"
	if second, _ := u.apply(old); second["a"].set[1] != "x" || first["a"].set[1] != "z" {
		t.Errorf("two updates share %v", first["a"].set)
	}
}
