// Command http-client sends requests to two servers of its own, one unsteady and one down, through a retry and a
// breaker per host, and prints the attempts and what came of them:
//
//	go run ./examples/http-client
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/retry"
)

// newClient returns a client whose policies tell out what they notice.
func newClient(out io.Writer) *http.Client {
	hosts := breaker.NewGroup(breaker.Config{Failures: 5, OpenFor: time.Minute}, 100)
	return &http.Client{Transport: nethttp.Transport(nil,
		middleware.Observe(teller(out)),
		middleware.Timeout(10*time.Second),                     // for everything, to the end of the body
		retry.Policy{Attempts: 4, Base: 20 * time.Millisecond}, // of what is safe to repeat
		nethttp.PerHost(hosts.Get),                             // one host that is down stops no other
		middleware.Timeout(250*time.Millisecond),               // for each attempt
	)}
}

func teller(out io.Writer) func(context.Context, middleware.Event) {
	return func(_ context.Context, e middleware.Event) {
		switch e.Kind {
		case middleware.EventRetry:
			fmt.Fprintf(out, "   attempt %d: %s; again in %v\n", e.Attempt, reason(e.Err), e.Wait.Round(time.Millisecond))
		case middleware.EventGiveUp:
			fmt.Fprintf(out, "   attempt %d: %s; the last\n", e.Attempt, reason(e.Err))
		case middleware.EventTransition:
			fmt.Fprintf(out, "   the breaker is %s\n", e.To)
		}
	}
}

// reason is err in a few words.
func reason(err error) string {
	if status, ok := errors.AsType[*nethttp.StatusError](err); ok {
		return status.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return "no connection"
}

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintf(os.Stderr, "http-client: unexpected argument %q: it takes none\n", os.Args[1])
		os.Exit(2)
	}
	run(os.Stdout)
}

func run(out io.Writer) {
	unsteady, down := startUnsteady(), startDown()
	defer unsteady.Close()
	client := newClient(out)
	defer client.CloseIdleConnections()

	for _, r := range []struct{ method, url, body string }{
		{http.MethodGet, unsteady.URL + "/busy", ""},
		{http.MethodPut, unsteady.URL + "/busy", "two apples"}, // its body is sent again
		{http.MethodPost, unsteady.URL + "/busy", "one more"},  // not safe to repeat: the 503 is the answer
		{http.MethodGet, unsteady.URL + "/asleep", ""},
		{http.MethodGet, down.URL, ""}, // until the breaker is open
		{http.MethodGet, down.URL, ""},
		{http.MethodGet, down.URL, ""},
		{http.MethodGet, unsteady.URL + "/", ""}, // its breaker is another one
	} {
		send(out, client, r.method, r.url, r.body)
	}
}

func send(out io.Writer, client *http.Client, method, url, body string) {
	fmt.Fprintln(out, method, url)
	r, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		fmt.Fprintln(out, "  ", err)
		return
	}
	response, err := client.Do(r)
	if errors.Is(err, breaker.ErrOpen) {
		fmt.Fprintln(out, "   refused: the host is known to be down")
		return
	}
	if err != nil {
		fmt.Fprintln(out, "   failed:", reason(err))
		return
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		fmt.Fprintln(out, "   broke off:", reason(err))
		return
	}
	fmt.Fprintf(out, "   %s: %s\n", response.Status, strings.TrimSpace(string(text)))
}
