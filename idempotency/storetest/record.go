package storetest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

// same reports whether a store that should have want has got, as exactly as its instants are.
func (k *kit) same(got, want idempotency.Record) bool {
	if got.Key != want.Key || got.Status != want.Status || got.Owner != want.Owner || got.Attempt != want.Attempt ||
		got.Fingerprint != want.Fingerprint || got.Lease.IsZero() != want.Lease.IsZero() ||
		got.Result.Encoding != want.Result.Encoding || got.Result.Failed != want.Result.Failed ||
		!bytes.Equal(got.Result.Data, want.Result.Data) {
		return false
	}
	expires := want.Expires
	if k.WholeSeconds {
		expires = wholeSecond(expires)
	}
	near := time.Duration(0)
	if k.vague() {
		near = time.Minute
	}
	longer := got.Expires.Sub(expires)
	if want.Status == idempotency.InProgress {
		longer = min(longer, 0) // it may be kept for longer than it has to
	}
	return got.Lease.Sub(want.Lease).Abs() <= near && longer.Abs() <= near
}

// wholeSecond is t, rounded up.
func wholeSecond(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second) }

// show is r for people.
func show(r idempotency.Record) string {
	if r.Key == "" && r.Status == "" {
		return "none"
	}
	data := fmt.Sprintf("%.40q", r.Result.Data)
	if n := len(r.Result.Data); n > 40 {
		data = fmt.Sprintf("%s... of %d bytes", data, n)
	}
	return fmt.Sprintf("%.40q %s owner %q attempt %d fingerprint %.40q lease %s expires %s %s %s failed %t",
		r.Key, r.Status, r.Owner, r.Attempt, r.Fingerprint, clock(r.Lease), clock(r.Expires),
		r.Result.Encoding, data, r.Result.Failed)
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
