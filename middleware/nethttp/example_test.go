package nethttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

func Example() {
	// A server that takes a hundred requests a second, and three seconds for each.
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	limiter := ratelimit.New(ratelimit.PerSecond(100, 20))
	server := httptest.NewServer(nethttp.Middleware(limiter, middleware.Timeout(3*time.Second))(hello))
	defer server.Close()

	// A client that asks again, and gives up on hosts that are down.
	hosts := breaker.NewGroup(breaker.Config{}, 100)
	client := &http.Client{Transport: nethttp.Transport(nil, retry.Policy{}, nethttp.PerHost(hosts.Get))}
	response, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Println(response.StatusCode, string(body))
	// Output: 200 hello
}

func ExampleMiddleware() {
	orders := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "order 1") })
	limiter := ratelimit.New(ratelimit.Every(time.Minute, 1))
	h := nethttp.Middleware(
		limiter,
		middleware.NewBulkhead(64, 0),
		middleware.Timeout(3*time.Second),
		middleware.Recover{},
	)(orders)

	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/orders/1", nil))
		fmt.Println(w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	// Output:
	// 200  order 1
	// 429 60 {"type":"about:blank","title":"Too Many Requests","status":429,"detail":"Too many requests at the moment. Try again later."}
}

func ExampleBuffered() {
	attempt := 0
	flaky := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if attempt++; attempt < 3 {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "attempt %d got %q", attempt, body)
	})
	again := retry.Policy{Base: time.Millisecond}
	h := nethttp.Buffered{MaxRequest: 64 << 10}.Middleware(again)(flaky)

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "/orders/1", strings.NewReader("two apples")))
	fmt.Println(w.Code, w.Body)
	// Output: 200 attempt 3 got "two apples"
}

func ExampleBuffered_Middleware() {
	again := retry.Policy{}
	defer func() { fmt.Println(recover()) }()
	nethttp.Buffered{}.Middleware(again) // is the form for a policy that repeats,
	nethttp.Middleware(again)            // and this is not
	// Output: nethttp: Middleware: policy 1 of 1, a retry.Policy, makes calls more than once, and a response can be written only once: use nethttp.Buffered{}.Middleware
}

func ExampleError() {
	database := breaker.New(breaker.Config{Name: "database", Failures: 1, OpenFor: time.Minute})
	query := func(context.Context) error { return errors.New("connection refused") }

	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := database.Do(r.Context(), query); err != nil {
			nethttp.Error(w, err)
		}
	})
	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		fmt.Println(w.Code, w.Header().Get("Retry-After") != "", w.Body)
	}
	// Output:
	// 500 false {"type":"about:blank","title":"Internal Server Error","status":500}
	// 503 true {"type":"about:blank","title":"Service Unavailable","status":503,"detail":"The service cannot take this request at the moment. Try again later."}
}

func ExampleTransport() {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		http.Error(w, fmt.Sprintf("sorry, for the %d. time", requests), http.StatusBadGateway)
	}))
	defer server.Close()

	client := &http.Client{Transport: nethttp.Transport(http.DefaultTransport,
		middleware.Timeout(10*time.Second), // for all attempts together, to the end of the body
		retry.Policy{Base: time.Millisecond},
		middleware.Timeout(3*time.Second), // for each
	)}
	for _, send := range []func() (*http.Response, error){
		func() (*http.Response, error) { return client.Get(server.URL) },
		func() (*http.Response, error) { return client.Post(server.URL, "text/plain", nil) }, // is sent once
	} {
		response, err := send()
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Print(response.Status, ": ", string(body))
	}
	// Output:
	// 502 Bad Gateway: sorry, for the 3. time
	// 502 Bad Gateway: sorry, for the 4. time
}

func ExamplePerHost() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "down", http.StatusServiceUnavailable)
	}))
	defer server.Close()

	hosts := breaker.NewGroup(breaker.Config{Failures: 2}, 100)
	client := &http.Client{Transport: nethttp.Transport(nil, nethttp.PerHost(hosts.Get))}
	for range 3 {
		response, err := client.Get(server.URL)
		if err != nil {
			fmt.Println("open:", errors.Is(err, breaker.ErrOpen))
			continue
		}
		response.Body.Close()
		fmt.Println(response.Status)
	}
	// Output:
	// 503 Service Unavailable
	// 503 Service Unavailable
	// open: true
}

func ExampleStatusError() {
	overload := func(err error) breaker.Outcome {
		if status, ok := errors.AsType[*nethttp.StatusError](err); ok && status.Code == http.StatusServiceUnavailable {
			return breaker.Ignore // the server is well and says that it has too much to do
		}
		return breaker.Failure
	}
	b := breaker.New(breaker.Config{Failures: 1, Classify: overload})
	for _, code := range []int{503, 500} {
		err := b.Do(context.Background(), func(context.Context) error { return &nethttp.StatusError{Code: code} })
		fmt.Println(err, "-", b.State())
	}
	// Output:
	// status 503 Service Unavailable - closed
	// status 500 Internal Server Error - open
}
