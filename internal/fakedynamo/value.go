package fakedynamo

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An item is a row: attributes by name.
type item map[string]value

// A value is an attribute's. Its kind is the name that the protocol has for its type.
type value struct {
	kind string
	text string   // S; N as stored; the bytes of B
	yes  bool     // BOOL
	set  []string // SS, NS, BS, in the order they came
	list []value
	m    item
}

func (v value) MarshalJSON() ([]byte, error) {
	var x any
	switch v.kind {
	case "S", "N":
		x = v.text
	case "B":
		x = []byte(v.text)
	case "BOOL":
		x = v.yes
	case "NULL":
		x = true
	case "SS", "NS":
		x = v.set
	case "BS":
		set := make([][]byte, len(v.set))
		for i, b := range v.set {
			set[i] = []byte(b)
		}
		x = set
	case "L":
		x = v.list
	case "M":
		x = v.m
	}
	return encode(map[string]any{v.kind: x})
}

func (v *value) UnmarshalJSON(text []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	switch {
	case len(fields) == 0:
		return invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	case len(fields) > 1:
		return invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	for kind, raw := range fields {
		return v.parse(kind, raw)
	}
	return nil
}

func (v *value) parse(kind string, raw json.RawMessage) error {
	v.kind = kind
	switch kind {
	case "S":
		return json.Unmarshal(raw, &v.text)
	case "N":
		if err := json.Unmarshal(raw, &v.text); err != nil {
			return err
		}
		return canonical(&v.text)
	case "B":
		b, err := binary(raw)
		v.text = b
		return err
	case "BOOL":
		return json.Unmarshal(raw, &v.yes)
	case "NULL":
		if err := json.Unmarshal(raw, &v.yes); err != nil {
			return err
		}
		if !v.yes {
			return invalid("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
		return nil
	case "SS", "NS", "BS":
		return v.parseSet(raw)
	case "L":
		v.list = []value{}
		return json.Unmarshal(raw, &v.list)
	case "M":
		v.m = item{}
		return json.Unmarshal(raw, &v.m)
	}
	return fmt.Errorf("no attribute has the type %q", kind)
}

func (v *value) parseSet(raw json.RawMessage) error {
	var members []json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	if len(members) == 0 {
		return invalid("One or more parameter values were invalid: " + map[string]string{
			"SS": "An string set  may not be empty",
			"NS": "An number set  may not be empty",
			"BS": "Binary sets should not be empty",
		}[v.kind])
	}
	for _, m := range members {
		var member value
		if err := member.parse(v.kind[:1], m); err != nil {
			return err
		}
		if slices.Contains(v.set, member.text) {
			if v.kind == "NS" {
				return invalid("Input collection contains duplicates")
			}
			return invalid("One or more parameter values were invalid: Input collection contains duplicates.")
		}
		v.set = append(v.set, member.text)
	}
	return nil
}

func binary(raw json.RawMessage) (string, error) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", err
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	return string(b), err
}

// canonical rewrites a number as it is stored.
func canonical(text *string) error {
	if *text == "" {
		return invalid("The parameter cannot be converted to a numeric value")
	}
	n, ok := parseNumber(*text)
	if !ok {
		return invalid("The parameter cannot be converted to a numeric value: " + *text)
	}
	if err := n.check(); err != nil {
		return err
	}
	*text = n.String()
	return nil
}

// size is how many of an item's bytes v takes.
func (v value) size() int {
	switch v.kind {
	case "S", "B":
		return len(v.text)
	case "N":
		return numberSize(v.text)
	case "SS", "BS":
		return len(strings.Join(v.set, ""))
	case "NS":
		sum := 0
		for _, n := range v.set {
			sum += numberSize(n)
		}
		return sum
	case "L":
		sum := 3
		for _, e := range v.list {
			sum += 1 + e.size()
		}
		return sum
	case "M":
		return 3 + len(v.m) + v.m.size()
	}
	return 1
}

func (i item) size() int {
	sum := 0
	for name, v := range i {
		sum += len(name) + v.size()
	}
	return sum
}

// count is what the function size is to expressions, which not every type has.
func (v value) count() (n int, ok bool) {
	switch v.kind {
	case "S", "B":
		return len(v.text), true
	case "SS", "NS", "BS":
		return len(v.set), true
	case "L":
		return len(v.list), true
	case "M":
		return len(v.m), true
	}
	return 0, false
}

func (v value) equal(w value) bool {
	return v.kind == w.kind && v.text == w.text && v.yes == w.yes &&
		slices.Equal(slices.Sorted(slices.Values(v.set)), slices.Sorted(slices.Values(w.set))) &&
		slices.EqualFunc(v.list, w.list, value.equal) && maps.EqualFunc(v.m, w.m, value.equal)
}

// order compares values of one ordered type, and says whether they are of one.
func (v value) order(w value) (c int, ok bool) {
	if v.kind != w.kind {
		return 0, false
	}
	switch v.kind {
	case "N":
		return mustNumber(v.text).cmp(mustNumber(w.text)), true
	case "S", "B":
		return strings.Compare(v.text, w.text), true
	}
	return 0, false
}

// encode is json.Marshal without escapes for HTML, which the protocol does not have.
func encode(x any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(x); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// A failure is an error that is an answer.
type failure struct {
	code    string
	message string
	old     item     // of a refused write, if it was asked for
	reasons []reason // of a cancelled transaction
}

func (f *failure) Error() string { return f.code + ": " + f.message }

const validation = "ValidationException"

func invalid(message string) *failure { return &failure{code: validation, message: message} }

// asFailure finds the failure that err is, or says that the request could not be read.
func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return &failure{code: "SerializationException", message: err.Error()}
}
