package nethttp

import (
	"context"
	"net/http"
	"net/url"
)

// WithHost returns a context in which PerHost finds host.
func WithHost(ctx context.Context, host string) context.Context {
	return context.WithValue(ctx, tripKey{}, &trip{request: &http.Request{URL: &url.URL{Host: host}}})
}
