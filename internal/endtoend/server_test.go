//go:build unix

package endtoend_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/httpkey"
)

// serve is the life of a worker that is a server: it listens where it was told to, until it is killed.
func (t task) serve(opened idempotency.Store) {
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		panic(err)
	}
	once := httpkey.Config{Once: operation(opened, t.Ledger)}
	once.Once.Reconcile = func(ctx context.Context, _ idempotency.Abandoned) (result any, done bool, err error) {
		status, receipt, err := ask(ctx, t.Ledger, "settle", t.Key)
		return httpkey.Response{Status: http.StatusOK, Body: []byte(receipt)}, status == http.StatusOK, err
	}
	pay := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		receipt, err := t.handle(r.Context())
		if err = cmp.Or(err, r.Context().Err()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, receipt)
	})
	panic(http.Serve(listener, httpkey.Middleware(once)(pay)))
}

// startServer returns a server, and where it is.
func startServer(t *testing.T, mine task) (server *worker, addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	mine.Serve = true
	return start(t, mine, file), listener.Addr().String()
}

// A reply is what a client gets.
type reply struct {
	Status   int
	Body     string
	Replayed bool
}

// post sends a request with the key, on a connection of its own.
func post(ctx context.Context, addr, key string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/payments", strings.NewReader("7 EUR"))
	if err != nil {
		return reply{}, err
	}
	r.Host = "payments.example" // of all servers
	r.Header.Set(httpkey.Field, key)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, string(body), response.Header.Get(httpkey.Replayed) != ""}, err
}

// A server is killed while it handles a request. The client sees its connection end, and sends the request again, to
// another server.
func TestServerIsKilled(t *testing.T) {
	for _, test := range []struct {
		name string
		at   moment
		want reply // of the other server
	}{
		{"before the effect", beforeEffect, reply{200, "by attempt 2", false}},
		{"after the effect", afterEffect, reply{200, "by attempt 1", true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, s store, key string) {
				l := newLedger(t)
				gate := l.hold(test.at, 1)
				server, addr := startServer(t, task{Store: s, Ledger: l.URL, Key: key})
				gone := make(chan error)
				go func() {
					_, err := post(t.Context(), addr, key)
					gone <- err
				}()
				gate.await(t)
				server.kill(t)
				if err := <-gone; err == nil {
					t.Error("the client got an answer from the server that was killed")
				}

				_, addr = startServer(t, task{Store: s, Ledger: l.URL, Key: key})
				for _, want := range []reply{test.want, {200, test.want.Body, true}} {
					if got, err := post(t.Context(), addr, key); got != want || err != nil {
						t.Errorf("the other server answered %+v, %v; want %+v", got, err, want)
					}
				}
				l.check(t, key, test.want.Body)
			})
		})
	}
}

// A client hangs up while its request is handled, and sends it again at once, to another server. That waits for what
// becomes of the first.
func TestClientHangsUp(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store, key string) {
		l := newLedger(t)
		gate := l.hold(beforeEffect, 1)
		_, addr := startServer(t, task{Store: s, Ledger: l.URL, Key: key})
		_, other := startServer(t, task{Store: s, Ledger: l.URL, Key: key})
		ctx, hangUp := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, err := post(ctx, addr, key)
			gone <- err
		}()
		gate.await(t)
		hangUp()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the client that hung up got %v", err)
		}

		answered := make(chan struct{})
		go func() {
			defer close(answered)
			want := reply{200, "by attempt 1", true}
			if got, err := post(t.Context(), other, key); got != want || err != nil {
				t.Errorf("the other server answered %+v, %v; want %+v", got, err, want)
			}
		}()
		gate.open()
		<-answered
		l.check(t, key, "by attempt 1")
	})
}
