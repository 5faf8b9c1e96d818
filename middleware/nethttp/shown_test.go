package nethttp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/scope"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
)

// look is a policy that looks at requests, as a span does, and hands on the status which it is told of the answer.
type look chan int

func (look) Looks(at any) int {
	switch at.(type) {
	case *http.Request, *http.Response:
		return 1
	}
	return 0
}

func (l look) Do(ctx context.Context, call func(context.Context) error) error {
	err := call(ctx)
	c := scope.Shown(ctx)
	l <- c.Status(c, err)
	return err
}

// after is a policy that makes something of what became of the call.
func after(outcome func(error) error) middleware.Policy {
	return middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error { return outcome(call(ctx)) })
}

var (
	replace = after(func(error) error { return &middleware.FullError{} })
	swallow = after(func(error) error { return nil })

	// late leaves no time.
	late = middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		ctx, cancel := context.WithDeadline(ctx, time.Now())
		defer cancel()
		return call(ctx)
	})

	// stale ends as the first of two attempts did.
	stale = middleware.PolicyFunc(func(ctx context.Context, call func(context.Context) error) error {
		err := call(ctx)
		_ = call(ctx)
		return err
	})
)

// What a server's policies are told of the status is what the caller gets; zero if that is nothing, or is not known.
// A span showed a 500 that nobody got: of a connection that was hijacked, and of a long response that was sent already.
func TestRegression_StatusThatNobodyGot(t *testing.T) {
	sent := func(status int, then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.Repeat("long", 2000)) // more than the server keeps
			then(w, r)
		}
	}
	hijacked := func(then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = c.Close()
			then(w, r)
		}
	}
	panics := func(http.ResponseWriter, *http.Request) { panic("boom") }
	aborts := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	const no = -1 // there is no such thing
	for name, tt := range map[string]struct {
		policy          middleware.Policy
		handler         http.HandlerFunc
		plain, buffered int
	}{
		"written":                          {nil, write(404, ""), 404, 404},
		"empty":                            {nil, quiet, 200, 200},
		"empty, and late":                  {late, quiet, 504, 504},
		"empty, and late, and swallowed":   {middleware.Join(swallow, late), quiet, 200, 200},
		"failed":                           {nil, write(502, ""), 502, 502},
		"written, and refused":             {replace, write(404, ""), 404, 503},
		"empty, and refused":               {replace, quiet, 503, 503},
		"failed, and refused":              {replace, write(502, ""), 502, 503},
		"failed, and swallowed":            {swallow, write(502, ""), 502, 502},
		"panicked":                         {middleware.Recover{}, panics, 500, 500},
		"sent, then panicked":              {middleware.Recover{}, sent(200, panics), 200, 200},
		"sent, then refused":               {replace, sent(404, quiet), 404, 404},
		"sent, then aborted":               {nil, sent(404, aborts), 404, 404},
		"hijacked":                         {nil, hijacked(quiet), 0, no},
		"hijacked, then written to":        {nil, hijacked(write(404, "")), 0, no},
		"hijacked, then panicked":          {middleware.Recover{}, hijacked(panics), 0, no},
		"hijacked, then refused":           {replace, hijacked(quiet), 0, no},
		"aborted":                          {nil, aborts, 0, 0},
		"aborted, and refused":             {replace, aborts, 0, 0},
		"written, then aborted":            {nil, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404); aborts(w, r) }, no, 0},
		"failed as the attempt before did": {stale, write(502, ""), no, 500},
	} {
		for kind, server := range map[string]struct {
			wrap func(...middleware.Policy) func(http.Handler) http.Handler
			want int
		}{
			"plain":    {nethttp.Middleware, tt.plain},
			"buffered": {nethttp.Buffered{MaxResponse: 10}.Middleware, tt.buffered},
		} {
			if server.want == no {
				continue
			}
			l := make(look, 1)
			policies := []middleware.Policy{l}
			if tt.policy != nil {
				policies = append(policies, tt.policy)
			}
			s := httptest.NewUnstartedServer(server.wrap(policies...)(tt.handler))
			s.Config.ErrorLog = discard
			s.Start()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			got := 0
			if response, err := s.Client().Do(r); err == nil {
				got = response.StatusCode
				_ = response.Body.Close()
			}
			s.Close()
			if told := <-l; got != server.want || told != server.want {
				t.Errorf("%s, %s: the caller got %d and the policies were told %d, want %d", name, kind, got, told, server.want)
			}
		}
	}
}

// So it is if the request does not come as it should, whatever the policies say.
func TestStatusOfAnUnreadRequest(t *testing.T) {
	for _, policy := range []middleware.Policy{after(func(err error) error { return err }), replace, swallow} {
		l := make(look, 1)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("long"))
		w := serve(nethttp.Buffered{MaxRequest: 3}.Middleware(l, policy)(quiet), r)
		if told := <-l; w.Code != 413 || told != 413 {
			t.Errorf("the caller got %d and the policies were told %d, want 413", w.Code, told)
		}
	}
}

// What a client's policies are told of the status is that of the response it gets, and not that of an earlier attempt.
func TestStatusThatTheClientGets(t *testing.T) {
	for name, tt := range map[string]struct {
		policy   middleware.Policy
		statuses []int
		want     int
	}{
		"a response":                       {noWait, []int{404}, 404},
		"an error":                         {noWait, []int{0}, 0},
		"an error, and swallowed":          {swallow, []int{0}, 0},
		"a failure, then a response":       {noWait, []int{503, 200}, 200},
		"failures":                         {noWait, []int{503, 503, 502}, 502},
		"a failure, and swallowed":         {swallow, []int{503}, 503},
		"a failure, then an error":         {noWait, []int{503, 0}, 0},
		"a failure, then one of no use":    {middleware.Join(swallow, noWait), []int{503, 0}, 0},
		"a failure, then a refusal":        {replace, []int{503}, 0},
		"a failure, as the attempt before": {stale, []int{502, 503}, 0},
	} {
		l := make(look, 1)
		response, err := nethttp.Transport(&script{statuses: tt.statuses}, l, tt.policy).RoundTrip(request(t, http.MethodGet, ""))
		got := 0
		if err == nil {
			got = response.StatusCode
			_ = response.Body.Close()
		}
		if told := <-l; got != tt.want || told != tt.want {
			t.Errorf("%s: the client got %d, %v and the policies were told %d, want %d", name, got, err, told, tt.want)
		}
	}
}

// What PerHost will find is not known, so nobody may take what it makes for one request.
func TestPerHostMayRepeat(t *testing.T) {
	for name, tt := range map[string]struct {
		policy middleware.Policy
		want   bool
	}{
		"a retry":          {nethttp.PerHost(finds(noWait)), true},
		"anything":         {nethttp.PerHost(finds[middleware.Policy](replace)), true},
		"no retry":         {nethttp.PerHost(finds(middleware.Recover{})), false},
		"a nil pointer":    {nethttp.PerHost(finds[*breaker.Breaker](nil)), false},
		"a retry in there": {middleware.Join(nethttp.PerHost(finds(noWait))), true},
	} {
		if r, ok := tt.policy.(interface{ Repeats() bool }); !ok || r.Repeats() != tt.want {
			t.Errorf("%s: Repeats is not %v", name, tt.want)
		}
	}
}

func finds[P middleware.Policy](p P) func(string) P { return func(string) P { return p } }
