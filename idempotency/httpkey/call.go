package httpkey

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/internal/event"
)

// A call is a request on its way through the engine.
type call struct {
	op      *operation
	w       http.ResponseWriter // nil if the request came as an event
	request *http.Request
	event   any
	body    []byte // of the request
	read    bool   // whether that was read

	handle func(ctx context.Context) (Response, error)
	keyed  bool // there may be a record
	done   bool // the handler has answered
}

// once is the engine's function.
func (op *operation) once() func(ctx context.Context, c *call) (Response, error) {
	return idempotency.Wrap(func(ctx context.Context, c *call) (Response, error) { return c.handle(ctx) }, (*call).key, op.Once)
}

func (c *call) key() (string, error) {
	key, err := Key(c.request.Header)
	if err != nil {
		return "", err
	}
	tenant := ""
	if c.op.Tenant != nil {
		if tenant = c.op.Tenant(c.request); tenant == "" {
			return "", status(http.StatusForbidden)
		}
	}
	c.keyed = true
	return idempotency.Join(tenant, key), nil
}

// readBody reads the body of the request, so that it can be had anew.
func (c *call) readBody() error {
	r := c.request
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if r.ContentLength > c.op.MaxRequest {
		return status(http.StatusRequestEntityTooLarge)
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, r.Body, c.op.MaxRequest))
	_ = r.Body.Close()
	switch {
	case is[*http.MaxBytesError](err):
		return status(http.StatusRequestEntityTooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return status(http.StatusRequestTimeout)
	case err != nil:
		return status(http.StatusBadRequest)
	}
	c.body, c.read = body, true
	c.request = c.again(r.Context())
	return nil
}

// again is the request with its body anew.
func (c *call) again(ctx context.Context) *http.Request {
	r := c.request.WithContext(ctx)
	if c.read {
		r.Body = io.NopCloser(bytes.NewReader(c.body))
		r.ContentLength, r.TransferEncoding = int64(len(c.body)), nil
	}
	return r
}

// arg is what Reconcile is told.
func (c *call) arg(ctx context.Context) any {
	if c.event != nil {
		return c.event
	}
	return c.again(ctx)
}

// leaves is what the engine is told of a response.
func (c *call) leaves(r Response) (Response, error) {
	c.done = true
	if r.answers() && !c.op.Keep(r.Status) {
		return Response{}, status(r.Status)
	}
	if r.bodyless() {
		r.Body = nil
	}
	if int64(len(r.Body)) > c.op.MaxResponse {
		r.broken = errTooLong
	}
	return r, nil
}

// replay is the answer with a response that was kept.
func (c *call) replay(kept Response) Response {
	if c.op.Allow != nil {
		if err := c.op.Allow(c.request, kept); err != nil {
			event.Emit(c.request.Context(), event.Event{Kind: event.Refusal, Policy: "idempotency", Name: c.op.Once.Scope, Err: err})
			answer, ok := problem(err)
			if !ok {
				answer, _ = problem(status(http.StatusForbidden))
			}
			return answer
		}
	}
	kept.Header = c.op.kept(kept.Header)
	if kept.Header == nil {
		kept.Header = make(http.Header)
	}
	kept.Header.Set(Replayed, "true")
	return kept
}
