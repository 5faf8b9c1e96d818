package httpkey

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seawall-go/seawall/idempotency"
)

// The header fields of this package.
const (
	Field    = "Idempotency-Key"     // the key, in requests
	Replayed = "Idempotent-Replayed" // "true" in responses that are replays, absent in others
)

// ErrMalformed is what errors.Is finds in the error of a request whose key cannot be read.
var ErrMalformed = errors.New("httpkey: the Idempotency-Key is malformed")

const longestKey = 255

// Key returns the key in the header of a request. The draft wants it to be a string of RFC 8941, in quotes, with \" and
// \\ for what these mean; most clients send it bare. Both are the same key. It has 1 to 255 characters of ASCII, from
// space to tilde; bare there are no quotes or commas in it, and no spaces around it.
//
// The error is [idempotency.ErrNoKey] if there is no such field, and has [ErrMalformed] in it if there are several, in
// lines or as a list, or if something follows the quotes, as a parameter does.
func Key(h http.Header) (string, error) {
	lines := h[Field]
	switch len(lines) {
	case 0:
		return "", idempotency.ErrNoKey
	case 1:
		return parse(strings.Trim(lines[0], " \t"))
	}
	return "", malformed("there is more than one")
}

// Header makes an [http.Header] of what an event of API Gateway, a load balancer or a function URL has of one, whatever
// the case of the names:
//
//	key, err := httpkey.Key(httpkey.Header(event.Headers, event.MultiValueHeaders))
//
// Either map may be nil. A field in both has all its lines in the second.
func Header(single map[string]string, multi map[string][]string) http.Header {
	h := make(http.Header, max(len(single), len(multi)))
	for name, lines := range multi {
		name = http.CanonicalHeaderKey(name)
		h[name] = append(h[name], lines...)
	}
	for name, line := range single {
		if _, ok := multi[name]; !ok {
			h.Add(name, line)
		}
	}
	return h
}

func parse(s string) (string, error) {
	key := s
	if strings.HasPrefix(s, `"`) {
		var ok bool
		if key, ok = unquote(s); !ok {
			return "", malformed("it is not one string in quotes")
		}
	} else if strings.ContainsAny(s, `",`) {
		return "", malformed("it is a list, or has a quote in it")
	}
	if key == "" || len(key) > longestKey {
		return "", malformed(fmt.Sprintf("it has %d characters, want 1 to %d", len(key), longestKey))
	}
	for i := range len(key) {
		if key[i] < ' ' || '~' < key[i] {
			return "", malformed("it has characters that are not printable ASCII")
		}
	}
	return key, nil
}

// unquote returns what is in quotes, if that is all of s.
func unquote(s string) (string, bool) {
	text := make([]byte, 0, len(s))
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return string(text), i == len(s)-1
		case '\\':
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
		}
		text = append(text, s[i])
	}
	return "", false
}

func malformed(why string) error { return fmt.Errorf("%w: %s", ErrMalformed, why) }
