package idempotency

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"unicode/utf8"
)

// replacement is what json.Marshal makes of what is not UTF-8. A replacement character itself is written as it is.
var replacement = []byte(`\ufffd`) //nolint:gochecknoglobals // it is a constant

// isUTF8 reports whether all strings in v, of which there is JSON, are UTF-8. Of what makes its own JSON only a
// json.RawMessage is known to say what it was given.
func isUTF8(v reflect.Value) bool {
	if !v.IsValid() || v.Type() == rawJSON {
		return true
	}
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		return isUTF8(v.Elem())
	}
	if m, ok := itself[json.Marshaler](v); ok {
		text, err := m.MarshalJSON()
		return err == nil && !replaces(text)
	}
	if m, ok := itself[encoding.TextMarshaler](v); ok {
		text, err := m.MarshalText()
		return err == nil && utf8.Valid(text)
	}
	switch v.Kind() {
	case reflect.String:
		return utf8.ValidString(v.String())
	case reflect.Array, reflect.Slice:
		for i := range v.Len() {
			if !isUTF8(v.Index(i)) {
				return false
			}
		}
	case reflect.Map:
		for key, element := range v.Seq2() {
			if !isUTF8Name(key) || !isUTF8(element) {
				return false
			}
		}
	case reflect.Struct:
		for f, field := range v.Fields() {
			if (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" && !isUTF8(field) {
				return false
			}
		}
	}
	return true
}

// isUTF8Name is isUTF8 for the key of a map. It is written as it is if it is a string, whatever methods it has.
func isUTF8Name(key reflect.Value) bool {
	if key.Kind() == reflect.String {
		return utf8.ValidString(key.String())
	}
	m, ok := itself[encoding.TextMarshaler](key)
	if !ok {
		return true // a number
	}
	text, err := m.MarshalText()
	return err == nil && utf8.Valid(text)
}

// itself is v as an M, with which it writes itself. The methods of pointers are those of what has an address.
func itself[M any](v reflect.Value) (m M, ok bool) {
	if !v.CanInterface() {
		return m, false
	}
	if v.CanAddr() {
		v = v.Addr()
	}
	return reflect.TypeAssert[M](v)
}

// replaces reports whether there is a replacement in text, a JSON, and not a backslash that is followed by the same letters.
func replaces(text []byte) bool {
	for {
		i := bytes.Index(text, replacement)
		if i < 0 {
			return false
		}
		before := bytes.TrimRight(text[:i], `\`)
		if (i-len(before))%2 == 0 {
			return true
		}
		text = text[i+len(replacement):]
	}
}
