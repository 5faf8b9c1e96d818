package awslambda_test

import (
	"encoding/json"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func TestMain(m *testing.M) {
	serveTyped()
	serveRaw()
	serveStreams()
	serveDeaf()
	serveProxies()
	goleak.VerifyTestMain(m)
}

// strict ends a function's process at the first data race, where the race detector looks for them.
const strict = "GORACE=halt_on_error=1"

func newFunction(t *testing.T, name string, config lambdatest.Config) *lambdatest.Function {
	t.Helper()
	config.Env = append(config.Env, strict)
	if config.Timeout == 0 {
		config.Timeout = time.Minute
	}
	f := lambdatest.New(name, config)
	t.Cleanup(func() { f.Close() })
	return f
}

func invoke(t *testing.T, f *lambdatest.Function, event any) lambdatest.Result {
	t.Helper()
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	result, err := f.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	return result
}
