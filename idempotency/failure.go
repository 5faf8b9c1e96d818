package idempotency

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// A ReplayedError is an error that was kept, when it is replayed. errors.Is finds in it what was in the tree of the
// original: any error of the same type with the same text, such as a sentinel. errors.As finds what was there of a type
// whose exported fields say all: it is made anew from its JSON.
type ReplayedError struct {
	Type string // of the original, with the path of its package: "*example.com/payments.DeclinedError"
	Text string // what its Error method returned

	tree []failure
}

// A failure is an error as a record keeps it.
type failure struct {
	Type string          `json:"type"`
	Text string          `json:"text"`
	Data json.RawMessage `json:"data,omitempty"` // its JSON, if that carries it
}

func (e *ReplayedError) Error() string { return e.Text }

// Is reports whether the original was or wrapped an error of target's type and text.
func (e *ReplayedError) Is(target error) bool {
	if target == nil {
		return false
	}
	name := typeName(reflect.TypeOf(target))
	for _, f := range e.tree {
		if f.Type == name && f.Text == target.Error() {
			return true
		}
	}
	return false
}

// As sets target to the error of its type that the original was or wrapped, if its fields were kept.
func (e *ReplayedError) As(target any) bool {
	to := reflect.ValueOf(target).Elem()
	name := typeName(to.Type())
	for _, f := range e.tree {
		if f.Type != name || f.Data == nil {
			continue
		}
		v := reflect.New(to.Type())
		if json.Unmarshal(f.Data, v.Interface()) == nil {
			to.Set(v.Elem())
			return true
		}
	}
	return false
}

// encodeFailure makes a result of an error. A panic of one of its methods is why it cannot.
func encodeFailure(failure error) (result Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	data, err := json.Marshal(failures(failure, nil))
	return Result{Encoding: JSON, Data: data, Failed: true}, err
}

func decodeFailure(data []byte) (*ReplayedError, error) {
	var tree []failure
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	if len(tree) == 0 {
		return nil, errors.New("there is no error in it")
	}
	return &ReplayedError{Type: tree[0].Type, Text: tree[0].Text, tree: tree}, nil
}

// failures are the errors in err's tree, err first.
func failures(err error, tree []failure) []failure {
	t := reflect.TypeOf(err)
	f := failure{Type: typeName(t), Text: err.Error()}
	if shapeOf(t).err == nil {
		f.Data, _ = json.Marshal(err)
	}
	tree = append(tree, f)
	switch u := err.(type) { //nolint:errorlint // this is how a tree is walked
	case interface{ Unwrap() error }:
		if inner := u.Unwrap(); inner != nil {
			tree = failures(inner, tree)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range u.Unwrap() {
			if inner != nil {
				tree = failures(inner, tree)
			}
		}
	}
	return tree
}

func typeName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		return "*" + typeName(t.Elem())
	}
	if t.PkgPath() == "" {
		return t.String()
	}
	return t.PkgPath() + "." + t.Name()
}
