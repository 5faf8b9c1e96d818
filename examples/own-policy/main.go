// Command own-policy has a policy of its own, which refuses calls during maintenance, and lets it work together with
// those of Seawall: with a retry around a call, and with an HTTP server.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/retry"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintf(os.Stderr, "own-policy: unexpected argument %q: it takes none\n", os.Args[1])
		os.Exit(2)
	}
	run(os.Stdout)
}

func run(out io.Writer) {
	around(out)
	behind(out)
}

// around puts the policy around a call: the retry outside it comes back once maintenance is over.
func around(out io.Writer) {
	restart := Maintenance{From: time.Now(), Until: time.Now().Add(300 * time.Millisecond)}
	tell := middleware.Observe(func(_ context.Context, e middleware.Event) {
		fmt.Fprintf(out, "attempt %d: %v\n", e.Attempt, e.Err)
	})
	stock := func(context.Context) (int, error) { return 42, nil }
	n, err := middleware.Call(context.Background(), stock, tell, retry.Policy{}, restart)
	fmt.Fprintln(out, "in stock:", n, err)
}

// behind puts it into an HTTP server: its refusal becomes an answer.
func behind(out io.Writer) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	now := time.Now()
	for _, policy := range []Maintenance{
		{From: now.Add(time.Hour), Until: now.Add(2 * time.Hour)},
		{From: now.Add(-time.Minute), Until: now.Add(time.Minute)},
	} {
		w := httptest.NewRecorder()
		nethttp.Middleware(policy, middleware.Timeout(time.Second))(hello).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		fmt.Fprintf(out, "GET / -> %d, Retry-After: %q, %s\n", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
}
