package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

// invoke is what API Gateway and Lambda make of an order. They do not notice if its customer gives up.
func (v *variant) invoke(ctx context.Context, o order) fate {
	if !v.enter() {
		return turnedAway
	}
	result, err := v.function.Invoke(ctx, event(o))
	v.leave(result)
	var answer events.APIGatewayV2HTTPResponse
	switch {
	case err != nil, result.Err != nil, json.Unmarshal(result.Payload, &answer) != nil:
		return failed
	case answer.StatusCode < 300:
		return served
	case answer.Headers["Retry-After"] != "":
		return refused
	default:
		return failed
	}
}

// enter takes an environment. Lambda lets nobody wait for one.
func (v *variant) enter() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.busy == v.scenario.environments {
		return false
	}
	v.busy++
	return true
}

func (v *variant) leave(result lambdatest.Result) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.busy--
	if result.Cold {
		v.started++
	}
	if result.Err != nil && result.Err.Type == lambdatest.TimedOut {
		v.killed++
	}
}

// event is an order as API Gateway hands it over.
func event(o order) []byte {
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
	payload, _ := json.Marshal(r)
	return payload
}
