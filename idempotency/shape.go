package idempotency

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
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
	w := shapeWalk{seen: make(map[place]bool)}
	if t != rawJSON { // it is kept as it is
		w.walk(place{t, true}, t.String())
	}
	w.nilable = isNilable(t)
	w.empty = t.Kind() == reflect.Struct && t.NumField() == 0 && !has[json.Marshaler](t) && !has[encoding.TextMarshaler](t)
	shapes.Store(t, w.shape)
	return w.shape
}

var (
	rawJSON = reflect.TypeFor[json.RawMessage]() //nolint:gochecknoglobals // it is a constant
	number  = reflect.TypeFor[json.Number]()     //nolint:gochecknoglobals // as above
)

func isNilable(t reflect.Type) bool {
	k := t.Kind()
	return k == reflect.Interface || k == reflect.Map || k == reflect.Pointer || k == reflect.Slice
}

// has reports whether t, or a pointer to it, has the methods of the interface I.
func has[I any](t reflect.Type) bool { return reflect.PointerTo(t).Implements(reflect.TypeFor[I]()) }

// A place is where values of a type are. The values of a map have no address, and so no methods of pointers.
type place struct {
	reflect.Type

	addressable bool
}

func (p place) elem() place { return place{p.Elem(), p.addressable || p.Kind() != reflect.Array} }

type shapeWalk struct {
	shape

	seen map[place]bool
}

func (w *shapeWalk) lose(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *shapeWalk) walk(p place, name string) {
	if w.err != nil || w.seen[p] {
		return
	}
	w.seen[p] = true
	if p.Kind() != reflect.Interface && p.Kind() != reflect.Pointer && w.custom(p, name) {
		return
	}
	switch p.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		w.lose("%s is of type %v", name, p.Type)
	case reflect.Interface:
		if p.NumMethod() > 0 {
			w.lose("%s is an interface with methods, %v", name, p.Type)
		}
		w.numbers = true
	case reflect.Pointer:
		w.pointer(p, name)
	case reflect.Array, reflect.Slice:
		w.walk(p.elem(), name)
	case reflect.Map:
		w.keys(p.Key(), name)
		w.walk(place{p.Elem(), false}, name)
	case reflect.Struct:
		f := fieldWalk{w, p.addressable, make(map[string]string), make(map[reflect.Type]bool)}
		f.walk(p.Type, name)
	}
}

// pointer refuses pointers of which JSON does not say whether they, or what they point to, are nil.
func (w *shapeWalk) pointer(p place, name string) {
	e := p.Elem()
	if e == rawJSON || isNilable(e) && !has[json.Marshaler](e) && !has[encoding.TextMarshaler](e) {
		w.lose("%s points to what can be nil, %v", name, e)
	}
	w.walk(p.elem(), name)
}

func (w *shapeWalk) keys(t reflect.Type, name string) {
	reads, writes := has[encoding.TextUnmarshaler](t), has[encoding.TextMarshaler](t)
	switch k := t.Kind(); {
	case k == reflect.String && reads && writes:
		w.lose("the keys of %s are read with the UnmarshalText of %v, and not written with its MarshalText", name, t)
	case k == reflect.String, reflect.Int <= k && k <= reflect.Uintptr && !reads && !writes:
	case !customBy[encoding.TextMarshaler, encoding.TextUnmarshaler](w, place{t, false}, "a key of "+name, "Text"):
		w.lose("the keys of %s are of type %v", name, t)
	}
}
