// Package httpkey makes HTTP requests that carry an Idempotency-Key happen once.
//
// A client that saw no answer sends its request again, with the same Idempotency-Key. [Middleware] lets the first one
// through to the handler, keeps the response, and answers all that follow with it:
//
//	once := httpkey.Config{Once: idempotency.Config{Store: store, Scope: "payments"}, Tenant: account}
//	mux.Handle("POST /payments", httpkey.Middleware(once)(pay))
//
// [Proxy] does the same for Lambda functions behind API Gateway, a load balancer or a function URL. The records are the
// same ones, so a request that ran here is replayed there. The header field is that of the IETF draft
// draft-ietf-httpapi-idempotency-key-header-07.
//
// # What clients are told
//
// A replay has the first response's status and body, and its header fields that describe them; [Replayed] marks it.
// Everything else that is not the handler's response is a problem of RFC 9457, application/problem+json, which no cache
// keeps:
//
//	400  the key is missing where one is required, or malformed
//	403  the request has no tenant, or Config.Allow forbids the replay
//	408  the body of the request did not come in time
//	409  the first request is still running: Retry-After says when to ask again
//	409  without Retry-After: it is done but its response was not kept, or it is uncertain what it did
//	413  the request is longer than Config.MaxRequest
//	422  the key was used before, for another method, host, path, query or body
//	500  the record makes no sense: something else wrote it
//	503  the store fails
//	504  the handler has given up because its time is over
//
// # What is kept
//
// A response is sent as the handler writes it, and kept when the handler returns, for as long as Config.Once.TTL says. If
// it asks the client to come back, with 401, 408, 425, 429 or 500 and above, it is not: the next request runs. The same
// goes for a handler that panics, or gives up without a word because its time is over. Config.Keep changes the rule.
//
// A response is never replayed in part. When the handler flushes, hijacks or switches protocols, writes more than
// Config.MaxResponse, or less than the Content-Length that it has announced, the record says that the request is done and
// its response not kept. Informational responses (1xx) and trailers are not kept at all.
//
// # What handlers have to know
//
// The body of the request is read before the handler runs, and is there anew. A client that goes away takes nothing with
// it: the handler's context ends with its deadline, or when its record is lost, but not with the connection, and writes
// go on to succeed, into the record. The client then gets 409 until the handler is done, and after that the response.
//
// # Where to put it
//
// Outside of it goes what is about the sender, or about every single answer: authentication, so that nobody gets to a
// replay who might not have made the request; compression, so that what is kept suits every client; the fields of CORS;
// and [http.TimeoutHandler], which inside of it would give the key back while the handler goes on.
//
// Inside of it goes what reads the body, for what others have read is not compared, and what strips prefixes from paths,
// for requests that differ in them alone are not told apart otherwise. Limits go on either side: what answers with 429 or
// 503 inside of it gives the key back. A reverse proxy that gets a response without a Content-Length flushes it, and it is
// not kept.
package httpkey
