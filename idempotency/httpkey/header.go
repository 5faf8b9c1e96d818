package httpkey

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// alwaysKept are the fields that describe a response.
func alwaysKept() []string {
	return []string{
		"Allow", "Cache-Control", "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language",
		"Content-Location", "Content-Security-Policy", "Content-Type", "Etag", "Last-Modified", "Link", "Location",
		"Repr-Digest", "Retry-After", "Vary", "X-Content-Type-Options",
	}
}

// neverKept are those that are secrets, or about one exchange.
func neverKept() []string {
	return []string{
		"Authentication-Info", "Authorization", "Connection", "Content-Length", "Date", "Keep-Alive", "Proxy-Authenticate",
		"Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Connection", "Set-Cookie", "Set-Cookie2", "Te", "Traceparent",
		"Tracestate", "Trailer", "Transfer-Encoding", "Upgrade", "Www-Authenticate", "X-Amzn-Trace-Id", Field, Replayed,
	}
}

// repeat sets which fields are kept, more of them than usual.
func (op *operation) repeat(more []string) error {
	for _, name := range append(alwaysKept(), more...) {
		name = http.CanonicalHeaderKey(name)
		if !isToken(name) || slices.Contains(neverKept(), name) {
			return fmt.Errorf("in Headers is %q, which no replay may have: leave it out", name)
		}
		op.fields[name] = true
	}
	return nil
}

// kept is what is kept of the header fields of a response.
func (op *operation) kept(h http.Header) http.Header {
	var kept http.Header
	for name, values := range h {
		if name = http.CanonicalHeaderKey(name); op.fields[name] && len(values) > 0 {
			if kept == nil {
				kept = make(http.Header)
			}
			kept[name] = []string{strings.Join(values, ", ")}
		}
	}
	return kept
}
