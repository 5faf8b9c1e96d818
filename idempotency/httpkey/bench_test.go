package httpkey_test

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/httpkey"
)

// A sink is a writer that costs nothing.
type sink struct{ header http.Header }

func (s sink) Header() http.Header         { return s.header }
func (s sink) Write(p []byte) (int, error) { return len(p), nil }
func (s sink) WriteHeader(int)             {}

type reading struct{ *bytes.Reader }

func (reading) Close() error { return nil }

// caller returns a function that sends a request of 1 KiB that is answered with 1 KiB, with a key that next makes.
func caller(next func() string) func() {
	data := bytes.Repeat([]byte("a"), 1024)
	once := httpkey.Config{Once: idempotency.Config{Store: &idempotency.Memory{}, Scope: "payments"}}
	h := httpkey.Middleware(once)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(data)
	}))
	r := request(http.MethodPost, "/payments", "", "")
	body := bytes.NewReader(data)
	w := sink{make(http.Header)}
	return func() {
		clear(w.header)
		body.Reset(data)
		r.Body, r.ContentLength = reading{body}, int64(len(data))
		if key := next(); key != "" {
			r.Header["Idempotency-Key"] = []string{key}
		}
		h.ServeHTTP(w, r)
	}
}

func keys() func() string {
	n := 0
	return func() string {
		n++
		return strconv.Itoa(n)
	}
}

func same(key string) func() string { return func() string { return key } }

func BenchmarkFirst(b *testing.B)  { bench(b, caller(keys())) }
func BenchmarkReplay(b *testing.B) { bench(b, caller(same("k"))) }
func BenchmarkNoKey(b *testing.B)  { bench(b, caller(same(""))) }

func bench(b *testing.B, call func()) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
}

func BenchmarkProxyFirst(b *testing.B) { benchProxy(b, keys()) }

func BenchmarkProxyReplay(b *testing.B) { benchProxy(b, same("k")) }

func benchProxy(b *testing.B, next func() string) {
	b.Helper()
	data := string(bytes.Repeat([]byte("a"), 1024))
	once := httpkey.Config{Once: idempotency.Config{Store: &idempotency.Memory{}, Scope: "payments"}}
	h := httpkey.Proxy(func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		return events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: data}, nil
	}, once)
	e := events.APIGatewayV2HTTPRequest{RawPath: "/payments", Body: data, Headers: map[string]string{}}
	e.RequestContext.HTTP.Method = http.MethodPost
	bench(b, func() {
		e.Headers["idempotency-key"] = next()
		_, _ = h(b.Context(), e)
	})
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, tt := range map[string]struct {
		next func() string
		most float64
	}{
		"first":  {keys(), 75},
		"replay": {same("k"), 75},
		"no key": {same(""), 12},
	} {
		if got := testing.AllocsPerRun(200, caller(tt.next)); got > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", name, got, tt.most)
		}
	}
}
