package emf_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
	"github.com/seawall-go/seawall/middleware/tracing"
	"github.com/seawall-go/seawall/middleware/tracing/emf"
)

// TestFunction is the function of TestOnLambda, in a process of its own.
func TestFunction(t *testing.T) {
	if os.Getenv("SEAWALL_TEST_FUNCTION") == "" {
		t.Skip("it is for a process of its own")
	}
	provider := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(emf.New(emf.Config{}))))
	flusher := tracing.NewFlusher(time.Second, provider)
	handler := middleware.Wrap(func(_ context.Context, n int) (int, error) {
		fmt.Printf("number %d\n", n)
		if n%10 == 0 {
			return 0, fmt.Errorf("number %d", n)
		}
		return n, nil
	}, flusher, tracing.Span{Name: "count", MeterProvider: provider})
	lambda.StartWithOptions(handler, lambda.WithEnableSIGTERM(flusher.Flush))
}

// What a function writes is in its log in whole lines, also if it takes several invocations at once, and says what
// became of each.
func TestOnLambda(t *testing.T) {
	for _, concurrency := range []int{1, 4} {
		var log bytes.Buffer
		f := lambdatest.New("counting", lambdatest.Config{
			Command: func() *exec.Cmd {
				cmd := exec.Command(os.Args[0], "-test.run=^TestFunction$")
				cmd.Env = append(os.Environ(), "SEAWALL_TEST_FUNCTION=yes")
				return cmd
			},
			Concurrency: concurrency,
			Timeout:     time.Minute,
			Log:         &log,
		})
		const total = 40
		var wg sync.WaitGroup
		for n := range total {
			wg.Go(func() {
				if _, err := f.Invoke(t.Context(), fmt.Append(nil, n)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		f.Close()
		sums, most := map[string]float64{}, 0.0
		for line := range bytes.Lines(log.Bytes()) {
			if !bytes.Contains(line, []byte("_aws")) {
				continue
			}
			d, err := parse(line)
			if err != nil {
				t.Fatal(err)
			}
			if service := string(d.members["service.name"]); service != `"counting"` {
				t.Errorf("service.name is %s", service)
			}
			for name, m := range d.metrics {
				sums[name] += m.sum()
				if name == "seawall.call.duration" {
					sums["calls"] += m.stats["Count"]
				}
				if name == "seawall.calls.peak" {
					most = max(most, m.sum())
				}
			}
		}
		if sums["faas.invocations"] != total*9/10 || sums["faas.errors"] != total/10 || sums["faas.coldstarts"] != 1 || sums["calls"] != total {
			t.Errorf("at concurrency %d: %v; want %d invocations, every tenth with an error, and one cold start", concurrency, sums, total)
		}
		if most < 1 || most > float64(concurrency) {
			t.Errorf("at concurrency %d: a peak of %v calls", concurrency, most)
		}
	}
}
