package tracing_test

import (
	"os"
	"os/exec"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/seawall-go/seawall/middleware/tracing"
)

const global = "SEAWALL_TEST_GLOBAL"

// A program that sets global providers, before its first call or after, has its spans and metrics there, once. It is a
// process of its own, for what is global stays.
func TestGlobalProviders(t *testing.T) {
	if os.Getenv(global) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestGlobalProviders$")
		cmd.Env = append(os.Environ(), global+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	s := tracing.Span{Name: "call"}
	_ = s.Do(t.Context(), nothing)
	r := newRig()
	otel.SetTracerProvider(r.TracerProvider)
	otel.SetMeterProvider(r.MeterProvider)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	_ = s.Do(t.Context(), nothing)
	if span := r.only(t); span.Name != "call" {
		t.Errorf("span %q", span.Name)
	}
	metrics := r.metrics(t)
	for _, name := range []string{"seawall.calls.peak", "seawall.call.duration"} {
		if _, all := points(metrics[name]); len(all) != 1 || all[0].value != 1 {
			t.Errorf("%s: %v", name, all)
		}
	}
}
