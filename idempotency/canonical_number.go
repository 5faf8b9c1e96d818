package idempotency

import (
	"bytes"
	"fmt"
	"strconv"
)

// numberLen is the length of the number that text begins with, and of any word of its characters.
func numberLen(text []byte) int {
	for n, b := range text {
		if (b < '0' || b > '9') && b != '-' && b != '+' && b != '.' && b != 'e' && b != 'E' {
			return n
		}
	}
	return len(text)
}

// plainLen is the length of the number that text begins with, if it is a whole one, of so few digits that it is written as
// it is, and 0 otherwise.
func plainLen(text []byte) int {
	n := 0
	if text[0] == '-' {
		n = 1
	}
	first := n
	for n < len(text) && text[n]-'0' <= 9 {
		n++
	}
	if n-first > 21 || n < len(text) && (text[n] == '.' || text[n] == 'e' || text[n] == 'E') || first == 1 && text[1] == '0' {
		return 0
	}
	return n
}

// appendNumber writes a number as ECMAScript would, if its numbers had as many digits as one likes.
func appendNumber(b, number []byte) ([]byte, error) {
	if plainLen(number) > 0 {
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
