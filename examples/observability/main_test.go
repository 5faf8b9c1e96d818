package main

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"

	"github.com/seawall-go/seawall/examples/internal/surge"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func TestMain(m *testing.M) {
	lambdatest.Serve("checkout", function)
	goleak.VerifyTestMain(m)
}

func TestRun(t *testing.T) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { t.Error(err) }))
	var seen *receiver
	var out bytes.Buffer
	for range 3 { // a machine under load may miss the moment, and chance may have it that no second attempt goes well
		var err error
		if seen, err = run(t.Context(), surge.Short); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		introduce(&out, surge.Short)
		seen.trace(&out)
		seen.breakers(&out)
		seen.metrics(&out)
		seen.rest(&out)
		if seen.retried() != nil && strings.Contains(out.String(), "half-open → closed") {
			break
		}
	}
	t.Log("\n" + out.String())

	for _, want := range []string{"gateway: POST /checkout", "└─ checkout: POST /checkout", "retry of pay: attempt 1 failed", "checkout: POST, resend 1", "payments: POST /charges", "closed → open", "open → half-open → closed", "more with less to tell", "faas.coldstarts"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q", want)
		}
	}
	for line := range strings.Lines(out.String()) {
		if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > 110 {
			t.Errorf("%d columns, want 110 at most: %s", width, line)
		}
	}

	// Spans and metrics take different ways and say the same.
	turns := 0
	for _, ts := range seen.turns() {
		turns += len(ts)
	}
	counted := 0
	for key, series := range seen.counters {
		for _, n := range series {
			if strings.HasPrefix(key, "seawall.breaker.transitions ") {
				counted += int(n)
			}
		}
	}
	if turns == 0 || turns != counted {
		t.Errorf("%d transitions in spans, %d in metrics", turns, counted)
	}
	// Each invocation has its trace from the gateway, and each call of the payment service is part of one.
	roots := map[string]bool{}
	for _, s := range seen.spans {
		if s.service == "gateway" {
			roots[string(s.GetTraceId())] = true
		}
	}
	for _, s := range seen.spans {
		if !roots[string(s.GetTraceId())] {
			t.Errorf("%s: %s is in a trace that no order began", s.service, s.GetName())
		}
	}
}

func TestReceiverRefuses(t *testing.T) {
	r := openReceiver()
	defer r.server.Close()
	for _, path := range []string{"/v1/traces", "/v1/metrics"} {
		response, err := http.Post(r.server.URL+path, "application/x-protobuf", strings.NewReader("no protobuf"))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func text(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
}

// Which order is shown: one whose second attempt went well, after a first that got as far as the payment service.
func TestRetried(t *testing.T) {
	type attempt struct {
		status string
		seen   bool // by the payment service
	}
	for _, tt := range []struct {
		name     string
		attempts []attempt
		want     bool
	}{
		{"paid at the second", []attempt{{"503", true}, {"201", true}}, true},
		{"paid at the first", []attempt{{"201", true}}, false},
		{"paid at the third", []attempt{{"503", true}, {"503", true}, {"201", true}}, false},
		{"paid more than once", []attempt{{"503", true}, {"201", true}, {"201", true}}, false},
		{"not paid", []attempt{{"503", true}, {"503", true}}, false},
		{"the first is lost on the way", []attempt{{"", false}, {"201", true}}, false},
		{"what the payment service says of the second is missing", []attempt{{"503", true}, {"201", false}}, false},
	} {
		r := &receiver{}
		add := func(id, parent, status string) {
			r.spans = append(r.spans, &span{Span: &traces.Span{
				SpanId: []byte(id), ParentSpanId: []byte(parent), StartTimeUnixNano: uint64(len(r.spans)),
				Attributes: []*common.KeyValue{text("http.response.status_code", status)},
			}})
		}
		add("gateway", "", "")
		add("checkout", "gateway", "")
		for i, a := range tt.attempts {
			id := fmt.Sprint("attempt ", i)
			add(id, "checkout", a.status)
			if a.seen {
				add(id+", seen", id, a.status)
			}
		}
		if got := r.retried() != nil; got != tt.want {
			t.Errorf("%s: shown %v, want %v", tt.name, got, tt.want)
		}
	}
}

// What a trace and a breaker look like, to the letter.
func TestShow(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(ms int) uint64 { return uint64(start.Add(time.Duration(ms) * time.Millisecond).UnixNano()) }
	r := &receiver{start: start, counters: map[string]map[string]int64{
		"seawall.retries retry pay 503": {"1": 2, "2": 3},
		"faas.coldstarts":               {"1": 1, "2": 1},
	}}
	add := func(id, parent, service, name string, from, to int, failed bool, kv []*common.KeyValue, events ...*traces.Span_Event) {
		s := &traces.Span{TraceId: []byte("trace"), SpanId: []byte(id), ParentSpanId: []byte(parent), Name: name, StartTimeUnixNano: at(from), EndTimeUnixNano: at(to), Attributes: kv, Events: events}
		if failed {
			s.Status = &traces.Status{Code: traces.Status_STATUS_CODE_ERROR}
		}
		r.spans = append(r.spans, &span{s, service, "1"})
	}
	event := func(ms int, name string, kv ...*common.KeyValue) *traces.Span_Event {
		return &traces.Span_Event{TimeUnixNano: at(ms), Name: name, Attributes: kv}
	}
	breaker := []*common.KeyValue{text("seawall.policy", "breaker"), text("seawall.policy.name", "payments")}
	turn := func(from, to string) []*common.KeyValue {
		return slices.Concat(breaker, []*common.KeyValue{text("seawall.breaker.from", from), text("seawall.breaker.to", to)})
	}
	status := func(code string) []*common.KeyValue {
		return []*common.KeyValue{text("http.response.status_code", code)}
	}
	add("1", "", "gateway", "POST /checkout", 0, 100, false, status("201"))
	add("2", "1", "checkout", "POST /checkout", 10, 90, false, status("201"),
		event(40, "seawall.retry", text("seawall.policy.name", "pay"), text("seawall.attempt", "1"), text("seawall.wait", "0.02"), text("exception.message", "no answer")),
		event(40, "seawall.transition", append(turn("closed", "open"), text("exception.message", "no answer"))...),
		event(41, "seawall.refusal", breaker...),
		event(70, "seawall.transition", turn("open", "half-open")...),
		event(75, "seawall.refusal", breaker...),
		event(80, "seawall.transition", turn("half-open", "closed")...))
	add("3", "2", "checkout", "POST", 10, 40, true, []*common.KeyValue{text("error.type", "timeout")})
	add("5", "2", "checkout", "POST", 60, 90, false, append(status("201"), text("http.request.resend_count", "1")))
	add("4", "3", "payments", "POST /charges", 20, 40, false, nil)
	add("6", "5", "payments", "POST /charges", 70, 80, false, status("201"))
	add("7", "6", "payments", "POST /receipts", 105, 130, false, nil) // after the end of all

	for process, ms := range map[string]int{"2": 42, "3": 43, "4": 44, "5": 45} {
		s := &traces.Span{TraceId: []byte(process), ParentSpanId: []byte("gone"), Events: []*traces.Span_Event{
			event(ms, "seawall.transition", turn("closed", "open")...),
			event(ms+1, "seawall.refusal", breaker...),
			event(ms+2, "seawall.transition", turn("open", "half-open")...),
		}}
		if process == "2" {
			s.Events = append(s.Events,
				event(ms+3, "seawall.refusal", breaker...),
				event(ms+4, "seawall.transition", turn("half-open", "open")...),
				event(ms+5, "seawall.refusal", breaker...))
		}
		r.spans = append(r.spans, &span{s, "checkout", process})
	}

	fmt.Fprintln(&r.log, "payment service: 503")
	var out bytes.Buffer
	r.trace(&out)
	r.breakers(&out)
	r.metrics(&out)
	r.rest(&out)
	const want = `
ONE ORDER, paid at the second attempt
trace 7472616365

                                                            ms  ──────────────────────
gateway: POST /checkout                                  100.0  ██████████████████████   201
└─ checkout: POST /checkout                               80.0    █████████████████      201
   │  · retry of pay: attempt 1 failed, wait 0.02 s, for: no answer
   │  · transition of payments: closed → open, for: no answer
   │  · refusal of payments
   │  · transition of payments: open → half-open
   │  · refusal of payments
   │  · transition of payments: half-open → closed
   ├─ checkout: POST                                      30.0    ██████                 timeout error
   │  └─ payments: POST /charges                          20.0      ████
   └─ checkout: POST, resend 1                            30.0               ██████      201
      └─ payments: POST /charges                          10.0                 ██        201
         └─ payments: POST /receipts                      25.0                       █

THE BREAKER payments, of which each process of the function has its own

process 1
├─  0.04 s  closed → open              no answer  [then 1 refused]
└─  0.07 s  open → half-open → closed  [then 1 refused]

process 2
├─  0.04 s  closed → open              [then 1 refused]
└─  0.04 s  open → half-open → open    [then 2 refused]

process 3
├─  0.04 s  closed → open              [then 1 refused]
└─  0.04 s  open → half-open

and 2 more with less to tell: they opened 2 times, refused 2 calls, let 2 try and closed after 0 of them

THE COUNTERS, of all processes together

     2  faas.coldstarts
     5  seawall.retries              retry pay 503

THE LOG of the function

payment service: 503
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
