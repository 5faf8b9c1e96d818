// Package nethttp puts policies around net/http, on both sides: [Middleware] around a handler, [Transport] around a
// client's requests.
//
//	mux := nethttp.Middleware(limiter, middleware.Timeout(3*time.Second))(routes)
//	client := &http.Client{Transport: nethttp.Transport(nil, retry.Policy{}, payments)}
//
// Policies know errors, and HTTP knows statuses. Here each becomes the other: a response whose status is a failure is a
// [*StatusError] for the policies around it, and an error with which policies answer a request is a response with the
// status that fits, see [Error]. A StatusError stays between the policies: whoever asked gets the response itself.
//
// [Middleware] makes one call per request, for what a handler wrote cannot be taken back. [Buffered] keeps the response
// until the policies are content with it, and so makes a retry around a handler possible.
package nethttp

import (
	"context"
	"fmt"
	"net/http"
	"reflect"

	"github.com/seawall-go/seawall/middleware"
)

func check(caller string, policies []middleware.Policy) {
	for i, p := range policies {
		if p == nil {
			panic(fmt.Sprintf("nethttp: %s: policy %d of %d is nil; leave it out", caller, i+1, len(policies)))
		}
	}
}

// idempotent reports whether a request may be made twice by what its method says.
func idempotent(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// same reports whether a and b are one context. Contexts that are no pointers might not be comparable.
func same(a, b context.Context) bool {
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && t.Kind() == reflect.Pointer && a == b
}
