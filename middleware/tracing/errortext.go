package tracing

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/seawall-go/seawall/middleware"
)

// text is s as what leaves the process may have it: exporters refuse all that they have collected for one string that is
// not UTF-8, and senders can send such strings.
func text(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// errorText is the text of an error, or of a panic's value, without what is secret in the URLs of a [url.Error].
func errorText(of any) string {
	return text(withoutSecrets(fmt.Sprint(of), of)) // Sprint minds methods that panic
}

// withoutSecrets is s with the URLs of all errors in of bare.
func withoutSecrets(s string, of any) string {
	switch e := of.(type) {
	case *url.Error:
		if e != nil {
			s = withoutSecrets(withBareURL(s, e), e.Err)
		}
	case *middleware.PanicError:
		if e != nil {
			s = withoutSecrets(s, e.Value)
		}
	case interface{ Unwrap() error }:
		s = withoutSecrets(s, asked(e.Unwrap))
	case interface{ Unwrap() []error }:
		for _, inner := range asked(e.Unwrap) {
			s = withoutSecrets(s, inner)
		}
	}
	return s
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
