package idempotency

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
)

// Payload is the key of a whole argument: the SHA-256, in hexadecimal digits, of its JSON in the one form of RFC 8785.
// So it does not depend on the order of members, on white space, or on how a string or a number is spelled; but unlike
// there numbers are taken as they are written, to the last digit. What JSON leaves out of v is not part of it.
//
// There is no key, and the error is [ErrNoKey], if v is nil, or its JSON null: all calls without a payload would be one. In
// a Fingerprint, put what may be nil into a list. A payload that has no JSON, or none that means one thing only, is another
// error: one with a member twice in an object, or with a string that is not UTF-8.
func Payload[T any](v T) (string, error) {
	c := canons.Get().(*canon)
	defer c.free()
	var form []byte
	var err error
	if raw, ok := any(v).(json.RawMessage); ok && len(raw) > 0 {
		form, err = c.ofText(raw)
	} else {
		form, err = c.of(v)
	}
	switch {
	case err != nil:
		return "", err
	case string(form) == "null":
		return "", ErrNoKey
	}
	return digest(form), nil
}

// Join makes one key of parts, such as a tenant and an order, so that no two lists of parts have the same key. It is
// empty, and so no key, if all parts are.
func Join(parts ...string) string {
	key := make([]byte, 0, 64)
	missing := true
	for _, part := range parts {
		missing = missing && part == ""
		key = strconv.AppendInt(key, int64(len(part)), 10)
		key = append(key, ':')
		key = append(key, part...)
		key = append(key, ',')
	}
	if missing {
		return ""
	}
	return string(key)
}

// digest is the SHA-256 of s in hexadecimal digits.
func digest[T string | []byte](s T) string {
	return string(appendDigest(make([]byte, 0, 2*sha256.Size), s))
}

// scoped is the digest of key after its scope, which it cannot be confused with: it has no '#'.
func scoped(scope, key string) string {
	b := make([]byte, 0, 128)
	b = append(b, scope...)
	b = append(b, '#')
	return string(appendDigest(b, key))
}

func appendDigest[T string | []byte](b []byte, s T) []byte {
	sum := sha256.Sum256([]byte(s))
	return hex.AppendEncode(b, sum[:])
}
