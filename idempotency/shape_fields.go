package idempotency

import (
	"reflect"
	"strings"
)

// A fieldWalk goes through the members of one object: the fields of a struct, and of those embedded in it.
type fieldWalk struct {
	*shapeWalk

	addressable bool
	names       map[string]string // of members, and what has them
	within      map[reflect.Type]bool
}

func (w *fieldWalk) walk(t reflect.Type, name string) {
	if w.within[t] {
		return
	}
	w.within[t] = true
	for f := range t.Fields() {
		w.field(f, name+"."+f.Name)
	}
}

func (w *fieldWalk) field(f reflect.StructField, name string) {
	tag := f.Tag.Get("json")
	member, options, _ := strings.Cut(tag, ",")
	inner := f.Type
	if f.Anonymous && inner.Kind() == reflect.Pointer {
		inner = inner.Elem()
	}
	embedded := f.Anonymous && inner.Kind() == reflect.Struct && member == ""
	switch {
	case f.Type.Size() == 0 || f.Name == "_":
	case tag == "-":
		w.lose("%s is left out of JSON", name)
	case embedded && (f.IsExported() || inner == f.Type):
		w.embed(place{inner, w.addressable || inner != f.Type}, name)
	case !f.IsExported():
		w.lose("%s is not exported", name)
	default:
		w.member(place{f.Type, w.addressable}, f.Name, member, options, name)
	}
}

// embed goes on in a struct whose fields JSON takes for those of the one around it, whatever methods it has.
func (w *fieldWalk) embed(p place, name string) {
	around := w.addressable
	w.addressable = p.addressable
	w.walk(p.Type, name)
	w.addressable = around
}

func (w *fieldWalk) member(p place, field, member, options, name string) {
	if member == "" {
		member = field
	}
	if other, taken := w.names[member]; taken {
		w.lose("%s and %s are both %q in JSON", other, name, member)
	}
	w.names[member] = name
	if (p.Type == rawJSON || p.Type == number) && (strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")) {
		return
	}
	w.shapeWalk.walk(p, name)
}
