package idempotency

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// A member of an object is a piece of the text.
type member struct {
	begin           uint64 // the first bytes of the name, ranked
	from, colon, to int
	escaped         bool // whether there is an escape in its name
}

// order brings the members of all objects into order, or returns errRough if a token is not in form. What it has done by
// then is no harm.
func (c *canon) order() error {
	c.members, c.escapes = c.members[:0], bytes.IndexByte(c.text, '\\') >= 0
	end, err := c.value(0)
	if err == nil && end < len(c.text) {
		err = errRough
	}
	return err
}

// value brings the value that begins at from into order, and returns where it ends.
func (c *canon) value(from int) (end int, err error) {
	switch c.text[from] {
	case '{':
		return c.object(from)
	case '[':
		return c.array(from)
	case '"':
		if !c.escapes {
			return from + quote(c.text[from+1:]) + 2, nil
		}
		end, _, err = c.str(from)
		return end, err
	case 't', 'n':
		return from + len("true"), nil
	case 'f':
		return from + len("false"), nil
	}
	return c.number(from)
}

func (c *canon) number(from int) (end int, err error) {
	text := c.text[from:]
	if n := plainLen(text); n > 0 {
		return from + n, nil
	}
	n := numberLen(text)
	if n == 0 {
		return from, errRough // white space
	}
	c.sorted, err = appendNumber(c.sorted[:0], text[:n])
	if err == nil && !bytes.Equal(c.sorted, text[:n]) {
		err = errRough
	}
	return from + n, err
}

// str also reports whether there is an escape in the string.
func (c *canon) str(from int) (end int, escaped bool, err error) {
	for end = from + 1; ; {
		end += special(c.text[end:])
		if c.text[end] == '"' {
			return end + 1, escaped, nil
		}
		n := plainEscape(c.text[end:])
		if n == 0 {
			return end, true, errRough
		}
		end += n
		escaped = true
	}
}

func (c *canon) array(from int) (end int, err error) {
	for end = from + 1; c.text[end] != ']'; {
		if end, err = c.value(end); err != nil {
			return end, err
		}
		if c.text[end] == ',' {
			end++
		} else if c.text[end] != ']' {
			return end, errRough
		}
	}
	return end + 1, nil
}

func (c *canon) object(from int) (end int, err error) {
	text, first, inOrder := c.text, len(c.members), true
	for end = from + 1; text[end] != '}'; {
		m := member{from: end}
		if text[end] != '"' {
			return end, errRough
		}
		if c.escapes {
			if m.colon, m.escaped, err = c.str(end); err != nil {
				return end, err
			}
		} else {
			m.colon = end + quote(text[end+1:]) + 2
		}
		if text[m.colon] != ':' {
			return end, errRough
		}
		if m.escaped {
			name := c.name(&m)
			m.begin = begin(name, len(name))
		} else {
			m.begin = begin(text[m.from+1:], m.colon-m.from-2)
		}
		if m.to, err = c.value(m.colon + 1); err != nil {
			return end, err
		}
		c.members = append(c.members, m)
		if n := len(c.members) - 1; n > first && inOrder {
			inOrder = c.before(&c.members[n-1], &c.members[n])
		}
		end = m.to
		if text[end] == ',' {
			end++
		} else if text[end] != '}' {
			return end, errRough
		}
	}
	if !inOrder {
		err = c.sort(c.members[first:])
	}
	c.members = c.members[:first]
	return end + 1, err
}

// sort brings members, which follow each other, into order.
func (c *canon) sort(members []member) error {
	from, to := members[0].from, members[len(members)-1].to
	if len(members) <= 12 { // as most objects have
		for i := 1; i < len(members); i++ {
			m, n := members[i], i
			for ; n > 0 && c.before(&m, &members[n-1]); n-- {
				members[n] = members[n-1]
			}
			members[n] = m
		}
	} else {
		slices.SortFunc(members, func(a, b member) int { return c.compare(&a, &b) })
	}
	for i := 1; i < len(members); i++ {
		if members[i].begin == members[i-1].begin && c.compare(&members[i], &members[i-1]) == 0 {
			return fmt.Errorf("an object in the payload has the member %q twice", c.name(&members[i]))
		}
	}
	c.sorted = append(c.sorted[:0], c.text[from:to]...)
	at := from
	for i := range members {
		at += copy(c.text[at:], c.sorted[members[i].from-from:members[i].to-from])
		if at < to {
			c.text[at] = ','
			at++
		}
	}
	return nil
}

// before reports whether x comes before y.
func (c *canon) before(x, y *member) bool {
	if x.begin != y.begin {
		return x.begin < y.begin
	}
	return c.compare(x, y) < 0
}

// compare orders names by their UTF-16, as RFC 8785 has it. That is the order of their UTF-8, but that characters beyond
// the first 65,536 come before the last of those.
func (c *canon) compare(x, y *member) int {
	a, b := c.name(x), c.name(y)
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Compare(rank(a[i]), rank(b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}

func (c *canon) name(m *member) []byte {
	if m.escaped {
		name, _, _ := appendUnescaped(nil, c.text[m.from:])
		return name
	}
	return c.text[m.from+1 : m.colon-1]
}

// begin is the first eight bytes of a name of n bytes, which text begins with, as a number that is the larger the later
// they come, or as large if that is not to be said.
func begin(text []byte, n int) uint64 {
	var b uint64
	if len(text) >= 8 {
		b = binary.BigEndian.Uint64(text)
		if n < 8 {
			b &= ^(^uint64(0) >> (8 * n))
		}
	} else {
		for i := range n {
			b |= uint64(text[i]) << (56 - 8*i)
		}
	}
	if b&0x8080808080808080 != 0 {
		b = ranked(b)
	}
	return b
}

// ranked is b with each of its bytes ranked.
func ranked(b uint64) uint64 {
	var bytes [8]byte
	binary.BigEndian.PutUint64(bytes[:], b)
	for i := range bytes {
		bytes[i] = rank(bytes[i])
	}
	return binary.BigEndian.Uint64(bytes[:])
}

func rank(b byte) byte {
	if b == 0xee || b == 0xef { // first byte of U+E000 to U+FFFF
		return b + 0x10
	}
	return b
}
