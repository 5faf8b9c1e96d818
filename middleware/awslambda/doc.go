// Package awslambda puts policies around Lambda handlers that [middleware.Wrap] alone does not fit.
//
// A typed handler needs nothing from here. Wrapped, it is the same plain function and goes into lambda.Start or
// lambda.StartHandlerFunc as before:
//
//	lambda.StartHandlerFunc(middleware.Wrap(placeOrder, middleware.Reserve(500*time.Millisecond), payments))
//
// Lambda then reports a handler's error with the errorType it had without policies, and a refusal with its own:
// OpenError, LimitedError, TimeoutError. A result that is an io.Reader, such as a streaming response, is sent on chunk
// by chunk, in a context that a [middleware.Timeout] leaves open until its deadline. A handler that does not look at its
// context belongs in [middleware.Abandon]; one that does needs [middleware.Reserve], for Lambda kills the process at the
// very moment at which the context ends.
//
//   - [Proxy] is Wrap for handlers that answer HTTP requests through API Gateway, a load balancer or a function URL:
//     their callers get refusals as 429, 503 or 504, where an error would give them a 502.
//   - [Raw] is Wrap for handlers of bytes, lambda.Handler, such as other vendors' wrappers return.
//
// Streaming responses, such as *events.LambdaFunctionURLStreamingResponse, are not for Proxy: whatever error comes before
// the first byte is Lambda's to report. An http.Handler that lambdaurl.Wrap serves runs in a goroutine of its own, out of reach of policies around the wrapped
// function, and its panic ends the process. The policies for it, Recover first, go around the http.Handler.
package awslambda
