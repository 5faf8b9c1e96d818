package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/retry"
)

// serve answers one request in the given middleware and returns the response.
func serve(around func(http.Handler) http.Handler, r *http.Request, h http.HandlerFunc) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	if h != nil {
		mux.Handle("/orders/{id}", h)
	}
	w := httptest.NewRecorder()
	defer func() { _ = recover() }() // that a response was aborted is for the server to see
	around(mux).ServeHTTP(w, r)
	return w
}

func TestServer(t *testing.T) {
	refuse := middleware.PolicyFunc(func(context.Context, func(context.Context) error) error { return &middleware.FullError{} })
	for _, test := range []struct {
		name              string
		path              string
		handler           http.HandlerFunc
		policy            middleware.Policy
		status, errorType string
	}{
		{"nothing written", "/orders/7", func(http.ResponseWriter, *http.Request) {}, nil, "200", ""},
		{"created", "/orders/7", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }, nil, "201", ""},
		{"not found", "/elsewhere", nil, nil, "404", ""},
		{"unavailable", "/orders/7", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, nil, "503", "503"},
		{"refused", "/orders/7", nil, refuse, "503", "*middleware.FullError"},
		{"recovered", "/orders/7", func(http.ResponseWriter, *http.Request) { panic("boom") }, middleware.Recover{}, "500", "panic"},
		{"panicked", "/orders/7", func(http.ResponseWriter, *http.Request) { panic("boom") }, nil, "", "panic"},
		{"aborted", "/orders/7", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, "", "*errors.errorString"},
	} {
		for name, around := range map[string]func(...middleware.Policy) func(http.Handler) http.Handler{
			"Middleware": nethttp.Middleware, "Buffered": nethttp.Buffered{}.Middleware,
		} {
			t.Run(test.name+", "+name, func(t *testing.T) {
				r := newRig()
				policies := []middleware.Policy{r.Span}
				if test.policy != nil {
					policies = append(policies, test.policy)
				}
				request := httptest.NewRequest(http.MethodPut, test.path+"?secret=1", http.NoBody)
				request.Header.Set("Traceparent", parent)
				request.Header.Set("User-Agent", "curl")
				request.RemoteAddr = "192.0.2.1:4711"
				w := serve(around(policies...), request, test.handler)
				span := r.only(t)
				routed := strings.HasPrefix(test.path, "/orders/") && test.name != "refused"
				name, route := "PUT", ""
				if routed {
					name, route = "PUT /orders/{id}", "/orders/{id}"
				}
				if span.Name != name || span.SpanKind != trace.SpanKindServer || (span.Status.Code == codes.Error) != (test.errorType != "") {
					t.Errorf("%v span %q, %v; want %q", span.SpanKind, span.Name, span.Status, name)
				}
				if span.SpanContext.TraceID().String() != traceID || span.Parent.SpanID().String() != spanID {
					t.Errorf("the parent is %v", span.Parent)
				}
				if test.status != "" && fmt.Sprint(w.Code) != test.status {
					t.Errorf("answered with %d", w.Code)
				}
				wants(t, span.Attributes, map[string]string{
					"http.request.method": "PUT", "http.route": route, "url.path": test.path, "url.scheme": "http",
					"server.address": "example.com", "client.address": "192.0.2.1", "user_agent.original": "curl",
					"network.protocol.version": "1.1", "http.response.status_code": test.status, "error.type": test.errorType, "url.query": "",
				})
			})
		}
	}
}

// X-Ray's parent is that of an invocation: outside one the environment says nothing.
func TestNoXRayOutsideLambda(t *testing.T) {
	t.Setenv("_X_AMZN_TRACE_ID", xrayHeader)
	r := newRig()
	serve(nethttp.Middleware(r.Span), httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody), func(http.ResponseWriter, *http.Request) {})
	if span := r.only(t); span.Parent.IsValid() {
		t.Errorf("the parent is %v", span.Parent)
	}
}

// Whatever method a sender makes up, there is one value for it.
func TestMethods(t *testing.T) {
	for _, test := range []struct{ method, name, attribute, original string }{
		{"GET", "GET /orders/{id}", "GET", ""},
		{"QUERY", "QUERY /orders/{id}", "QUERY", ""},
		{"BREW", "HTTP /orders/{id}", "_OTHER", "BREW"},
		{"get", "HTTP /orders/{id}", "_OTHER", "get"},
	} {
		r := newRig()
		serve(nethttp.Middleware(r.Span), httptest.NewRequest(test.method, "/orders/7", http.NoBody), func(http.ResponseWriter, *http.Request) {})
		span := r.only(t)
		if span.Name != test.name {
			t.Errorf("%s: span %q, want %q", test.method, span.Name, test.name)
		}
		wants(t, span.Attributes, map[string]string{"http.request.method": test.attribute, "http.request.method_original": test.original})
		key := "http.request.method=" + test.attribute + " http.response.status_code=200 http.route=/orders/{id} url.scheme=http"
		if got := r.values(t, "http.server.request.duration"); got[key] != 1 {
			t.Errorf("%s: %v", test.method, got)
		}
	}
}

// In a buffered handler each attempt has a span in that of the request.
func TestBufferedAttempts(t *testing.T) {
	r := newRig()
	calls := 0
	w := serve(nethttp.Buffered{}.Middleware(r.Span, retry.Policy{Base: -1}, r.named("attempt")),
		httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody), func(w http.ResponseWriter, _ *http.Request) {
			if calls++; calls == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
	spans := r.spans()
	if w.Code != http.StatusOK || len(spans) != 3 {
		t.Fatalf("%d, %v", w.Code, names(spans))
	}
	if spans[0].Status.Code != codes.Unset || spans[1].Status.Code != codes.Error || spans[2].Status.Code != codes.Unset {
		t.Errorf("%v, %v, %v", spans[0].Status, spans[1].Status, spans[2].Status)
	}
	wants(t, spans[0].Attributes, map[string]string{"http.response.status_code": "200", "error.type": "", "http.route": "/orders/{id}"})
	wants(t, spans[1].Attributes, map[string]string{"error.type": "503"})
}

// transportFunc is a function that is an [http.RoundTripper].
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody}
}

func TestClient(t *testing.T) {
	for _, test := range []struct {
		name       string
		url        string
		status     int
		err        error
		port, full string
		errorType  string
	}{
		{"ok", "http://user:secret@example.com/orders/7?token=secret#x", 200, nil, "80", "http://example.com/orders/7", ""},
		{"not found", "https://example.com/", 404, nil, "443", "https://example.com/", "404"},
		{"unavailable", "https://example.com:8443", 503, nil, "8443", "https://example.com:8443", "503"},
		{"no answer", "https://example.com/", 0, io.ErrUnexpectedEOF, "443", "https://example.com/", "*errors.errorString"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, test.url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			var sent *http.Request
			base := transportFunc(func(r *http.Request) (*http.Response, error) {
				sent = r
				if test.err != nil {
					return nil, test.err
				}
				return answer(test.status), nil
			})
			response, err := nethttp.Transport(base, r.Span).RoundTrip(request)
			if !errors.Is(err, test.err) || err == nil && response.StatusCode != test.status {
				t.Errorf("got %v, %v", response, err)
			}
			span := r.only(t)
			status := ""
			if test.status != 0 {
				status = fmt.Sprint(test.status)
			}
			if span.Name != "POST" || span.SpanKind != trace.SpanKindClient || (span.Status.Code == codes.Error) != (test.errorType != "") {
				t.Errorf("%v span %q, %v", span.SpanKind, span.Name, span.Status)
			}
			wants(t, span.Attributes, map[string]string{
				"http.request.method": "POST", "url.full": test.full, "url.scheme": request.URL.Scheme, "server.address": "example.com", "server.port": test.port,
				"http.response.status_code": status, "error.type": test.errorType, "http.request.resend_count": "",
			})
			if header := sent.Header.Get("Traceparent"); !strings.Contains(header, span.SpanContext.SpanID().String()) || request.Header.Get("Traceparent") != "" {
				t.Errorf("sent %q, and the caller's request has %q", header, request.Header.Get("Traceparent"))
			}
		})
	}
}

// Each attempt is a span in that around the retry, counts from the second on, and carries its own id.
func TestResends(t *testing.T) {
	for _, n := range []int{1, 4} {
		r := newRig()
		together(n, nil, func(_ int, wait func()) {
			calls := 0
			base := transportFunc(func(*http.Request) (*http.Response, error) {
				if calls++; calls == 1 {
					wait()
				}
				return answer(map[bool]int{true: 503, false: 200}[calls < 3]), nil
			})
			client := nethttp.Transport(base, r.named("payments"), retry.Policy{Base: -1}, r.Span)
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com/", http.NoBody)
			if response, err := client.RoundTrip(request); err != nil || response.StatusCode != 200 {
				t.Errorf("got %v, %v", response, err)
			}
		})
		counts := make(map[string]int)
		for _, span := range r.spans() {
			key := fmt.Sprint(span.Name, " ", span.SpanKind, " ", attributes(span.Attributes)["http.request.resend_count"], " ", span.Status.Code, " ", len(span.Events))
			counts[key]++
		}
		want := map[string]int{"payments internal  Unset 2": n, "GET client  Error 0": n, "GET client 1 Error 0": n, "GET client 2 Unset 0": n}
		if fmt.Sprint(counts) != fmt.Sprint(want) {
			t.Errorf("%d at once: %v, want %v", n, counts, want)
		}
		if got := r.values(t, "seawall.retries"); got["error.type=503 seawall.policy=retry"] != int64(2*n) {
			t.Errorf("%d at once: retries %v", n, got)
		}
	}
}

// A Span that is used by hand inside a call is not that of the request.
func TestSpanInsideAHandler(t *testing.T) {
	r := newRig()
	serve(nethttp.Middleware(r.Span), httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody), func(_ http.ResponseWriter, request *http.Request) {
		_ = r.named("inside").Do(request.Context(), nothing)
	})
	spans := r.spans()
	if spans[1].Name != "inside" || spans[1].SpanKind != trace.SpanKindInternal || spans[1].Parent.SpanID() != spans[0].SpanContext.SpanID() {
		t.Errorf("%s, %v", spans[1].Name, spans[1].SpanKind)
	}
}

// The propagator is the one given; without one, and without a global one, that of W3C.
func TestPropagator(t *testing.T) {
	for name, test := range map[string]struct {
		propagator propagation.TextMapPropagator
		want       bool
	}{
		"none":  {nil, true},
		"empty": {propagation.NewCompositeTextMapPropagator(), false},
		"W3C":   {propagation.TraceContext{}, true},
	} {
		r := newRig()
		r.Propagator = test.propagator
		request := httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody)
		request.Header.Set("Traceparent", parent)
		var sent http.Header
		base := transportFunc(func(r *http.Request) (*http.Response, error) { sent = r.Header; return answer(200), nil })
		serve(nethttp.Middleware(r.Span), request, func(_ http.ResponseWriter, in *http.Request) {
			out, _ := http.NewRequestWithContext(in.Context(), http.MethodGet, "http://example.com", http.NoBody)
			out.Header = nil
			_, _ = nethttp.Transport(base, r.Span).RoundTrip(out)
		})
		if got := r.spans()[0].SpanContext.TraceID().String() == traceID; got != test.want {
			t.Errorf("%s: read is %v", name, got)
		}
		if got := sent.Get("Traceparent") != ""; got != test.want {
			t.Errorf("%s: sent is %v", name, got)
		}
	}
}

// Without an SDK the trace still goes through, but for those who want no telemetry.
func TestPassesOnWithoutSDK(t *testing.T) {
	var sent string
	base := transportFunc(func(r *http.Request) (*http.Response, error) {
		sent = r.Header.Get("Traceparent")
		return answer(200), nil
	})
	for want, span := range map[string]tracing.Span{parent: {}, "": noop} {
		request := httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody)
		request.Header.Set("Traceparent", parent)
		serve(nethttp.Middleware(span), request, func(_ http.ResponseWriter, in *http.Request) {
			out, _ := http.NewRequestWithContext(in.Context(), http.MethodGet, "http://example.com", http.NoBody)
			_, _ = nethttp.Transport(base, span).RoundTrip(out)
		})
		if sent != want {
			t.Errorf("%+v: sent %q, want %q", span, sent, want)
		}
	}
}

// A policy that leaves a call behind, against its promise, does not make two of them look at one memory at once.
func TestRegression_CallLeftBehindIsNotLookedAt(t *testing.T) {
	r := newRig()
	var left sync.WaitGroup
	leave := middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		began := make(chan struct{})
		left.Go(func() {
			close(began)
			_ = call(ctx)
		})
		<-began
		return errDown
	})
	for range 100 {
		_, _ = invokeWith(t, r, leave)
	}
	left.Wait()
}

// Redirects are requests of their own.
func TestRedirect(t *testing.T) {
	r := newRig()
	base := transportFunc(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/old" {
			response := answer(http.StatusFound)
			response.Header.Set("Location", "/new")
			return response, nil
		}
		return answer(200), nil
	})
	client := http.Client{Transport: nethttp.Transport(base, r.Span)}
	if _, err := client.Get("http://example.com/old"); err != nil {
		t.Fatal(err)
	}
	spans := r.spans()
	if len(spans) != 2 {
		t.Fatal(names(spans))
	}
	wants(t, spans[0].Attributes, map[string]string{"url.full": "http://example.com/old", "http.response.status_code": "302", "error.type": ""})
	wants(t, spans[1].Attributes, map[string]string{"url.full": "http://example.com/new", "http.request.resend_count": "1"})
}
