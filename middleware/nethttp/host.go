package nethttp

import (
	"context"
	"errors"
	"strings"

	"github.com/seawall-go/seawall/internal/refusal"
	"github.com/seawall-go/seawall/middleware"
)

// PerHost returns a policy for [Transport] that leaves each request to the policy which get returns for its host, so
// that one host which fails does not stop the requests to others. The Get methods of the groups in packages breaker and
// ratelimit are made for it:
//
//	nethttp.PerHost(breaker.NewGroup(breaker.Config{Name: "api"}, 100).Get)
//
// If P is an interface, or repeats calls as retry.Policy does, a tracing.Span outside PerHost is not taken for that of one
// request. List one after PerHost instead; in what get returns, Transport does not see it.
//
// The host is that of the request's URL, with its port if it has one, in lower case. A redirect is a request of its own.
// Used elsewhere than in Transport, where no host is known, the policy makes no call and returns an error that says so.
func PerHost[P middleware.Policy](get func(host string) P) middleware.Policy {
	if get == nil {
		panic("nethttp: PerHost(nil): want a function")
	}
	return perHost[P](get)
}

var errNoHost = refusal.Last(errors.New("nethttp: PerHost is used elsewhere than in Transport: the context has no host"))

type perHost[P middleware.Policy] func(host string) P

func (get perHost[P]) Do(ctx context.Context, call func(context.Context) error) error {
	x, ok := ctx.Value(tripKey{}).(*trip)
	if !ok {
		return errNoHost
	}
	return get(x.host()).Do(ctx, call)
}

// Repeats tells that a policy of such a type may make its call again: what get returns is yet to come.
func (get perHost[P]) Repeats() bool {
	var none P
	_, repeats := any(none).(interface{ Repeats() bool })
	return repeats || any(none) == nil // an interface may be anything
}

// hostOfRequest marks the policy for Middleware, where it makes no sense.
func (get perHost[P]) hostOfRequest() {}

func (x *trip) host() string {
	if x.request.URL == nil {
		return "" // it is for base to say so
	}
	return strings.ToLower(x.request.URL.Host)
}
