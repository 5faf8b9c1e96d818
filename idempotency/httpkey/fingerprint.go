package httpkey

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
)

// fingerprint is what the request must have in common with others that have its key.
func (c *call) fingerprint() (string, error) {
	if err := c.readBody(); err != nil {
		return "", err
	}
	r := c.request
	sum := sha256.New()
	add := func(part string) {
		_, _ = sum.Write(strconv.AppendInt(nil, int64(len(part)), 10))
		_, _ = sum.Write([]byte{':'})
		_, _ = sum.Write([]byte(part))
	}
	add(r.Method)
	add(path(r.URL))
	if c.op.Fingerprint != nil {
		own, err := c.op.Fingerprint(c.again(r.Context()), c.body)
		if err != nil {
			return "", err
		}
		add(own)
	} else {
		add(strings.ToLower(r.Host))
		add(query(r.URL))
		_, _ = sum.Write(c.body)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// path is that of u in one spelling: what is escaped in it does not matter, but for a slash.
func path(u *url.URL) string {
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range segments {
		if plain, err := url.PathUnescape(s); err == nil {
			segments[i] = url.PathEscape(plain)
		}
	}
	return strings.Join(segments, "/")
}

// query is that of u in an order of its own, if it can be read.
func query(u *url.URL) string {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return u.RawQuery
	}
	return values.Encode()
}
