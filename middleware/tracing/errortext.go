package tracing

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seawall-go/seawall/middleware"
)

// text is s as what leaves the process may have it: exporters refuse all that they have collected for one string that is
// not UTF-8, and senders can send such strings.
func text(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// errorText is the text of an error, or of a panic's value, without what is secret in the URLs of a [url.Error].
func errorText(of any) string {
	s := fmt.Sprint(of) // which minds methods that panic
	secret := urlErrors(nil, of)
	slices.SortStableFunc(secret, func(a, b *url.Error) int { return len(b.URL) - len(a.URL) }) // one may be the beginning of another
	for _, e := range secret {
		s = withBareURL(s, e)
	}
	return text(s)
}

// urlErrors adds those in of to all.
func urlErrors(all []*url.Error, of any) []*url.Error {
	switch e := of.(type) {
	case *url.Error:
		if e != nil {
			return urlErrors(append(all, e), e.Err)
		}
	case *middleware.PanicError:
		if e != nil {
			return urlErrors(all, e.Value)
		}
	case interface{ Unwrap() error }:
		return urlErrors(all, asked(e.Unwrap))
	case interface{ Unwrap() []error }:
		for _, inner := range asked(e.Unwrap) {
			all = urlErrors(all, inner)
		}
	}
	return all
}

// withBareURL is s with e's URL without its user, its query and its fragment. Of what has no host, or cannot be parsed, any
// part may be the user's, and then the parser's reason may quote it.
func withBareURL(s string, e *url.Error) string {
	bare := "***"
	u, err := url.Parse(e.URL)
	switch {
	case err == nil && (u.Host != "" || !strings.Contains(e.URL, "@")):
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		bare = u.String()
	case e.Op == "parse":
		s = strings.ReplaceAll(s, ": "+fmt.Sprint(e.Err), ": invalid URL")
	}
	s = strings.ReplaceAll(s, strconv.Quote(e.URL), strconv.Quote(bare)) // as the error writes it
	return strings.ReplaceAll(s, e.URL, bare)
}
