// Package idempotency lets a call run once, however often it is asked for.
package idempotency
