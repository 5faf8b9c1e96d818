package idempotency

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// canonical is the JSON of v in the form of RFC 8785, with numbers to the last digit.
func canonical(v any) ([]byte, error) {
	src, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	c := canon{src: src, marshaled: true}
	return c.form()
}

// canonicalRaw is the same for a text that is to be JSON.
func canonicalRaw(src []byte) ([]byte, error) {
	if !json.Valid(src) {
		return nil, errors.New("the payload is not JSON")
	}
	if !utf8.Valid(src) {
		return nil, errNotUTF8
	}
	c := canon{src: src}
	return c.form()
}

var errNotUTF8 = errors.New("a string in the payload is not UTF-8")

// A canon brings a valid JSON text into its one form.
type canon struct {
	src       []byte
	marshaled bool // src is from json.Marshal, which writes \ufffd for what is not UTF-8, and for nothing else
	out       []byte
	strings   []byte   // the names of open objects' members
	members   []member // of open objects
	sorted    []byte
}

// A member of an object is a piece of out, found by its name, a piece of strings.
type member struct{ name, text span }

type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }

func (c *canon) form() ([]byte, error) {
	c.out, c.strings, c.members = make([]byte, 0, len(c.src)), make([]byte, 0, 256), make([]member, 0, 16)
	if err := c.value(); err != nil {
		return nil, err
	}
	return c.out, nil
}

// next skips white space and returns the byte after it.
func (c *canon) next() byte {
	for {
		switch b := c.src[0]; b {
		case ' ', '\t', '\r', '\n':
			c.src = c.src[1:]
		default:
			return b
		}
	}
}

func (c *canon) value() error {
	switch c.next() {
	case '{':
		return c.object()
	case '[':
		return c.array()
	case '"':
		from := len(c.strings)
		err := c.text()
		c.strings = c.strings[:from]
		return err
	}
	n := 1
	for n < len(c.src) && c.src[n] > ' ' && c.src[n] != ',' && c.src[n] != ']' && c.src[n] != '}' {
		n++
	}
	word := c.src[:n]
	c.src = c.src[n:]
	if b := word[0]; b == 't' || b == 'f' || b == 'n' {
		c.out = append(c.out, word...)
		return nil
	}
	var err error
	c.out, err = appendNumber(c.out, word)
	return err
}

func (c *canon) array() error {
	c.src = c.src[1:]
	c.out = append(c.out, '[')
	for c.next() != ']' {
		if c.src[0] == ',' {
			c.src = c.src[1:]
			c.out = append(c.out, ',')
		}
		if err := c.value(); err != nil {
			return err
		}
	}
	c.src = c.src[1:]
	c.out = append(c.out, ']')
	return nil
}

func (c *canon) object() error {
	names, first := len(c.strings), len(c.members)
	c.src = c.src[1:]
	c.out = append(c.out, '{')
	inOrder := true
	for c.next() != '}' {
		if c.src[0] == ',' {
			c.src = c.src[1:]
			c.next()
			c.out = append(c.out, ',')
		}
		m := member{name: span{from: len(c.strings)}, text: span{from: len(c.out)}}
		if err := c.text(); err != nil {
			return err
		}
		m.name.to = len(c.strings)
		if n := len(c.members); n > first {
			inOrder = inOrder && c.compare(c.members[n-1], m) < 0
		}
		c.next()
		c.src = c.src[1:]
		c.out = append(c.out, ':')
		if err := c.value(); err != nil {
			return err
		}
		m.text.to = len(c.out)
		c.members = append(c.members, m)
	}
	c.src = c.src[1:]
	if !inOrder {
		if err := c.sort(c.members[first:]); err != nil {
			return err
		}
	}
	c.out = append(c.out, '}')
	c.strings, c.members = c.strings[:names], c.members[:first]
	return nil
}

// sort brings members, which end out, into order.
func (c *canon) sort(members []member) error {
	from := members[0].text.from
	slices.SortFunc(members, c.compare)
	c.sorted = c.sorted[:0]
	for i, m := range members {
		if i > 0 {
			if c.compare(members[i-1], m) == 0 {
				return fmt.Errorf("an object in the payload has the member %q twice", m.name.of(c.strings))
			}
			c.sorted = append(c.sorted, ',')
		}
		c.sorted = append(c.sorted, m.text.of(c.out)...)
	}
	copy(c.out[from:], c.sorted)
	return nil
}

// compare orders names by their UTF-16, as RFC 8785 has it. That is the order of their UTF-8, but that characters beyond
// the first 65,536 come before the last of those.
func (c *canon) compare(x, y member) int {
	a, b := x.name.of(c.strings), y.name.of(c.strings)
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Compare(rank(a[i]), rank(b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}

func rank(b byte) byte {
	if b == 0xee || b == 0xef { // first byte of U+E000 to U+FFFF
		return b + 0x10
	}
	return b
}

// text writes the string that src begins with, and appends what it says to strings.
func (c *canon) text() error {
	from, plain := len(c.strings), true
	for c.src = c.src[1:]; ; {
		n := 0
		for c.src[n] != '"' && c.src[n] != '\\' {
			n++
		}
		c.strings = append(c.strings, c.src[:n]...)
		quote := c.src[n] == '"'
		c.src = c.src[n+1:]
		if quote {
			break
		}
		plain = false
		if err := c.unescape(); err != nil {
			return err
		}
	}
	if said := c.strings[from:]; plain {
		c.out = append(append(append(c.out, '"'), said...), '"')
	} else {
		c.out = appendString(c.out, said)
	}
	return nil
}

func (c *canon) unescape() error {
	b := c.src[0]
	c.src = c.src[1:]
	switch b {
	case 'b':
		b = '\b'
	case 'f':
		b = '\f'
	case 'n':
		b = '\n'
	case 'r':
		b = '\r'
	case 't':
		b = '\t'
	case 'u':
		r := c.hex()
		if utf16.IsSurrogate(r) {
			if len(c.src) < 6 || c.src[0] != '\\' || c.src[1] != 'u' {
				return errNotUTF8
			}
			c.src = c.src[2:]
			r = utf16.DecodeRune(r, c.hex())
			if r == utf8.RuneError {
				return errNotUTF8
			}
		} else if r == utf8.RuneError && c.marshaled {
			return errNotUTF8
		}
		c.strings = utf8.AppendRune(c.strings, r)
		return nil
	}
	c.strings = append(c.strings, b)
	return nil
}

func (c *canon) hex() rune {
	r, _ := strconv.ParseUint(string(c.src[:4]), 16, 16)
	c.src = c.src[4:]
	return rune(r)
}

func appendString(b, s []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, ch := range s {
		switch ch {
		case '"', '\\':
			b = append(b, '\\', ch)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			if ch < ' ' {
				b = append(b, `\u00`...)
				b = append(b, hex[ch>>4], hex[ch&15])
			} else {
				b = append(b, ch)
			}
		}
	}
	return append(b, '"')
}

// appendNumber writes a number as ECMAScript would, if its numbers had as many digits as one likes.
func appendNumber(b, number []byte) ([]byte, error) {
	if isShort(number) {
		return append(b, number...), nil
	}
	text, negative := bytes.CutPrefix(number, []byte("-"))
	mantissa, exponent := text, 0
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		mantissa = text[:i]
		var err error
		exponent, err = strconv.Atoi(string(text[i+1:]))
		if err != nil || max(exponent, -exponent) > 1e9 {
			return nil, fmt.Errorf("the number %s is out of bounds", number)
		}
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := append(append(make([]byte, 0, 24), whole...), fraction...)
	point := len(whole) + exponent // where the point is in digits
	point -= len(digits)
	digits = bytes.TrimLeft(digits, "0")
	point += len(digits)
	digits = bytes.TrimRight(digits, "0")

	if len(digits) == 0 {
		return append(b, '0'), nil
	}
	if negative {
		b = append(b, '-')
	}
	zeros := func(n int) { b = append(b, bytes.Repeat([]byte("0"), n)...) }
	switch {
	case len(digits) <= point && point <= 21:
		b = append(b, digits...)
		zeros(point - len(digits))
	case 0 < point && point <= 21:
		b = append(b, digits[:point]...)
		b = append(b, '.')
		b = append(b, digits[point:]...)
	case -6 < point && point <= 0:
		b = append(b, "0."...)
		zeros(-point)
		b = append(b, digits...)
	default:
		b = append(b, digits[0])
		if len(digits) > 1 {
			b = append(b, '.')
			b = append(b, digits[1:]...)
		}
		b = append(b, 'e')
		if point > 0 {
			b = append(b, '+')
		}
		b = strconv.AppendInt(b, int64(point-1), 10)
	}
	return b, nil
}

// isShort reports whether number is a whole one, of so few digits that they are written as they are.
func isShort(number []byte) bool {
	digits := bytes.TrimPrefix(number, []byte("-"))
	for _, b := range digits {
		if b < '0' || b > '9' {
			return false
		}
	}
	return len(digits) <= 21 && string(number) != "-0"
}
