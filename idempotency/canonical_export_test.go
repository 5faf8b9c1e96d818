package idempotency

import "bytes"

// Canonical is the one form of a JSON text.
func Canonical(text []byte) ([]byte, error) {
	c := canons.Get().(*canon)
	defer c.free()
	form, err := c.ofText(text)
	return bytes.Clone(form), err
}
