package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	collectmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collecttraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A receiver takes telemetry by OTLP over HTTP, and keeps it.
type receiver struct {
	server *httptest.Server
	start  time.Time
	log    bytes.Buffer // of the function, which does not come by OTLP

	mu       sync.Mutex
	spans    []*span
	counters map[string]map[string]int64 // by what is shown: the latest of each series of each process
}

// A span is one of a service.
type span struct {
	*traces.Span

	service, instance string
}

func openReceiver() *receiver {
	r := &receiver{counters: map[string]map[string]int64{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, request *http.Request) {
		var sent collecttraces.ExportTraceServiceRequest
		if !decode(w, request, &sent) {
			return
		}
		for _, resource := range sent.GetResourceSpans() {
			self := attributes(resource.GetResource().GetAttributes())
			for _, scope := range resource.GetScopeSpans() {
				r.mu.Lock()
				for _, s := range scope.GetSpans() {
					r.spans = append(r.spans, &span{s, self["service.name"], self["service.instance.id"]})
				}
				r.mu.Unlock()
			}
		}
	})
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, request *http.Request) {
		var sent collectmetrics.ExportMetricsServiceRequest
		if !decode(w, request, &sent) {
			return
		}
		for _, resource := range sent.GetResourceMetrics() {
			instance := attributes(resource.GetResource().GetAttributes())["service.instance.id"]
			for _, scope := range resource.GetScopeMetrics() {
				for _, m := range scope.GetMetrics() {
					r.keep(instance, m)
				}
			}
		}
	})
	r.server = httptest.NewServer(mux)
	return r
}

func decode(w http.ResponseWriter, r *http.Request, m proto.Message) bool {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = proto.Unmarshal(body, m)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return err == nil
}

// keep keeps the values of a counter, which are those since the process began.
func (r *receiver) keep(instance string, m *metrics.Metric) {
	if !m.GetSum().GetIsMonotonic() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range m.GetSum().GetDataPoints() {
		a := attributes(p.GetAttributes())
		key := strings.Join(strings.Fields(strings.Join([]string{m.GetName(), a["seawall.policy"], a["seawall.policy.name"], a["seawall.breaker.to"], a["error.type"]}, " ")), " ")
		if r.counters[key] == nil {
			r.counters[key] = map[string]int64{}
		}
		r.counters[key][instance+fmt.Sprint(a)] = p.GetAsInt() // attributes that are not shown make it several
	}
}

func attributes(list []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			m[kv.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			m[kv.GetKey()] = strconv.FormatInt(v.IntValue, 10)
		case *common.AnyValue_DoubleValue:
			m[kv.GetKey()] = strconv.FormatFloat(v.DoubleValue, 'g', 3, 64)
		case *common.AnyValue_BoolValue:
			m[kv.GetKey()] = strconv.FormatBool(v.BoolValue)
		}
	}
	return m
}

// get is an attribute of the span.
func (s *span) get(key string) string { return attributes(s.GetAttributes())[key] }

// at is when something was, since the start.
func (r *receiver) at(nanos uint64) time.Duration { return time.Unix(0, int64(nanos)).Sub(r.start) }

// children is the spans that a span is the parent of, in the order of their beginnings.
func (r *receiver) children(parent *span) (children []*span) {
	for _, s := range r.spans {
		if bytes.Equal(s.GetParentSpanId(), parent.GetSpanId()) && bytes.Equal(s.GetTraceId(), parent.GetTraceId()) {
			children = append(children, s)
		}
	}
	slices.SortFunc(children, func(a, b *span) int { return cmp.Compare(a.GetStartTimeUnixNano(), b.GetStartTimeUnixNano()) })
	return children
}
