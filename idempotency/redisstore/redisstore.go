// Package redisstore keeps the records of package idempotency in Redis, 5 or newer, or Valkey.
//
// Each verb is one script that touches one key, so it is atomic, one round trip, and at home in a cluster. Time is the
// server's: its clock alone decides when a lease is over, and how far those of the callers are off does not matter.
// The scripts ask for the time before they write, which is what Redis before 5 refuses.
//
// A reply that is lost on its way does no harm. The client sends the script again by itself, see MaxRetries in
// [redis.Options], and the record shows that the first one was this owner's. Set ContextTimeoutEnabled there too, or a
// verb may wait for longer than its context.
//
// An answer that does not pass by itself, because a password is wrong or scripts are not allowed, is an error in which
// errors.Is finds [idempotency.ErrRejected], and FailOpen is not for it.
//
// A record is only as safe as the server keeps it. One that evicts keys when its memory is short, or loses its last
// second in a failover, has forgotten runs, which may then be made again: use maxmemory-policy noeviction, and
// persistence as the runs are worth.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seawall-go/seawall/idempotency"
)

// A Store is an [idempotency.Store] in Redis. Make one with [New].
type Store struct {
	client redis.Scripter
	prefix string

	claim, complete, release, extend, load *redis.Script
}

var _ idempotency.Store = (*Store)(nil)

// New makes a store in the Redis behind client: a [redis.Client], a [redis.ClusterClient], or another
// [redis.UniversalClient]. A record is a hash with the field names of Powertools for AWS Lambda, and its key is prefix
// followed by the record's key. Whatever else has such a key, a record of Powertools among it, which is a string, is left
// alone, and stands in the way.
func New(client redis.Scripter, prefix string) *Store {
	if client == nil {
		panic("redisstore: New needs a client: make one with redis.NewClient")
	}
	return &Store{
		client:   client,
		prefix:   prefix,
		claim:    redis.NewScript(claimScript),
		complete: redis.NewScript(completeScript),
		release:  redis.NewScript(releaseScript),
		extend:   redis.NewScript(extendScript),
		load:     redis.NewScript(loadScript),
	}
}

// Claim implements [idempotency.Store]. The instants in the record are told by the claimer's clock.
func (s *Store) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	now := c.Now.UnixMilli()
	deadOwner, deadAttempt := "", ""
	if c.TakeOver != nil {
		deadOwner, deadAttempt = c.TakeOver.Owner, strconv.FormatInt(c.TakeOver.Attempt, 10)
	}
	return record(c.Key, now, s.run(ctx, s.claim, c.Key, c.Owner, c.Fingerprint,
		c.Lease.UnixMilli()-now, c.Expires.UnixMilli()-now, c.Skew.Milliseconds(), deadOwner, deadAttempt))
}

// Complete implements [idempotency.Store].
func (s *Store) Complete(ctx context.Context, c idempotency.Completion) error {
	return lost(s.run(ctx, s.complete, c.Key, c.Owner, c.Fingerprint,
		away(c.Expires), string(c.Result.Encoding), c.Result.Failed, c.Result.Data))
}

// Release implements [idempotency.Store].
func (s *Store) Release(ctx context.Context, key, owner string) error {
	err := lost(s.run(ctx, s.release, key, owner))
	if errors.Is(err, idempotency.ErrLost) {
		return nil
	}
	return err
}

// Extend implements [idempotency.Store].
func (s *Store) Extend(ctx context.Context, key, owner string, lease time.Time) error {
	return lost(s.run(ctx, s.extend, key, owner, away(lease)))
}

// Load implements [idempotency.Store]. The instants in the record are told by the clock of this process.
func (s *Store) Load(ctx context.Context, key string) (idempotency.Record, error) {
	now := time.Now().UnixMilli()
	r, err := record(key, now, s.run(ctx, s.load, key))
	if r.Status == idempotency.Completed && !r.Expires.IsZero() && r.Expires.UnixMilli() < now {
		return idempotency.Record{}, nil
	}
	return r, err
}

// MaxData implements [idempotency.Store]. There is no limit worth naming.
func (*Store) MaxData(string) int { return 0 }

func (s *Store) run(ctx context.Context, script *redis.Script, key string, args ...any) *redis.Cmd {
	if err := ctx.Err(); err != nil {
		return redis.NewCmdResult(nil, err)
	}
	return script.Run(ctx, s.client, []string{s.prefix + key}, args...)
}

// lost is the error of a verb that replies whether it was its owner's.
func lost(reply *redis.Cmd) error {
	mine, err := reply.Bool()
	if err == nil && !mine || foreign(err) {
		return idempotency.ErrLost
	}
	return judged(err)
}

// away is how many milliseconds it is to t. Instants go to the server and come back by how far they are away, for there
// the clocks agree.
func away(t time.Time) int64 { return t.UnixMilli() - time.Now().UnixMilli() }

// record reads the reply of a script that was sent at now. What makes no sense is a record with a status that nobody knows,
// which stands in the way and stays as it is.
func record(key string, now int64, cmd *redis.Cmd) (idempotency.Record, error) {
	reply, err := cmd.Slice()
	switch {
	case foreign(err):
		return idempotency.Record{Key: key, Status: "none: it is no hash"}, nil
	case err != nil:
		return idempotency.Record{}, judged(err)
	case len(reply) != replyLen:
		return idempotency.Record{}, fmt.Errorf("redisstore: a script replied with %d values instead of %d: %w", len(reply), replyLen, idempotency.ErrRejected)
	case reply[exists] == int64(0):
		return idempotency.Record{}, nil
	}
	there, _ := reply[theTime].(int64)
	f := fieldReader{reply: reply, clocks: now - there}
	r := idempotency.Record{
		Key:         key,
		Status:      idempotency.Status(f.text(status)),
		Owner:       f.text(owner),
		Attempt:     f.number(attempt, 1),
		Fingerprint: f.text(validation),
		Lease:       f.instant(lease, 1),
		Expires:     f.instant(expires, 1000),
		Result: idempotency.Result{
			Encoding: idempotency.Encoding(f.text(encoding)),
			Data:     []byte(f.text(data)),
			Failed:   f.text(failed) == "1",
		},
	}
	switch {
	case f.err != nil:
		r.Status = idempotency.Status("none: " + f.err.Error())
	case r.Status == "":
		r.Status = "none"
	}
	return r, nil
}

// A fieldReader reads fields that may be missing, and keeps the first error.
type fieldReader struct {
	reply  []any
	clocks int64 // by how many milliseconds the clock here is ahead
	err    error
}

func (f *fieldReader) text(field int) string {
	s, _ := f.reply[field].(string)
	return s
}

func (f *fieldReader) number(field int, unit float64) int64 {
	if f.reply[field] == nil {
		return 0
	}
	n, err := strconv.ParseFloat(f.text(field), 64)
	if err == nil && math.Abs(n) < 1e15 { // not so of what is not a number
		return int64(math.Round(n * unit))
	}
	if f.err == nil {
		f.err = fmt.Errorf("%.40q is where a number has to be", f.text(field))
	}
	return 0
}

func (f *fieldReader) instant(field int, unit float64) time.Time {
	if f.reply[field] == nil {
		return time.Time{}
	}
	return time.UnixMilli(f.number(field, unit) + f.clocks)
}
