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
// They have the attribute seawall.call.name, the Name of the Span; without one it is the name of the Lambda function, or
// server, client or call. seawall.call.duration has error.type besides, and it is of every Span; the other three are of the
// outermost only, so that a call is one, whatever Spans are inside. A name without a call since it was last read and none in
// flight has no points of the first two. Several readers of a MeterProvider share the peak and the pauses: what one has read
// stands for a second, so that those that read together see the same, and after that it begins anew.
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
// faas.trigger. A called server can redirect to whatever it likes, so a client's url.scheme is http, https or _OTHER, and the
// first 100 hosts that a program calls, with their ports, have server.address and server.port; for all others the address is
// _OTHER, without a port. An invocation that is answered with a status, be it 503, has ended without an error, as it has for Lambda.
// One that failed after its caller had cancelled it is in faas.invoke_duration, and neither in faas.invocations nor in
// faas.errors. The time of an invocation is over if its context ended by its deadline, or if the error is that of
// middleware.Reserve or middleware.Abandon; that a call in it had too little time does not count. A CONNECT has no
// http.route, and what redirects to its own path with a slash has none.
//
// Two things are not as the conventions have them. For messages of SQS they want a CONSUMER span for each, or for the batch;
// here it is the invocation's, which is SERVER, with a link for each message. Behind API Gateway they name the span after the
// route alone; here the method comes first, as for every other request.
//
// # Events of a span
//
// What a policy notices is an event of the innermost span that records, named seawall.retry, seawall.refusal and so on,
// with the attributes of its counter and, as far as it has them, seawall.attempt, seawall.wait in seconds, the error's
// text as exception.message, and seawall.idempotency.key, the digest of a key.
//
// # Streams
//
// A span ends, and what it measures, when the handler returns. Of an answer that is a stream the body comes after that, and what
// policies notice while it is made counts, but is no event of the span.
//
// # Errors
//
// A span has the status Error, with the error's text unless the status of a response says it, and error.type if that is how
// its own call ended. A failure that a policy inside put
// right, by a retry or a fallback, marks the span of the attempt, if it has one, and not those around it. A call
// that fails after its caller cancelled it has neither, whatever its status. For HTTP the convention decides: a server's span
// has failed from status 500 on, a client's from 400 on, and with any status where the handler panicked.
//
// An error's text is recorded as it is, on spans and their events, with what is secret in it. Only the URL of a *url.Error, as
// http.Client returns it, loses its user, its query and its fragment, and one that cannot be parsed is left out. What is not
// UTF-8, in any attribute, is replaced.
//
// error.type is what the error says by a method ErrorType() string; "panic" for a panic or [runtime.Goexit]; the status,
// such as "503", for a response; and otherwise the type of the first error in the chain whose type is exported, such as
// *breaker.OpenError, so that what fmt.Errorf wraps shows. Without such a one it is the type of the last.
package tracing
