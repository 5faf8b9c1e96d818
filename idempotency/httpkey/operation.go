package httpkey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seawall-go/seawall/idempotency"
)

// An operation is a Config made ready for use.
type operation struct {
	Config

	methods map[string]bool
	fields  map[string]bool // of a response, those that are kept
}

func newOperation(caller string, c Config) *operation {
	op := &operation{Config: c, methods: make(map[string]bool), fields: make(map[string]bool)}
	if err := cmp.Or(op.check(), op.choose(c.Methods), op.repeat(c.Headers)); err != nil {
		panic("httpkey: " + caller + ": " + err.Error())
	}
	if c.Keep == nil {
		op.Keep = final
	}
	op.MaxRequest = cmp.Or(c.MaxRequest, defaultMax)
	op.MaxResponse = cmp.Or(c.MaxResponse, defaultMax)
	op.Once.TTL = cmp.Or(c.Once.TTL, defaultTTL)
	op.Once.Fingerprint = func(in any) (string, error) { return in.(*call).fingerprint() }
	if c.Once.Reconcile != nil {
		op.Once.Reconcile = op.reconcile(c.Once.Reconcile)
	}
	return op
}

func (op *operation) check() error {
	once := op.Once
	if once.Fingerprint != nil || once.Keep != nil || once.Rebuild != nil || once.Codec != nil {
		return errors.New("in Once is a Fingerprint, Keep, Rebuild or Codec: use the fields of httpkey.Config")
	}
	if op.MaxRequest < 0 || op.MaxResponse < 0 {
		return fmt.Errorf("MaxRequest %d, MaxResponse %d: want bytes, or 0 for 1 MiB", op.MaxRequest, op.MaxResponse)
	}
	return nil
}

// choose sets which methods are covered.
func (op *operation) choose(methods []string) error {
	if len(methods) == 0 {
		methods = []string{http.MethodPost, http.MethodPatch}
	}
	safe := []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}
	for _, m := range methods {
		m = strings.ToUpper(m)
		if !isToken(m) || slices.Contains(safe, m) {
			return fmt.Errorf("in Methods is %q, which changes nothing: leave it out", m)
		}
		op.methods[m] = true
	}
	return nil
}

// covers reports whether requests with this method are made once.
func (op *operation) covers(method string) bool { return op.methods[strings.ToUpper(method)] }

// isToken reports whether s can be a method, or the name of a header field.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || '~' < r || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// final reports whether a response with this status is the last word.
func final(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status < 500
}

// reconcile returns ask, told about the request, and trusted if it returns a response.
func (op *operation) reconcile(ask func(context.Context, idempotency.Abandoned) (any, bool, error)) func(context.Context, idempotency.Abandoned) (any, bool, error) {
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
