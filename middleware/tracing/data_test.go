package tracing_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
)

// strings are all that spans and metrics say.
func (r *rig) strings(t *testing.T) (all []string) {
	t.Helper()
	add := func(kvs []attribute.KeyValue) {
		for _, kv := range kvs {
			all = append(all, string(kv.Key), kv.Value.String())
		}
	}
	for _, s := range r.spans() {
		all = append(all, s.Name, s.Status.Description)
		add(s.Attributes)
		for _, e := range s.Events {
			all = append(all, e.Name)
			add(e.Attributes)
		}
		for _, l := range s.Links {
			add(l.Attributes)
		}
	}
	for _, m := range r.metrics(t) {
		_, points := points(m)
		for _, p := range points {
			add(p.attributes.ToSlice())
		}
	}
	return all
}

// get sends a request through a transport with the Span, and answers it with a status and, unless empty, a redirect.
func (r *rig) get(t *testing.T, to string, answers ...string) {
	t.Helper()
	base := transportFunc(func(*http.Request) (*http.Response, error) {
		if len(answers) == 0 {
			return answer(http.StatusOK), nil
		}
		response := answer(http.StatusFound)
		response.Header.Set("Location", answers[0])
		answers = answers[1:]
		return response, nil
	})
	client := http.Client{Transport: nethttp.Transport(base, r.Span)}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := client.Do(request); err == nil {
		response.Body.Close()
	}
}

type typedError string

func (e typedError) Error() string     { return string(e) }
func (e typedError) ErrorType() string { return string(e) }

// One string that is not UTF-8, and exporters refused all spans that were collected, or all metrics until the process ended.
func TestRegression_NobodySilencesTelemetry(t *testing.T) {
	const bad = "caf\xe9"
	request := func(change func(*http.Request)) func(*testing.T, *rig) {
		return func(_ *testing.T, r *rig) {
			in := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			change(in)
			nethttp.Middleware(r.Span)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { r.Pattern = "/" + bad })).
				ServeHTTP(httptest.NewRecorder(), in)
		}
	}
	fail := func(err error) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			_ = r.Do(t.Context(), func(ctx context.Context) error {
				event.Emit(ctx, event.Event{Kind: event.Retry, Policy: "retry", Err: err})
				return err
			})
		}
	}
	for name, act := range map[string]func(*testing.T, *rig){
		"path":     request(func(r *http.Request) { r.URL.Path = "/\xff" }),
		"method":   request(func(r *http.Request) { r.Method = bad }),
		"agent":    request(func(r *http.Request) { r.Header.Set("User-Agent", bad) }),
		"host":     request(func(r *http.Request) { r.Host = bad }),
		"peer":     request(func(r *http.Request) { r.RemoteAddr = bad }),
		"redirect": func(t *testing.T, r *rig) { r.get(t, "http://example.com/", "http://%ff/") },
		"scheme": func(t *testing.T, r *rig) {
			_, _ = nethttp.Transport(nil, r.Span).RoundTrip(&http.Request{URL: &url.URL{Scheme: bad, Host: "h"}})
		},
		"event": func(t *testing.T, r *rig) {
			h := middleware.Wrap(func(context.Context, events.APIGatewayProxyRequest) (int, error) { return 0, nil }, r.Span)
			_, _ = h(invocation(t.Context(), arn), events.APIGatewayProxyRequest{HTTPMethod: "GET", Resource: "/" + bad, Path: "/" + bad})
		},
		"error":      fail(errors.New(bad)),
		"error type": fail(typedError(bad)),
		"panic": func(t *testing.T, r *rig) {
			defer func() { _ = recover() }()
			_ = r.Do(t.Context(), func(context.Context) error { panic(bad) })
		},
		"recovered": func(t *testing.T, r *rig) {
			_ = middleware.Join(r.Span, middleware.Recover{}).Do(t.Context(), func(context.Context) error { panic(bad) })
		},
	} {
		r := newRig()
		act(t, r)
		all := r.strings(t)
		if len(all) == 0 {
			t.Errorf("%s: nothing is said", name)
		}
		for _, s := range all {
			if !utf8.ValidString(s) {
				t.Errorf("%s: %q", name, s)
			}
		}
	}
}

// A server that was called made up as many series as it liked, by redirects; and the port of a scheme was not said.
func TestRegression_CalledServersAreAFew(t *testing.T) {
	r := newRig()
	for i := 1; i <= 150; i++ {
		r.get(t, "http://example.com/", fmt.Sprintf("s%d://example.com/", i), fmt.Sprintf("https://h%d.invalid:%d/", i, i))
	}
	got := r.values(t, "http.client.request.duration")
	for key, want := range map[string]int64{
		"status_code=302 server.address=example.com server.port=80 url.scheme=http":  150,
		"status_code=302 server.address=example.com url.scheme=_OTHER":               150,
		"status_code=200 server.address=h98.invalid server.port=98 url.scheme=https": 1,
		"status_code=200 server.address=_OTHER url.scheme=https":                     52,
	} {
		key = "http.request.method=GET http.response." + key
		if got[key] != want {
			t.Errorf("%s: %d, want %d", key, got[key], want)
		}
	}
	if len(got) != 2+98+1 {
		t.Errorf("%d series", len(got))
	}
	_ = r.named("call").Do(t.Context(), func(context.Context) error { return errDown })
	if got := r.values(t, "seawall.call.duration"); got["error.type=*errors.errorString seawall.call.name=call"] != 1 {
		t.Errorf("what has no host: %v", got)
	}
	wants(t, r.spans()[449].Attributes, map[string]string{"server.address": "h150.invalid", "url.full": "https://h150.invalid:150/"})
}

// Attributes are made once, but for a host too many.
func TestSetsAreKept(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	r := newRig()
	r.TracerProvider = noop.TracerProvider
	fails := func(host string) func() {
		base := transportFunc(func(*http.Request) (*http.Response, error) { return nil, errDown })
		client := nethttp.Transport(base, r.Span)
		request := httptest.NewRequest(http.MethodGet, "http://"+host, http.NoBody)
		return func() { _, _ = client.RoundTrip(request) }
	}
	first := testing.AllocsPerRun(100, fails("h"))
	for i := range 100 {
		fails(fmt.Sprint("h", i))()
	}
	if other := testing.AllocsPerRun(100, fails("other")); other < first+3 {
		t.Errorf("%v allocations for a host, %v for one too many", first, other)
	}
}

// A panic's value does not unwrap, and its URL stayed as it was; of a URL that cannot be parsed the user did, and the reason.
func TestRegression_NoSecretsOfPanicsAndOfNoURLs(t *testing.T) {
	const secret = "hunter2"
	get := &url.Error{Op: "Get", URL: "https://me:p@" + secret + "@example.com/a%2Fb?token=" + secret + "#" + secret, Err: io.EOF}
	fail := func(err error) func() error { return func() error { return err } }
	parse := func(u string) func() error { return func() error { _, err := http.Get(u); return err } }
	for name, test := range map[string]struct {
		call func() error
		want string
	}{
		"panic":             {func() error { panic(get) }, `panic: Get "https://example.com/a%2Fb": EOF`},
		"wrapped panic":     {func() error { panic(fmt.Errorf("pay: %w", get)) }, `panic: pay: Get "https://example.com/a%2Fb": EOF`},
		"after a bad error": {fail(errors.Join(badUnwrap{}, badJoin{}, (*url.Error)(nil), (*middleware.PanicError)(nil), get)), ""},
		"written again":     {fail(fmt.Errorf("%s: %w", get.URL, get)), `https://example.com/a%2Fb: Get "https://example.com/a%2Fb": EOF`},
		"slash":             {parse("http://me:pass/" + secret + "@example.com/"), `parse "***": invalid URL`},
		"fragment":          {parse("http://me:" + secret + "#x@example.com/"), `parse "***": invalid URL`},
		"query":             {parse("http://me:" + secret + "?x@example.com/"), `parse "***": invalid URL`},
		"no scheme":         {parse("me:" + secret + "@example.com"), `Get "***": unsupported protocol scheme "me"`},
	} {
		r := newRig()
		_ = middleware.Join(r.Span, middleware.Recover{}).Do(t.Context(), func(context.Context) error { return test.call() })
		for _, s := range r.strings(t) {
			if strings.Contains(s, secret) {
				t.Errorf("%s: %s", name, s)
			}
		}
		if got := r.only(t).Status.Description; got != test.want && test.want != "" {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// Errors with a method that panics.
type (
	badUnwrap struct{}
	badJoin   struct{}
)

func (badUnwrap) Error() string { return "bad" }
func (badUnwrap) Unwrap() error { panic("no more") }
func (badJoin) Error() string   { return "bad" }
func (badJoin) Unwrap() []error { panic("no more") }

// An empty ErrorType() says nothing.
func TestErrorTypeEmpty(t *testing.T) {
	if got := tracing.ErrorType(fmt.Errorf("pay: %w", typedError(""))); got != "tracing_test.typedError" {
		t.Errorf("%q", got)
	}
}

func TestRequest(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*http.Request)
		want   map[string]string
	}{
		"TLS":      {func(r *http.Request) { r.TLS = &tls.ConnectionState{} }, map[string]string{"url.scheme": "https", "server.port": ""}},
		"port":     {func(r *http.Request) { r.Host = "[::1]:8443" }, map[string]string{"server.address": "::1", "server.port": "8443"}},
		"brackets": {func(r *http.Request) { r.Host = "[::1]" }, map[string]string{"server.address": "::1", "server.port": ""}},
		"peer":     {func(r *http.Request) { r.RemoteAddr = "@" }, map[string]string{"client.address": "@"}}, // as on a socket of Unix
		"escaped":  {func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a/b", "/a%2fb" }, map[string]string{"url.path": "/a%2fb"}},
		"not URL":  {func(r *http.Request) { r.URL = nil }, map[string]string{"url.path": ""}},
	} {
		r := newRig()
		request := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		test.change(request)
		nethttp.Middleware(r.Span)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(httptest.NewRecorder(), request)
		t.Log(name)
		wants(t, r.only(t).Attributes, test.want)
	}
	r := newRig()
	r.get(t, "http://[::1]/a%2Fb", "/c", "/d")
	for i, want := range []map[string]string{
		{"url.full": "http://[::1]/a%2Fb", "server.address": "::1", "http.request.resend_count": ""},
		{"url.full": "http://[::1]/c", "http.request.resend_count": "1"},
		{"url.full": "http://[::1]/d", "http.request.resend_count": "2"},
	} {
		wants(t, r.spans()[i].Attributes, want)
	}
	r = newRig()
	base := transportFunc(func(*http.Request) (*http.Response, error) { return answer(200), nil })
	_, _ = nethttp.Transport(base, r.Span).RoundTrip(&http.Request{URL: &url.URL{Scheme: "ftp", Host: "h"}, Response: answer(302)}) // a GET
	span := r.only(t)
	if span.Name != http.MethodGet {
		t.Errorf("span %q", span.Name)
	}
	wants(t, span.Attributes, map[string]string{"http.request.method": "GET", "http.request.method_original": "", "url.scheme": "ftp", "server.port": "", "http.request.resend_count": ""})
	_, _ = nethttp.Transport(base, r.Span).RoundTrip(&http.Request{}) // which http.Transport refuses
}

// What a mux of Go 1.26.0 calls the pattern where it redirects from /users//x, or from x with an escaped slash.
func TestRegression_RouteOfRedirectIsNotTheCleanPath(t *testing.T) {
	for path, pattern := range map[string]string{"/users//x": "/users/x/", "/users/x/": "/users/x//", "/us%20ers": "/us ers/"} {
		r := newRig()
		request := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		nethttp.Middleware(r.Span)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Pattern = pattern
			w.WriteHeader(http.StatusTemporaryRedirect)
		})).ServeHTTP(httptest.NewRecorder(), request)
		wants(t, r.only(t).Attributes, map[string]string{"http.route": ""})
	}
}

// namesSampler samples all, and notes names.
type namesSampler struct {
	sdktrace.Sampler

	names []string
}

func (s *namesSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	s.names = append(s.names, p.Name)
	return s.Sampler.ShouldSample(p)
}

// In a mux the route is known from the start, for those who sample by it.
func TestRouteAtTheStart(t *testing.T) {
	s := &namesSampler{Sampler: sdktrace.AlwaysSample()}
	r := newRig(sdktrace.WithSampler(s))
	mux := http.NewServeMux()
	mux.Handle("GET /orders/{id}", nethttp.Middleware(r.Span)(http.NotFoundHandler()))
	mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody))
	wants(t, r.only(t).Attributes, map[string]string{"http.route": "/orders/{id}"})
	if !slices.Equal(s.names, []string{"GET /orders/{id}"}) {
		t.Errorf("%q", s.names)
	}
}

// Any instrument is enough for calls to be measured, if views have dropped all others.
func TestEachInstrumentAlone(t *testing.T) {
	for _, row := range tracing.Table() {
		tracing.FreshProcess()
		r := newRig()
		r.TracerProvider = noop.TracerProvider
		r.reader = sdkmetric.NewManualReader()
		r.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader), sdkmetric.WithView(func(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
			return sdkmetric.Stream{Name: i.Name, Aggregation: sdkmetric.AggregationDrop{}}, i.Name != row.Name
		}))
		_ = r.Do(t.Context(), nothing)
		r.metrics(t) // those that are asked are enough once they are
		r.scene(t, 1, nil)
		if got := r.metrics(t); len(got) != 1 || got[row.Name].Data == nil {
			t.Errorf("%s alone: %v", row.Name, got)
		}
	}
}

// What views and backends know instruments by.
func TestScopeAndBuckets(t *testing.T) {
	r := newRig()
	r.scene(t, 1, nil)
	const scope = "github.com/seawall-go/seawall/middleware/tracing"
	for _, span := range r.spans() {
		if s := span.InstrumentationScope; s.Name != scope || s.SchemaURL != semconv.SchemaURL {
			t.Errorf("a tracer %v", s)
		}
	}
	var data metricdata.ResourceMetrics
	if err := r.reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	if s := data.ScopeMetrics[0].Scope; len(data.ScopeMetrics) != 1 || s.Name != scope || s.SchemaURL != semconv.SchemaURL {
		t.Errorf("a meter %v", s)
	}
	bounds := make(map[string]string)
	for _, m := range data.ScopeMetrics[0].Metrics {
		if h, ok := m.Data.(metricdata.Histogram[float64]); ok {
			bounds[m.Name] = fmt.Sprint(h.DataPoints[0].Bounds)
		}
	}
	const usual = "[0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10]"
	want := map[string]string{
		"seawall.call.duration": usual, "http.server.request.duration": usual, "http.client.request.duration": usual, "faas.invoke_duration": usual,
		"seawall.time.remaining": "[0.05 0.1 0.25 0.5 1 2.5 5 10 30 60 300 900]",
	}
	if !maps.Equal(bounds, want) {
		t.Errorf("the boundaries are %v", bounds)
	}
}
