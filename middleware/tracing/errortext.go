package tracing

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// errorText is the text of an error, or of a panic's value, without what is secret in the URLs of a [url.Error].
func errorText(of any) string {
	text := fmt.Sprint(of) // which minds methods that panic
	if err, ok := of.(error); ok {
		asked(func() struct{} {
			text = withoutSecrets(text, err)
			return struct{}{}
		})
	}
	return text
}

// withoutSecrets is text with the URLs of err and all errors in it bare.
func withoutSecrets(text string, err error) string {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // one of the tree at a time
		bare := bareURL(e.URL)
		text = strings.ReplaceAll(text, strconv.Quote(e.URL), strconv.Quote(bare)) // as the error writes it
		if bare != e.URL {
			text = strings.ReplaceAll(text, e.URL, bare)
		}
	}
	switch w := err.(type) { //nolint:errorlint // as above
	case interface{ Unwrap() error }:
		if inner := w.Unwrap(); inner != nil {
			text = withoutSecrets(text, inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range w.Unwrap() {
			if inner != nil {
				text = withoutSecrets(text, inner)
			}
		}
	}
	return text
}

// bareURL is a URL, which may be none, without its user, its query and its fragment.
func bareURL(u string) string {
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		u = u[:i]
	}
	scheme, rest, ok := strings.Cut(u, "//")
	if !ok {
		return u
	}
	host, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	return scheme + "//" + host[strings.LastIndexByte(host, '@')+1:] + path
}

// text is s as what leaves the process may have it: exporters refuse all that they have collected for one string that is
// not UTF-8, and senders can send such strings.
func text(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
