package tracing

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// An invocation is one of a Lambda function.
type invocation struct {
	trigger  string
	function string // its name
	version  string
	id       string
	arn      string // as it was invoked, with the alias if there is one
	cold     bool
}

// warm says that this process has seen an invocation. Environments begin once, whatever runs in them.
var warm atomic.Bool //nolint:gochecknoglobals // as above

// seen has the invocations of which a span was begun without the handler's adapter showing them, until they are collected.
var seen sync.Map //nolint:gochecknoglobals // as above

// isFirst reports whether it is asked for the first time about the invocation that ctx belongs to.
func isFirst(ctx context.Context) bool {
	c, _ := lambdacontext.FromContext(ctx)
	if c == nil {
		return true
	}
	id := weak.Make(c)
	_, again := seen.LoadOrStore(id, nil)
	if !again {
		runtime.AddCleanup(c, func(id weak.Pointer[lambdacontext.LambdaContext]) { seen.Delete(id) }, id)
	}
	return !again
}

func isInvoked(ctx context.Context) bool {
	_, ok := lambdacontext.FromContext(ctx)
	return ok
}

// invoked is the invocation that ctx belongs to.
func invoked(ctx context.Context, trigger string) *invocation {
	i := &invocation{
		trigger:  trigger,
		function: lambdacontext.FunctionName,
		version:  lambdacontext.FunctionVersion,
		cold:     !warm.Swap(true),
	}
	if c, _ := lambdacontext.FromContext(ctx); c != nil {
		i.id, i.arn = c.AwsRequestID, c.InvokedFunctionArn
	}
	return i
}

func (i *invocation) attributes() []attribute.KeyValue {
	kvs := []attribute.KeyValue{semconv.FaaSTriggerKey.String(i.trigger), semconv.FaaSColdstart(i.cold)}
	for _, s := range []struct {
		key   attribute.Key
		value string
	}{
		{semconv.FaaSInvocationIDKey, i.id},
		{semconv.FaaSNameKey, i.function},
		{semconv.FaaSVersionKey, i.version},
		{semconv.AWSLambdaInvokedARNKey, i.arn},
		{semconv.CloudResourceIDKey, i.resource()},
		{semconv.CloudAccountIDKey, i.account()},
	} {
		if s.value != "" {
			kvs = append(kvs, s.key.String(text(s.value)))
		}
	}
	return kvs
}

// resource is the ARN with the version that the alias in it stood for.
func (i *invocation) resource() string {
	parts := strings.Split(i.arn, ":") // arn:aws:lambda:region:account:function:name:qualifier
	if len(parts) < 8 {
		return i.arn
	}
	arn := strings.Join(parts[:7], ":")
	if i.version != "" {
		arn += ":" + i.version
	}
	return arn
}

func (i *invocation) account() string {
	if parts := strings.SplitN(i.arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}
