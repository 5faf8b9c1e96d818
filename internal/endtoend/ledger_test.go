//go:build unix

package endtoend_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/seawall-go/seawall/idempotency"
)

// A ledger is where calls have their effects. It takes every entry that it is sent, but for those of runs that were
// followed by another.
type ledger struct {
	*httptest.Server

	mu      sync.Mutex
	latest  int64    // when the last run that was here was claimed
	entries []string // with their receipts
	gates   map[place]*gate
}

// A moment is one in the life of an attempt.
type moment string

const (
	beforeEffect moment = "before"
	afterEffect  moment = "after" // and before the worker knows
)

type place struct {
	at      moment
	attempt int64
}

func newLedger(t *testing.T) *ledger {
	l := &ledger{gates: map[place]*gate{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /begin", l.begin)
	mux.HandleFunc("POST /enter", l.enter)
	mux.HandleFunc("POST /settle", l.settle)
	l.Server = httptest.NewServer(mux)
	t.Cleanup(l.Close)
	return l
}

// hold makes attempts stop at a moment until the gate is opened.
func (l *ledger) hold(at moment, attempt int64) *gate {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := newGate()
	g.arm()
	l.gates[place{at, attempt}] = g
	return g
}

func (l *ledger) pass(r *http.Request, at moment) {
	l.mu.Lock()
	g := l.gates[place{at, number(r, "attempt")}]
	l.mu.Unlock()
	if g != nil {
		g.pass(r.Context().Done())
	}
}

// begin is what a handler does before its effect.
func (l *ledger) begin(_ http.ResponseWriter, r *http.Request) { l.pass(r, beforeEffect) }

// enter is the effect.
func (l *ledger) enter(w http.ResponseWriter, r *http.Request) {
	receipt, ok := l.entry(r.FormValue("key"), number(r, "attempt"), number(r, "claimed"))
	if !ok {
		http.Error(w, fmt.Sprintf("attempt %d is over", number(r, "attempt")), http.StatusConflict)
		return
	}
	l.pass(r, afterEffect)
	fmt.Fprint(w, receipt)
}

func (l *ledger) entry(key string, attempt, claimed int64) (receipt string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if claimed < l.latest {
		return "", false
	}
	l.latest = claimed
	receipt = fmt.Sprintf("by attempt %d", attempt)
	l.entries = append(l.entries, key+" "+receipt)
	return receipt, true
}

// settle ends all runs before this one for good, and says what their effect was, if there is one.
func (l *ledger) settle(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latest = max(l.latest, number(r, "claimed"))
	for _, entry := range l.entries {
		fmt.Fprint(w, entry[len(r.FormValue("key"))+1:])
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func number(r *http.Request, field string) int64 {
	n, _ := strconv.ParseInt(r.FormValue(field), 10, 64)
	return n
}

// check fails the test unless there is one effect, the one of that receipt.
func (l *ledger) check(t *testing.T, key, receipt string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) != 1 || l.entries[0] != key+" "+receipt {
		t.Errorf("the ledger has %q, want one entry, %s %s", l.entries, key, receipt)
	}
}

// ask is what a run sends to the ledger, with the token that fences it.
func ask(ctx context.Context, base, what, key string) (status int, text string, err error) {
	token, ok := idempotency.Token(ctx)
	if !ok {
		return 0, "", errors.New("the run has no token")
	}
	response, err := http.PostForm(base+"/"+what, url.Values{
		"key":     {key},
		"attempt": {strconv.FormatInt(token.Attempt, 10)},
		"claimed": {strconv.FormatInt(token.Claimed.UnixMilli(), 10)},
	})
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}
