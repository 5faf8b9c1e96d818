package idempotency

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// A shape is what is known of a type before there is a value: whether JSON carries its values there and back.
type shape struct {
	err     error // what would be lost
	numbers bool  // there are interfaces, in which numbers may be
	nilable bool
	empty   bool // there is one value, and nothing to keep
}

var shapes sync.Map //nolint:gochecknoglobals // of shape, by reflect.Type; what is true of a type stays so

func shapeOf(t reflect.Type) shape {
	if s, ok := shapes.Load(t); ok {
		return s.(shape)
	}
	w := shapeWalk{seen: make(map[reflect.Type]bool)}
	w.walk(t, t.String())
	switch t.Kind() {
	case reflect.Interface, reflect.Map, reflect.Pointer, reflect.Slice:
		w.nilable = true
	case reflect.Struct:
		w.empty = t.NumField() == 0 && !has[json.Marshaler](t) && !has[encoding.TextMarshaler](t)
	}
	shapes.Store(t, w.shape)
	return w.shape
}

// has reports whether t, or a pointer to it, has the methods of the interface I.
func has[I any](t reflect.Type) bool { return reflect.PointerTo(t).Implements(reflect.TypeFor[I]()) }

type shapeWalk struct {
	shape

	seen map[reflect.Type]bool
}

func (w *shapeWalk) lose(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *shapeWalk) walk(t reflect.Type, name string) {
	if w.err != nil || w.seen[t] {
		return
	}
	w.seen[t] = true
	if t.Kind() != reflect.Interface && t.Kind() != reflect.Pointer && w.custom(t, name) {
		return
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		w.lose("%s is of type %v", name, t)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			w.lose("%s is an interface with methods, %v", name, t)
		}
		w.numbers = true
	case reflect.Array, reflect.Slice, reflect.Pointer:
		w.walk(t.Elem(), name)
	case reflect.Map:
		w.keys(t.Key(), name)
		w.walk(t.Elem(), name)
	case reflect.Struct:
		for f := range t.Fields() {
			w.field(f, name+"."+f.Name)
		}
	}
}

// custom reports whether t has methods of its own for JSON, which are trusted if they are two.
func (w *shapeWalk) custom(t reflect.Type, name string) bool {
	switch {
	case has[json.Unmarshaler](t):
		return true
	case has[json.Marshaler](t):
		w.lose("%s has a MarshalJSON and no UnmarshalJSON", name)
	case has[encoding.TextUnmarshaler](t):
		return true
	case has[encoding.TextMarshaler](t):
		w.lose("%s has a MarshalText and no UnmarshalText", name)
	}
	return false
}

func (w *shapeWalk) keys(t reflect.Type, name string) {
	switch k := t.Kind(); {
	case k == reflect.String, reflect.Int <= k && k <= reflect.Uintptr:
	case has[encoding.TextMarshaler](t) && has[encoding.TextUnmarshaler](t):
	default:
		w.lose("the keys of %s are of type %v", name, t)
	}
}

func (w *shapeWalk) field(f reflect.StructField, name string) {
	tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	embedded := f.Type.Kind() == reflect.Struct && f.Anonymous
	switch {
	case f.Type.Size() == 0 || f.Name == "_":
	case f.Tag.Get("json") == "-":
		w.lose("%s is left out of JSON", name)
	case f.IsExported() || embedded && tag == "":
		w.walk(f.Type, name)
	default:
		w.lose("%s is not exported", name)
	}
}
