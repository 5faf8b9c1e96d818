package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/seawall-go/seawall/internal/event"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/nethttp"
	"github.com/seawall-go/seawall/middleware/tracing"
)

// What the package comment says about instruments is what there is.
func TestTableIsDocumented(t *testing.T) {
	src, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, row := range tracing.Table() {
		want = append(want, fmt.Sprintf("%s %s %s %s", row.Name, row.Kind, row.Unit, row.Text))
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^//\t(seawall\.\S+|http\.\S+|faas\.\S+) +(\S+) +(\S+) +(.+)$`).FindAllStringSubmatch(string(src), -1) {
		got = append(got, fmt.Sprintf("%s %s %s %s", m[1], m[2], m[3], m[4]))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the comment has\n%q\nthe table has\n%q", got, want)
	}
}

// Every kind of event has a counter, and none counts two.
func TestEveryEventIsCounted(t *testing.T) {
	counted := make(map[event.Kind]string)
	for _, row := range tracing.Table() {
		if row.Event != "" {
			if other := counted[row.Event]; other != "" {
				t.Errorf("%s and %s count %s", row.Name, other, row.Event)
			}
			counted[row.Event] = row.Name
		}
	}
	for _, kind := range []middleware.Kind{
		middleware.EventRetry, middleware.EventGiveUp, middleware.EventRefusal, middleware.EventTransition, middleware.EventTimeout,
		middleware.EventPanic, middleware.EventFallback, middleware.EventAbandon, middleware.EventReplay, middleware.EventTakeover,
		middleware.EventLost, middleware.EventUnsaved, middleware.EventUnprotected, middleware.EventMismatch,
	} {
		if counted[kind] == "" {
			t.Errorf("nothing counts %s", kind)
		}
		delete(counted, kind)
	}
	if len(counted) > 0 {
		t.Errorf("counted, but not tested: %v", counted)
	}
}

var errDown = errors.New("down")

// scene makes n calls at once that use every instrument, each in the same way.
func (r *rig) scene(t *testing.T, n int, meanwhile func()) {
	t.Helper()
	server := httptest.NewServer(nethttp.Middleware(r.Span)(func() http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		return mux
	}()))
	defer server.Close()
	client := http.Client{Transport: nethttp.Transport(nil, r.Span)}

	invoke := middleware.Wrap(func(context.Context, events.SQSEvent) (string, error) { return "done", nil }, r.Span)
	fail := middleware.Wrap(func(context.Context, events.SQSEvent) (string, error) { return "", &middleware.ReserveError{} }, r.Span)
	on := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "1"})

	together(n, meanwhile, func(i int, wait func()) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_ = r.named("place order").Do(ctx, func(ctx context.Context) error {
			for _, row := range tracing.Table() {
				if row.Event != "" {
					event.Emit(ctx, event.Event{
						Kind: row.Event, Policy: "policy", Name: "payments", Attempt: 1, Wait: time.Second,
						From: "closed", To: "open", Err: errDown, Key: "digest",
					})
				}
			}
			wait()
			return errDown
		})
		response, err := client.Get(fmt.Sprintf("%s/orders/%d", server.URL, i))
		if err != nil {
			t.Error(err)
			return
		}
		response.Body.Close()
		_, _ = invoke(on, events.SQSEvent{})
		_, _ = fail(on, events.SQSEvent{})
	})
}

// Every row of the table is there, with its kind, its unit and its attributes, and counts each call once.
func TestTable(t *testing.T) {
	for _, n := range []int{1, 4} {
		tracing.FreshProcess()
		r := newRig()
		inFlight := make(map[string]int64)
		r.scene(t, n, func() {
			inFlight = r.values(t, "seawall.calls.in_flight")
		})
		if got := inFlight["seawall.call.name=place order"]; got != int64(n) {
			t.Errorf("%d at once: %d in flight", n, got)
		}
		collected := r.metrics(t)
		if _, after := points(collected["seawall.calls.in_flight"]); len(after) == 0 || after[0].value != 0 {
			t.Errorf("%d at once: after all calls %v are in flight", n, after)
		}
		metrics := collected
		for _, row := range tracing.Table() {
			checkRow(t, n, row, metrics[row.Name].Unit, metrics[row.Name].Description, func() (string, []point) { return points(metrics[row.Name]) })
			delete(metrics, row.Name)
		}
		for name := range metrics {
			t.Errorf("%s is not in the table", name)
		}
	}
}

func checkRow(t *testing.T, n int, row tracing.Instrument, unit, text string, read func() (string, []point)) {
	t.Helper()
	kind, points := read()
	if kind != row.Kind || unit != row.Unit || text != row.Text {
		t.Errorf("%s is a %s of %s, %q; want %s, %s, %q", row.Name, kind, unit, text, row.Kind, row.Unit, row.Text)
	}
	missing := make(map[string]bool)
	for _, key := range row.Attributes {
		missing[key] = true
	}
	for _, p := range points {
		for _, kv := range p.attributes.ToSlice() {
			if !slices.Contains(row.Attributes, string(kv.Key)) {
				t.Errorf("%s has the attribute %s", row.Name, kv.Key)
			}
			delete(missing, string(kv.Key))
		}
	}
	for key := range missing {
		t.Errorf("%s is without %s", row.Name, key)
	}
	if row.Event != "" && (len(points) != 1 || points[0].value != int64(n)) {
		t.Errorf("%s of %d events is %v", row.Name, n, points)
	}
}

// The values, in one place.
func TestValues(t *testing.T) {
	for _, n := range []int{1, 4} {
		tracing.FreshProcess()
		r := newRig()
		r.scene(t, n, func() {
			if got := r.values(t, "seawall.calls.peak")["seawall.call.name=place order"]; got != int64(n) {
				t.Errorf("%d at once: the peak is %d", n, got)
			}
		})
		some := int64(n)
		for name, want := range map[string]map[string]int64{
			"seawall.call.duration": {
				"error.type=*errors.errorString seawall.call.name=place order": some,
				"error.type=502 seawall.call.name=client":                      some,
				"error.type=502 seawall.call.name=server":                      some,
				"error.type=*middleware.ReserveError seawall.call.name=server": some,
				"seawall.call.name=server":                                     some,
			},
			"seawall.time.remaining":      {"seawall.call.name=place order": some},
			"seawall.retries":             {"error.type=*errors.errorString seawall.policy.name=payments seawall.policy=policy": some},
			"seawall.breaker.state":       {"seawall.policy.name=payments seawall.policy=policy": 2},
			"seawall.breaker.transitions": {"error.type=*errors.errorString seawall.breaker.from=closed seawall.breaker.to=open seawall.policy.name=payments seawall.policy=policy": some},
			"http.server.request.duration": {
				"error.type=502 http.request.method=GET http.response.status_code=502 http.route=/orders/{id} url.scheme=http": some,
			},
			"faas.invoke_duration": {"faas.trigger=pubsub": 2 * some},
			"faas.invocations":     {"faas.trigger=pubsub": some},
			"faas.errors":          {"faas.trigger=pubsub": some},
			"faas.timeouts":        {"faas.trigger=pubsub": some},
			"faas.coldstarts":      {"faas.trigger=pubsub": 1},
		} {
			got := r.values(t, name)
			for key, value := range want {
				if got[key] != value {
					t.Errorf("%d at once: %s is %v, want %s: %d", n, name, got, key, value)
				}
			}
		}
	}
}
