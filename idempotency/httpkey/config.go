package httpkey

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
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

// An operation is a Config made ready for use.
type operation struct {
	Config

	methods map[string]bool
	fields  map[string]bool // of a response, those that are kept
}

func newOperation(caller string, c Config) *operation {
	fail := func(format string, args ...any) {
		panic("httpkey: " + caller + ": " + fmt.Sprintf(format, args...))
	}
	once := &c.Once
	if once.Fingerprint != nil || once.Keep != nil || once.Rebuild != nil || once.Codec != nil {
		fail("Once has a Fingerprint, Keep, Rebuild or Codec: use the fields of httpkey.Config")
	}
	if c.MaxRequest < 0 || c.MaxResponse < 0 {
		fail("MaxRequest %d, MaxResponse %d: want bytes, or 0 for 1 MiB", c.MaxRequest, c.MaxResponse)
	}
	op := &operation{Config: c, methods: make(map[string]bool), fields: make(map[string]bool)}
	if len(c.Methods) == 0 {
		op.Methods = []string{http.MethodPost, http.MethodPatch}
	}
	for _, m := range op.Methods {
		m = strings.ToUpper(m)
		if !isToken(m) || slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}, m) {
			fail("Methods has %q, which changes nothing: leave it out", m)
		}
		op.methods[m] = true
	}
	for _, name := range append(keptFields(), c.Headers...) {
		name = http.CanonicalHeaderKey(name)
		if !isToken(name) || slices.Contains(neverKept(), name) {
			fail("Headers has %q, which no replay may have: leave it out", name)
		}
		op.fields[name] = true
	}
	if c.Keep == nil {
		op.Keep = final
	}
	op.MaxRequest = or(c.MaxRequest, defaultMax)
	op.MaxResponse = or(c.MaxResponse, defaultMax)
	op.Once.TTL = or(c.Once.TTL, defaultTTL)
	op.Once.Fingerprint = func(in any) (string, error) { return in.(*call).fingerprint() }
	if c.Once.Reconcile != nil {
		op.Once.Reconcile = op.reconcile(c.Once.Reconcile)
	}
	return op
}

// reconcile is ask, told about the request, if what it returns is a response.
func (op *operation) reconcile(ask func(ctx context.Context, run idempotency.Abandoned) (any, bool, error)) func(context.Context, idempotency.Abandoned) (any, bool, error) {
	return func(ctx context.Context, run idempotency.Abandoned) (any, bool, error) {
		run.In = run.In.(*call).arg(ctx)
		result, done, err := ask(ctx, run)
		if !done || err != nil {
			return nil, false, err
		}
		r, ok := result.(Response)
		if !ok {
			return nil, false, fmt.Errorf("httpkey: Reconcile returned a %T, want a Response", result)
		}
		r.Header = op.kept(r.Header)
		return r, true, r.check()
	}
}

// isToken reports whether s can be a method, or the name of a header field.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || '~' < r || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func or[N int64 | time.Duration](n, otherwise N) N {
	if n == 0 {
		return otherwise
	}
	return n
}

// covers reports whether requests with this method are made once.
func (op *operation) covers(method string) bool { return op.methods[strings.ToUpper(method)] }

// final reports whether a response with this status is the last word.
func final(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status < 500
}

func keptFields() []string {
	return []string{
		"Allow", "Cache-Control", "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language",
		"Content-Location", "Content-Security-Policy", "Content-Type", "Etag", "Last-Modified", "Link", "Location",
		"Repr-Digest", "Retry-After", "Vary", "X-Content-Type-Options",
	}
}

func neverKept() []string {
	return []string{
		"Authentication-Info", "Authorization", "Connection", "Content-Length", "Date", "Keep-Alive", "Proxy-Authenticate",
		"Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Connection", "Set-Cookie", "Set-Cookie2", "Te", "Traceparent",
		"Tracestate", "Trailer", "Transfer-Encoding", "Upgrade", "Www-Authenticate", "X-Amzn-Trace-Id", Field, Replayed,
	}
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
