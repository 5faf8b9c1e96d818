package idempotency

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"sync"
	"unicode/utf8"
)

// A canon brings JSON into the one form of RFC 8785, with numbers to the last digit. What json.Marshal writes is in that
// form already, most of the time, but for the order of members: so the members are brought into order where they are, and
// only if something else is found to be wrong is all of it written anew, once, before.
type canon struct {
	marshaled bytes.Buffer
	encoder   *json.Encoder // to marshaled
	written   []byte

	text    []byte   // the JSON, whose members are brought into order
	escapes bool     // whether there are any
	members []member // of the objects that are open
	sorted  []byte
}

var canons = sync.Pool{New: func() any { //nolint:gochecknoglobals // so that keys need no memory of their own
	c := new(canon)
	c.encoder = json.NewEncoder(&c.marshaled)
	c.encoder.SetEscapeHTML(false)
	return c
}}

// free lets others use c, and the memory of what it returned.
func (c *canon) free() {
	const large = 64 << 10
	if c.text = nil; c.marshaled.Cap()+cap(c.written)+cap(c.sorted) < large {
		canons.Put(c)
	}
}

var (
	errNotJSON = errors.New("the payload is not JSON")
	errNotUTF8 = errors.New("a string in the payload is not UTF-8")
	errRough   = errors.New("the payload is not in form")
)

// of is the one form of v's JSON. It is good until c is free.
func (c *canon) of(v any) ([]byte, error) {
	c.marshaled.Reset()
	if err := c.encoder.Encode(v); err != nil {
		return nil, err
	}
	c.text = c.marshaled.Bytes()[:c.marshaled.Len()-len("\n")]
	if bytes.Contains(c.text, replacement) && !isUTF8(reflect.ValueOf(v)) {
		return nil, errNotUTF8
	}
	return c.form(c.text)
}

// ofText is the same for a text that is to be JSON.
func (c *canon) ofText(text []byte) ([]byte, error) {
	if !json.Valid(text) {
		return nil, errNotJSON
	}
	c.written = append(c.written[:0], text...)
	c.text = c.written
	return c.form(text)
}

// form brings c.text into form, which is src.
func (c *canon) form(src []byte) ([]byte, error) {
	if !utf8.Valid(src) {
		return nil, errNotUTF8
	}
	err := c.order()
	if err == errRough { //nolint:errorlint // it comes as it is
		if c.text, err = c.write(src); err == nil {
			err = c.order()
		}
	}
	return c.text, err
}

// write writes src with every number and string in form, and without white space.
func (c *canon) write(src []byte) ([]byte, error) {
	out := c.written[:0]
	var said []byte
	var err error
	for len(src) > 0 {
		switch b := src[0]; {
		case b <= ' ':
			src = src[1:]
		case b == '"':
			if said, src, err = appendUnescaped(said[:0], src); err != nil {
				return nil, err
			}
			out = appendString(out, said)
		case b == '-' || '0' <= b && b <= '9':
			n := numberLen(src)
			if out, err = appendNumber(out, src[:n]); err != nil {
				return nil, err
			}
			src = src[n:]
		default:
			out = append(out, b)
			src = src[1:]
		}
	}
	c.written = out
	return out, nil
}
