package idempotency

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// quote is where in text the first quote is, of which there is one. Most are near.
func quote(text []byte) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	if len(text) >= 8 {
		eight := binary.LittleEndian.Uint64(text) ^ '"'*ones
		if found := (eight - ones) &^ eight & tops; found != 0 { // the first of the bytes that are zero
			return bits.TrailingZeros64(found) / 8
		}
	}
	return bytes.IndexByte(text, '"')
}

// special is where in text the first quote or backslash is, of which there is one.
func special(text []byte) int {
	n := quote(text)
	if slash := bytes.IndexByte(text[:n], '\\'); slash >= 0 {
		return slash
	}
	return n
}

// plainEscape is the length of the escape that text begins with if it is in the one form, and 0 otherwise.
func plainEscape(text []byte) int {
	switch text[1] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		var form [8]byte
		r, after := hex4(text)
		if r < ' ' && string(appendEscaped(form[:0], byte(r))) == string(text[:6]) {
			return after
		}
	}
	return 0
}

// appendUnescaped appends what the string in src that begins with a quote spells, and returns what comes after it.
func appendUnescaped(b, src []byte) (_, after []byte, err error) {
	for src = src[1:]; ; {
		n := special(src)
		b = append(b, src[:n]...)
		if src = src[n:]; src[0] == '"' {
			return b, src[1:], nil
		}
		if b, src, err = appendEscape(b, src); err != nil {
			return b, src, err
		}
	}
}

// appendEscape appends what the escape that src begins with stands for, and returns what comes after it.
func appendEscape(b, src []byte) (_, after []byte, err error) {
	switch ch := src[1]; ch {
	case 'b':
		b = append(b, '\b')
	case 'f':
		b = append(b, '\f')
	case 'n':
		b = append(b, '\n')
	case 'r':
		b = append(b, '\r')
	case 't':
		b = append(b, '\t')
	case 'u':
		r, n := hex4(src)
		if utf16.IsSurrogate(r) {
			low, _ := hex4(src[n:])
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return b, src, errNotUTF8
			}
			n *= 2
		}
		return utf8.AppendRune(b, r), src[n:], nil
	default:
		b = append(b, ch)
	}
	return b, src[2:], nil
}

// hex4 is the number of an escape like \u00e9, and its length; 0 if text begins with nothing of that kind.
func hex4(text []byte) (r rune, n int) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, 0
	}
	u, _ := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(u), 6
}

// appendString appends a string in the one form.
func appendString(b, s []byte) []byte {
	b = append(b, '"')
	for _, ch := range s {
		if ch < ' ' || ch == '"' || ch == '\\' {
			b = appendEscaped(b, ch)
		} else {
			b = append(b, ch)
		}
	}
	return append(b, '"')
}

func appendEscaped(b []byte, ch byte) []byte {
	const hex = "0123456789abcdef"
	switch ch {
	case '\b':
		ch = 'b'
	case '\f':
		ch = 'f'
	case '\n':
		ch = 'n'
	case '\r':
		ch = 'r'
	case '\t':
		ch = 't'
	case '"', '\\':
	default:
		return append(b, '\\', 'u', '0', '0', hex[ch>>4], hex[ch&15])
	}
	return append(b, '\\', ch)
}
