package httpkey

import (
	"net/http"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

const (
	defaultTTL = 24 * time.Hour // as most APIs with keys
	defaultMax = 1 << 20
)

// A Config says how requests are made once. It is a plain value; what is zero in it means what its comment says. Only the
// Store in Once is required, and its Scope outside AWS Lambda.
type Config struct {
	// Once says where records are, within which scope a key is a key, whether requests need one, and more. Its TTL is 24
	// hours here if it is zero. A Reconcile finds the [*http.Request], or the event of the function, in Abandoned.In, and
	// returns a [Response]. Uncertain is asked about responses that are not kept, too, as errors with a method HTTPStatus.
	// Fingerprint, Keep, Rebuild and Codec have to be nil: they are made here.
	Once idempotency.Config

	// Tenant names whoever sent a request. Each has keys of its own, and nothing tells one about those of another. A
	// request for which it is empty is refused. Nil means that all requests are of one: whoever knows a key gets the
	// response then.
	Tenant func(r *http.Request) string

	// Methods are those of the requests that are made once; all others pass. How they are spelled, in capitals or not,
	// does not matter. None means POST and PATCH. GET, HEAD, OPTIONS and TRACE cannot be among them.
	Methods []string

	// Fingerprint says what requests with one key must have in common besides method and path; where it differs they are
	// refused with 422. body is all of the body, and belongs to the request. Nil means the host, the query, in any order,
	// and the body, byte by byte. The rest of the header does not count, as much on the way may change it. Clients that
	// write JSON differently each time are met with
	//
	//	func(r *http.Request, body []byte) (string, error) {
	//		payload, err := idempotency.Payload(json.RawMessage(body))
	//		return idempotency.Join(r.Host, r.URL.RawQuery, payload), err
	//	}
	//
	// and a service that clients reach under several names or addresses, with one that leaves the host out.
	Fingerprint func(r *http.Request, body []byte) (string, error)

	// Keep says which responses are kept, by their status. For all others the handler runs again the next time. Nil means
	// those below 500, without 401, 408, 425 and 429.
	Keep func(status int) bool

	// Headers are fields of a response that are kept besides the usual: Allow, Cache-Control, Content-Digest,
	// Content-Disposition, Content-Encoding, Content-Language, Content-Location, Content-Security-Policy, Content-Type, ETag,
	// Last-Modified, Link, Location, Repr-Digest, Retry-After, Vary and X-Content-Type-Options. Several lines of one become
	// one, joined by commas. Set-Cookie, Authorization, Date and those that are about the connection or the trace cannot be
	// kept.
	Headers []string

	// Allow is asked before a replay whether the sender of r may have it, for instance because a permission was withdrawn
	// meanwhile. An error forbids it, and is answered with 403 Forbidden, or with what its HTTPStatus method says. Nil
	// allows all.
	Allow func(r *http.Request, kept Response) error

	// MaxRequest is how many bytes the body of a request may have. Zero means 1 MiB.
	MaxRequest int64

	// MaxResponse is how many bytes of the body of a response are kept at most. Zero means 1 MiB.
	MaxResponse int64
}
