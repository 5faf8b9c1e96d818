package surge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/aws/aws-lambda-go/events"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

// A Gateway is API Gateway and Lambda before a function.
type Gateway struct {
	function *lambdatest.Function
	most     int // environments

	mu           sync.Mutex
	environments Environments
}

// Environments are those of a function.
type Environments struct {
	Busy    int // now
	Started int // so far
	Killed  int // so far, at the timeout
}

// ErrBusy is returned for a request that finds all environments busy. Lambda lets nobody wait for one.
var ErrBusy = errors.New("gateway: all environments are busy")

// OpenGateway returns one for the function that lambdatest serves under a name. The function has the variables env, and
// writes its log to log.
func OpenGateway(function string, s Scenario, log io.Writer, env ...string) *Gateway {
	return &Gateway{
		function: lambdatest.New(function, lambdatest.Config{
			Env:          env,
			Environments: s.Environments,
			Timeout:      s.Timeout,
			Log:          log,
		}),
		most: s.Environments,
	}
}

// Close ends the function's processes.
func (g *Gateway) Close() { g.function.Close() }

// Environments is a count of them.
func (g *Gateway) Environments() Environments {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.environments
}

// Send sends the function a request and returns its answer. It does not notice if the customer gives up.
func (g *Gateway) Send(ctx context.Context, r events.APIGatewayV2HTTPRequest) (answer events.APIGatewayV2HTTPResponse, err error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return answer, err
	}
	if !g.enter() {
		return answer, ErrBusy
	}
	result, err := g.function.Invoke(ctx, payload)
	g.leave(result)
	switch {
	case err != nil:
		return answer, err
	case result.Err != nil:
		return answer, result.Err
	default:
		return answer, json.Unmarshal(result.Payload, &answer)
	}
}

// enter takes an environment, if one is free.
func (g *Gateway) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.environments.Busy == g.most {
		return false
	}
	g.environments.Busy++
	return true
}

func (g *Gateway) leave(result lambdatest.Result) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.environments.Busy--
	if result.Cold {
		g.environments.Started++
	}
	if result.Err != nil && result.Err.Type == lambdatest.TimedOut {
		g.environments.Killed++
	}
}

// Request is the order as API Gateway hands it to the function.
func (o Order) Request() events.APIGatewayV2HTTPRequest {
	body, _ := json.Marshal(o)
	r := events.APIGatewayV2HTTPRequest{
		Version:  "2.0",
		RouteKey: "POST /checkout",
		RawPath:  "/checkout",
		Headers:  map[string]string{"content-type": "application/json"},
		Body:     string(body),
	}
	r.RequestContext.RequestID = o.ID
	r.RequestContext.HTTP.Method, r.RequestContext.HTTP.Path = http.MethodPost, r.RawPath
	return r
}
