// Package retry repeats calls that failed: a few times, after waits that grow and are random, and never when repeating
// cannot help or would make things worse.
//
// A [Policy] is a struct literal, and its zero value is ready for use:
//
//	err := retry.Policy{}.Do(ctx, ping)
//
// Only the caller knows whether a call may be made twice. Repeat what is idempotent.
//
// # Which errors are repeated
//
// An error falls in a [Class], by the first of these that applies:
//
//   - what the call says with [Permanent] or [After], or with an error that has Final() true: [Stop] for the call cannot
//     be made again, as with a request whose body is spent;
//   - what Policy.Classify says, unless it says [Unknown];
//   - a panic made an error, Panicked() true: [Stop];
//   - the refusal of another policy, Refused() true: [Transient] if its RetryAfter() says to come back within a second,
//     and within Policy.Cap, otherwise Stop: a breaker that opened is to be felt at once, not waited for;
//   - RetryableError() false: Stop;
//   - Throttled() true, HTTPStatusCode() 429, or an ErrorCode() that AWS services throttle with: [Throttle];
//   - RetryableError() true, or an ErrorCode() of RequestTimeout: Transient;
//   - another HTTPStatusCode() from 400 to 499, but for 408 and 425: Stop, the request itself is at fault;
//   - every other error: Transient, among them the timeout of a single attempt.
//
// Errors tell by their methods, which are looked for as [errors.As] does, so that those of AWS SDK for Go v2 and of the
// policies of this module are understood without an import. Whatever the class, nothing is repeated once the caller's
// context has ended.
//
// # One layer
//
// Three attempts of three attempts are nine calls. So a policy inside the call of another one makes a single attempt
// and leaves the repeating, [Permanent] and [After] included, to the outer one; see Policy.Nested. Where the outer one
// may not repeat, around an HTTP request that is not idempotent, the inner one does.
package retry
