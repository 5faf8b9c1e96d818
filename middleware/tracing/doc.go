// Package tracing shows what policies do, as spans and metrics of OpenTelemetry. One [Span], outermost, is enough:
//
//	h := middleware.Wrap(placeOrder, tracing.Span{Name: "place order"}, middleware.Reserve(time.Second), retry.Policy{}, payments)
//
// Then each call has a span, and what the policies inside notice, a retry, a refusal, a breaker's transition, is an event
// on it and counts in a metric. Nothing else is wired. Only the API of OpenTelemetry is used; spans and metrics go
// to the providers of the SDK, if the program has any. A [Flusher] has them leave before Lambda freezes the process.
//
// # Instruments
//
// The meter and the tracer are named like this package. All attributes come from configuration, from types and from
// conventions, none from data: a breaker's Name but not its key, a route but not a path.
//
//	seawall.calls.in_flight          up-down  {call}        calls that are running
//	seawall.calls.peak               gauge    {call}        most calls at once since the metrics were last read
//	seawall.call.duration            histogram s            how long calls took, all attempts together
//	seawall.time.remaining           histogram s            what was left until the deadline when a call returned
//
// They have the attribute seawall.call.name, the Name of the Span; seawall.call.duration also error.type. A series
// without a call since it was last read and none in flight has no points of the first two.
//
//	seawall.retries                  counter  {retry}       attempts that failed and were followed by another
//	seawall.give_ups                 counter  {give_up}     attempts that failed and were the last, though worth repeating
//	seawall.refusals                 counter  {refusal}     calls that were not made
//	seawall.timeouts                 counter  {timeout}     calls that failed because their time was over
//	seawall.panics                   counter  {panic}       panics that became errors
//	seawall.fallbacks                counter  {fallback}    errors that were answered by a fallback
//	seawall.abandons                 counter  {abandon}     handlers that were left behind
//	seawall.breaker.transitions      counter  {transition}  changes of a breaker's state
//	seawall.breaker.state            gauge    {state}       the state: 0 closed, 1 half-open, 2 open
//	seawall.idempotency.replays      counter  {replay}      calls answered with an earlier result
//	seawall.idempotency.takeovers    counter  {takeover}    abandoned runs that were followed by another
//	seawall.idempotency.mismatches   counter  {mismatch}    calls refused because their key belongs to another payload
//	seawall.idempotency.lost         counter  {run}         runs that ended after another had taken over
//	seawall.idempotency.unsaved      counter  {run}         runs whose record does not say all
//	seawall.idempotency.unprotected  counter  {run}         runs without a record
//
// They have seawall.policy, such as breaker, and seawall.policy.name, the Name that its user gave it; the counters also
// error.type where there is an error, and the transitions seawall.breaker.from and seawall.breaker.to. The state is known
// from the first transition on; breakers of one Group share their name, and it is that of the one which turned last.
//
//	http.server.request.duration     histogram s            requests that came in
//	http.client.request.duration     histogram s            requests that went out, until the header of the response
//	faas.invoke_duration             histogram s            invocations of a Lambda function
//	faas.invocations                 counter  {invocation}  those that ended without an error
//	faas.errors                      counter  {error}       those that ended with an error or a panic
//	faas.timeouts                    counter  {timeout}     those that failed because their time was over
//	faas.coldstarts                  counter  {coldstart}   the first of each process
//
// These are as the semantic conventions define them, version 1.43, as are their attributes: http.request.method,
// http.response.status_code, http.route, url.scheme, error.type; of a client also server.address and server.port; and
// faas.trigger. An invocation that is answered with a status, be it 503, has ended without an error, as it has for Lambda.
//
// # Events of a span
//
// What a policy notices is an event of the innermost span that records, named seawall.retry, seawall.refusal and so on,
// with the attributes of its counter and, as far as it has them, seawall.attempt, seawall.wait in seconds, the error's
// text as exception.message, and seawall.idempotency.key, the digest of a key.
//
// # Errors
//
// A span has the status Error, with the error's text, and error.type if that is how its own call ended. A failure that a policy inside put
// right, by a retry or a fallback, marks the span of the attempt, if it has one, and not those around it. A call
// that fails after its caller cancelled it has neither. For HTTP the convention decides: a server's span has failed from
// status 500 on, a client's from 400 on.
//
// error.type is what the error says by a method ErrorType() string; "panic" for a panic or [runtime.Goexit]; the status,
// such as "503", for a response; and otherwise the type of the first error in the chain whose type is exported, such as
// *breaker.OpenError, so that what fmt.Errorf wraps shows. Without such a one it is the type of the last.
package tracing
