package arch_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

const module = "github.com/seawall-go/seawall/"

// A room is a folder with a package, and what its code may import besides the standard library.
type room struct {
	ours    []string          // rooms of this module; "internal" stands for the bottom layer
	foreign map[string]string // packages of other modules, and why
	kit     bool              // for tests: only tests and examples import it
}

// The import law, from the bottom up. A dependency is one line here.
var law = map[string]room{
	"internal/event":   {},
	"internal/refusal": {},
	"internal/scope":   {},
	"internal/wall":    {},
	"internal/arch":    {},

	// For tests: a server that speaks DynamoDB's protocol, and a command that runs real ones.
	"internal/fakedynamo": {kit: true},
	"internal/servers":    {},
	"internal/endtoend":   {}, // nothing but tests

	// The patterns. They never import each other: each is whole on its own, and a policy for having a method Do.
	"middleware": {ours: []string{"internal"}},
	"retry": {ours: []string{"internal"}, foreign: map[string]string{
		"github.com/cenkalti/backoff/v4": "makes the delays",
	}},
	"breaker": {ours: []string{"internal"}, foreign: map[string]string{
		"github.com/sony/gobreaker/v2": "is the state machine",
	}},
	"ratelimit": {ours: []string{"internal"}, foreign: map[string]string{
		"golang.org/x/time/rate": "is the token bucket",
	}},

	"idempotency": {ours: []string{"internal"}},

	// The adapters: their parent, and what they adapt to.
	"middleware/nethttp": {ours: []string{"internal", "middleware"}},
	"middleware/awslambda": {ours: []string{"internal", "middleware"}, foreign: map[string]string{
		"github.com/aws/aws-lambda-go/events":              "has the types of events and answers",
		"github.com/aws/aws-lambda-go/lambda/handlertrace": "tells tracers of requests and responses, as aws-lambda-go does",
		"github.com/aws/aws-lambda-go/lambdacontext":       "has the id of an invocation",
		// Not aws-lambda-go/lambda: with net/rpc it makes a program eight megabytes larger.
	}},
	"middleware/tracing": {ours: []string{"internal", "middleware"}, foreign: map[string]string{
		"go.opentelemetry.io/otel":                   "has the global providers, of the API only",
		"go.opentelemetry.io/otel/attribute":         "has the attributes",
		"go.opentelemetry.io/otel/codes":             "has the status of a span",
		"go.opentelemetry.io/otel/metric":            "has the instruments",
		"go.opentelemetry.io/otel/metric/noop":       "is the provider of no metrics, as below",
		"go.opentelemetry.io/otel/propagation":       "carries traces from service to service",
		"go.opentelemetry.io/otel/semconv/v1.43.0":   "has the names of the conventions",
		"go.opentelemetry.io/otel/trace":             "has the spans",
		"go.opentelemetry.io/otel/trace/noop":        "is the provider of no spans, for which there is nothing to do",
		"github.com/aws/aws-lambda-go/events":        "has the types of events and answers",
		"github.com/aws/aws-lambda-go/lambdacontext": "says which invocation it is",
	}},

	"middleware/tracing/emf": {foreign: map[string]string{
		"go.opentelemetry.io/otel/attribute":             "has the attributes of points",
		"go.opentelemetry.io/otel/sdk/metric":            "is what exporters belong to",
		"go.opentelemetry.io/otel/sdk/metric/metricdata": "has the points",
		"go.opentelemetry.io/otel/sdk/resource":          "has the name of the service",
	}},

	"idempotency/httpkey": {ours: []string{"internal", "idempotency"}},
	"idempotency/jmespath": {ours: []string{"internal", "idempotency"}, foreign: map[string]string{
		"github.com/jmespath/go-jmespath": "evaluates expressions over events",
	}},
	"idempotency/dynamostore": {ours: []string{"internal", "idempotency"}, foreign: map[string]string{
		"github.com/aws/aws-sdk-go-v2/aws":                    "has the pointers of requests",
		"github.com/aws/aws-sdk-go-v2/service/dynamodb":       "has the requests",
		"github.com/aws/aws-sdk-go-v2/service/dynamodb/types": "has the values in them",
		"github.com/aws/smithy-go":                            "has the errors of services",
	}},
	"idempotency/redisstore": {ours: []string{"internal", "idempotency"}, foreign: map[string]string{
		"github.com/redis/go-redis/v9": "talks to Redis",
	}},
	"idempotency/s3blob": {ours: []string{"internal", "idempotency"}, foreign: map[string]string{
		"github.com/aws/aws-sdk-go-v2/service/s3":       "has the requests",
		"github.com/aws/aws-sdk-go-v2/service/s3/types": "has the values in them",
		"github.com/aws/smithy-go":                      "has the errors of services",
	}},

	// The test kits.
	"idempotency/storetest": {ours: []string{"internal", "idempotency"}, kit: true, foreign: map[string]string{
		"pgregory.net/rapid": "draws what happens to a store",
	}},
	"middleware/policytest":           {ours: []string{"internal", "middleware"}, kit: true},
	"middleware/awslambda/lambdatest": {ours: []string{"internal"}, kit: true},
}

// What tests may import besides, and why. They may import every room.
var forTests = map[string]string{
	"go.uber.org/goleak":                            "finds goroutines that are left behind",
	"pgregory.net/rapid":                            "draws cases for properties and models",
	"github.com/aws/aws-lambda-go/lambda":           "is the runtime that handlers have to fit",
	"github.com/aws/aws-lambda-go/lambdaurl":        "makes a Function URL of an http.Handler",
	"github.com/aws/aws-lambda-go/lambdacontext":    "is what handlers find in their context",
	"github.com/aws/aws-lambda-go/events":           "has the types that handlers are written with",
	"github.com/aws/aws-sdk-go-v2/aws":              "has the configuration of clients",
	"github.com/aws/smithy-go":                      "has the errors of services",
	"github.com/alicebob/miniredis/v2":              "is a Redis whose clock a test can move",
	"github.com/redis/go-redis/v9":                  "talks to Redis",
	"github.com/aws/aws-sdk-go-v2/service/dynamodb": "talks to DynamoDB",

	"go.opentelemetry.io/otel":                                        "has who is told of errors",
	"go.opentelemetry.io/otel/sdk/resource":                           "says whose spans and metrics they are",
	"go.opentelemetry.io/otel/sdk/trace":                              "is the SDK that spans go to",
	"go.opentelemetry.io/otel/sdk/trace/tracetest":                    "keeps spans for a test to read",
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp": "sends spans as programs do",
	"go.opentelemetry.io/proto/otlp/collector/trace/v1":               "reads what was sent",
	"google.golang.org/protobuf/proto":                                "as above",
	"go.opentelemetry.io/otel/attribute":                              "has the attributes of spans and metrics",
	"go.opentelemetry.io/otel/codes":                                  "has the status of a span",
	"go.opentelemetry.io/otel/metric":                                 "has the instruments",
	"go.opentelemetry.io/otel/metric/noop":                            "is a provider of no metrics",
	"go.opentelemetry.io/otel/propagation":                            "carries traces from service to service",
	"go.opentelemetry.io/otel/sdk/metric":                             "makes metrics",
	"go.opentelemetry.io/otel/sdk/metric/metricdata":                  "has metrics to read",
	"go.opentelemetry.io/otel/trace":                                  "has the spans",
	"go.opentelemetry.io/otel/trace/embedded":                         "is in every provider",
	"go.opentelemetry.io/otel/trace/noop":                             "is a provider of no spans",
}

// bottom reports whether folder is in the layer that every room may stand on.
func bottom(folder string) bool { return path.Dir(folder) == "internal" }

func isExample(folder string) bool {
	return folder == "examples" || strings.HasPrefix(folder, "examples/")
}

// keepsTheLaw looks for imports that the law does not allow, and for law that nobody needs.
func keepsTheLaw(t tree) (broken []string) {
	used := make(map[string]map[string]bool) // by folder: the imports of its code
	for _, f := range t.gofiles() {
		folder := path.Dir(f.path)
		if isExample(folder) {
			continue
		}
		r, ok := t.law[folder]
		if used[folder] == nil {
			used[folder] = make(map[string]bool)
			if !ok {
				broken = append(broken, folder+": is not in the import law: give it a row in internal/arch/law_test.go")
			}
		}
		if !ok {
			continue
		}
		for _, imported := range f.imports() {
			if !f.test {
				used[folder][imported] = true
			}
			if why := t.forbids(f, r, imported); why != "" {
				broken = append(broken, fmt.Sprintf("%s: must not import %s: %s", f.path, imported, why))
			}
		}
	}
	for folder, r := range t.law {
		if used[folder] == nil {
			broken = append(broken, fmt.Sprintf("%s: has a row in internal/arch/law_test.go but no Go files: take the row out", folder))
			continue
		}
		for foreign := range r.foreign {
			if !used[folder][foreign] {
				broken = append(broken, fmt.Sprintf("%s: may import %s but does not: take the line out of internal/arch/law_test.go", folder, foreign))
			}
		}
	}
	slices.Sort(broken)
	return broken
}

// forbids says why f, in room r, must not import what it does, or "" if it may.
func (t tree) forbids(f gofile, r room, imported string) string {
	folder := path.Dir(f.path)
	ours, isOurs := strings.CutPrefix(imported, module)
	switch {
	case isOurs && isExample(ours):
		return "examples are nobody's dependency"
	case isOurs && (f.test || ours == folder):
		return ""
	case isOurs && t.law[ours].kit:
		return "a test kit is for tests and examples"
	case isOurs && (slices.Contains(r.ours, ours) || slices.Contains(r.ours, "internal") && bottom(ours)):
		return ""
	case isOurs:
		return "rooms know the bottom layer and their parent only; what has to cross crosses by a method"
	case isStd(imported), r.foreign[imported] != "", f.test && forTests[imported] != "":
		return ""
	case f.test:
		return "do without, or add it to forTests in internal/arch/law_test.go, with its reason"
	default:
		return "do without, or give it a line with its reason in internal/arch/law_test.go"
	}
}

func isStd(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}
