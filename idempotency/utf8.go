package idempotency

import (
	"encoding"
	"encoding/json"
	"reflect"
	"unicode/utf8"
)

// isUTF8 reports whether all strings in v, of which there is JSON, are UTF-8. Of what makes its own JSON only a
// json.RawMessage is known to say what it was given.
func isUTF8(v reflect.Value) bool {
	if !v.IsValid() || v.Type() == rawJSON {
		return true
	}
	if v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
		if has[json.Marshaler](v.Type()) {
			return false
		}
		if v.CanInterface() {
			if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
				text, err := m.MarshalText()
				return err == nil && utf8.Valid(text)
			}
		}
	}
	switch v.Kind() {
	case reflect.String:
		return utf8.ValidString(v.String())
	case reflect.Pointer, reflect.Interface:
		return isUTF8(v.Elem())
	case reflect.Array, reflect.Slice:
		for i := range v.Len() {
			if !isUTF8(v.Index(i)) {
				return false
			}
		}
	case reflect.Map:
		for key, element := range v.Seq2() {
			if !isUTF8(key) || !isUTF8(element) {
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
