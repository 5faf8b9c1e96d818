// Package jmespath finds idempotency keys with JMESPath expressions over the event.
//
//	once := idempotency.Config{Store: store, Scope: "place order"}
//	h := idempotency.Wrap(placeOrder, jmespath.Key[Order]("[tenant, order.id]"), once)
//
// Where a function of the event will do, it is faster, and the compiler checks it. An expression can come from a
// configuration, and be that of another language's implementation.
package jmespath

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	lib "github.com/jmespath/go-jmespath"

	"github.com/seawall-go/seawall/idempotency"
)

// Key returns the function that makes a key of what the expression selects from an event's JSON: for a [json.RawMessage]
// from what it says, and for any other type from what [json.Marshal] makes of it, so that members have their JSON names.
//
// A string is the key itself. Of anything else the key is "json:" and its [idempotency.Payload], to the last digit of a
// number; and so it is of a string that begins like that, so that no two values have one key. There is no key if what is
// selected is null, an empty string, or a list or an object of nothing else; 0 and false are keys. It is an error if what
// is selected may come from a string that is not UTF-8.
// Select all that together names the call: parts that are missing while others are there are part of the key as null.
//
// Key panics if the expression cannot be parsed, or if it goes through the members of an object, with a wildcard, keys or
// values, for they have no order and the same event would not always have the same key.
func Key[In any](expression string) func(in In) (string, error) {
	compiled, err := compile(expression)
	if err != nil {
		panic(fmt.Sprintf("jmespath: Key(%q): %v", expression, err))
	}
	return func(in In) (string, error) {
		document, ok := any(in).(json.RawMessage)
		if !ok {
			var err error
			if document, err = json.Marshal(in); err != nil {
				return "", err
			}
		}
		selected, err := search(compiled, document)
		if err != nil {
			return "", fmt.Errorf("%s: %w", expression, err)
		}
		if replaced(selected) {
			if _, err := idempotency.Payload(in); err != nil {
				return "", err
			}
		}
		return keyOf(selected)
	}
}

// replaced reports whether there is a replacement character in v. It may stand for whatever was not UTF-8.
func replaced(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsRune(v, utf8.RuneError)
	case []any:
		return slices.ContainsFunc(v, replaced)
	case map[string]any:
		for name, element := range v {
			if replaced(name) || replaced(element) {
				return true
			}
		}
	}
	return false
}

const tag = "json:"

func keyOf(selected any) (string, error) {
	if absent(selected) {
		return "", nil
	}
	if s, ok := selected.(string); ok && !strings.HasPrefix(s, tag) {
		return s, nil
	}
	key, err := idempotency.Payload(selected)
	if err != nil {
		return "", err
	}
	return tag + key, nil
}

func compile(expression string) (*lib.JMESPath, error) {
	tree, err := lib.NewParser().Parse(expression)
	if err != nil {
		return nil, err
	}
	// The tree does not let itself be walked, but it prints each node in lines of its own.
	node := ""
	for line := range strings.Lines(tree.String()) {
		switch line = strings.TrimSpace(line); node + line {
		case node + "ASTValueProjection {", `ASTFunctionExpression {value: "keys"`, `ASTFunctionExpression {value: "values"`:
			return nil, errors.New("the members of an object have no order: name them")
		}
		node = line
	}
	return lib.Compile(expression)
}

func search(compiled *lib.JMESPath, document []byte) (selected any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p) // the library panics on arguments of the wrong type
		}
	}()
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var event any
	if err := d.Decode(&event); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one JSON value")
	}
	return compiled.Search(numbers(event))
}

// numbers makes of numbers what the library can compare and calculate with, where that says the same.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil && exact(f, digits(v.String())) {
			return f
		}
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = numbers(v[name])
		}
	}
	return v
}

// exact reports whether f stands for one number of so many digits: with up to 15 it does, unless it is next to nothing.
func exact(f float64, digits int) bool {
	const normal = 0x1p-1022
	return digits == 0 || digits <= 15 && math.Abs(f) >= normal
}

// digits is how many digits a number has, without the zeros at either end.
func digits(number string) int {
	mantissa := strings.ToLower(number)
	mantissa, _, _ = strings.Cut(mantissa, "e")
	return len(strings.Trim(strings.ReplaceAll(strings.TrimPrefix(mantissa, "-"), ".", ""), "0"))
}

// absent reports whether there is nothing in v that tells one call from another.
func absent(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		for _, part := range v {
			if !absent(part) {
				return false
			}
		}
		return true
	case map[string]any:
		for _, part := range v {
			if !absent(part) {
				return false
			}
		}
		return true
	}
	return false
}
