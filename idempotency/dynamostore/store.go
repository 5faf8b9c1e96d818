// Package dynamostore keeps the records of package idempotency in a DynamoDB table.
//
//	once := idempotency.Config{Store: dynamostore.New(dynamodb.NewFromConfig(cfg), "idempotency"), Scope: "orders"}
//
// The table has a partition key "id", a string, and "expiration" as its time to live; it can hold other things as well.
// The README of the package has it in CloudFormation, SAM and Terraform, with the permissions that a function needs, and
// [CreateTable] makes one for development.
//
// A claim is one write, and so is its completion; a replay is one refused write, or one read if this process has seen the
// key completed before. DynamoDB bills a refused write by the size of the record that refuses it, and a strong read at a
// twentieth of that.
//
// Attributes are called, and times and statuses written, as by Powertools for AWS Lambda, whose records in Python, Java
// and .NET are read where keys are the same: see the RawKey of an idempotency.Config, whose Scope is then the prefix. Two
// libraries must not share a key while both are running it, for Powertools overwrites what it does not own.
//
// An answer that finds fault with a request or with who sent it, because there is no such table or its use is not allowed,
// is an error in which errors.Is finds [idempotency.ErrRejected]: it does not pass, and FailOpen is not for it.
//
// With global tables all callers of a key have to be in one Region: elsewhere its record is seen too late.
package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seawall-go/seawall/idempotency"
)

// A Client is what a Store calls. A *dynamodb.Client is one. Throttles, conflicts with transactions and failures of the
// server are for its retryer, which ends with the context; whatever comes out of that is not taken for an answer about
// the record.
type Client interface {
	GetItem(ctx context.Context, in *dynamodb.GetItemInput, options ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, options ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, options ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, options ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// A Store is an [idempotency.Store] in a DynamoDB table. Callers' clocks decide when leases and results are over: see the
// Skew of an idempotency.Config. Results expire to the second, rounded up.
type Store struct {
	layout

	client  Client
	table   string
	done    memory
	running sync.Map // by run: its transactions
}

// New returns a Store in table. The table is not touched before the first call.
func New(client Client, table string, options ...Option) *Store {
	if client == nil {
		panic("dynamostore: New: the client is nil: pass a *dynamodb.Client")
	}
	if table == "" {
		panic("dynamostore: New: the table has no name: pass the one that the stack gave it")
	}
	return &Store{layout: newLayout("New", options), client: client, table: table, done: newMemory()}
}

const maxClaims = 3

// Claim implements [idempotency.Store].
func (s *Store) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	read := s.done.has(c.Key, c.Now)
	for range maxClaims {
		var r idempotency.Record
		var err error
		if read {
			r, err = s.read(ctx, c.Key)
		} else {
			r, err = s.take(ctx, c)
		}
		switch {
		case err != nil:
			return idempotency.Record{}, err
		case r.Owner == c.Owner && r.Status == idempotency.InProgress:
			r, err = s.reach(ctx, r, c.Lease)
			if !errors.Is(err, idempotency.ErrLost) {
				return r, err
			}
		case !free(r, c):
			if r.Status == idempotency.Completed {
				s.done.add(c.Key, r.Expires)
			}
			return r, nil
		}
		read = false
	}
	return idempotency.Record{}, nil // it changes hands each time one looks
}

// free reports whether r makes way for c, as the condition of take does.
func free(r idempotency.Record, c idempotency.Claim) bool {
	switch {
	case r.Status == "":
		return true
	case r.Owner == c.Owner:
		return false
	case r.Status == idempotency.Completed:
		return over(r.Expires, c.Now)
	case r.Status != idempotency.InProgress || c.TakeOver == nil || *c.TakeOver != r.Run():
		return false
	case r.Lease.IsZero():
		return over(r.Expires, c.Now.Add(-c.Skew))
	}
	return over(r.Lease, c.Now.Add(-c.Skew))
}

// over reports whether an instant that a record names, if it names it, is before now.
func over(t, now time.Time) bool { return !t.IsZero() && t.Before(milli(now)) }

// take writes c's record if the key is free, and returns the record that is there then.
func (s *Store) take(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	lease := milli(c.Lease)
	r := idempotency.Record{
		Key:         c.Key,
		Status:      idempotency.InProgress,
		Owner:       c.Owner,
		Fingerprint: c.Fingerprint,
		Lease:       lease,
		Expires:     later(wholeSecond(c.Expires), wholeSecond(lease)),
	}
	e := newExpression()
	gone := "attribute_not_exists(" + e.name(s.names.Key) + ")"
	status, owner := e.name(s.names.Status), e.name(s.names.Owner)
	expires, until := e.name(s.names.Expires), e.name(s.names.Lease)
	inProgress, me := e.text(string(idempotency.InProgress)), e.text(c.Owner)

	e.condition = gone + " OR NOT " + owner + " = " + me +
		" AND (" + status + " = " + e.text(string(idempotency.Completed)) + " AND " + expires + " < " + e.number(seconds(c.Now))
	attempt := e.name(s.names.Attempt)
	if c.TakeOver != nil {
		dead := c.Now.Add(-c.Skew)
		e.condition += " OR " + status + " = " + inProgress + " AND " + isRun(e, owner, attempt, *c.TakeOver) +
			" AND (" + until + " < " + e.number(millis(dead)) +
			" OR attribute_not_exists(" + until + ") AND " + expires + " < " + e.number(seconds(dead)) + ")"
	}
	e.condition += ")"

	e.set(status, inProgress)
	e.set(owner, me)
	e.set(until, e.number(millis(r.Lease)))
	e.set(expires, e.number(seconds(r.Expires)))
	e.set(attempt, "if_not_exists("+attempt+", "+e.number("0")+") + "+e.number("1"))
	e.setOrRemove(e.name(s.names.Fingerprint), c.Fingerprint)
	e.remove(e.name(s.names.Data))
	e.remove(e.name(s.names.Encoding))
	e.remove(e.name(s.names.Failed))

	out, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                           &s.table,
		Key:                                 s.key(c.Key),
		UpdateExpression:                    e.update(),
		ConditionExpression:                 &e.condition,
		ExpressionAttributeNames:            e.names,
		ExpressionAttributeValues:           e.values,
		ReturnValues:                        types.ReturnValueUpdatedNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, patiently)
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return s.old(ctx, c.Key, refused.Item)
	}
	if err != nil {
		return idempotency.Record{}, s.judged(err)
	}
	r.Attempt, err = s.count(out.Attributes)
	return r, err
}

// isRun is the condition that the run of a record is r. What a record does not have, it does not have in the condition.
func isRun(e *expression, owner, attempt string, r idempotency.Run) string {
	byOwner, byAttempt := "attribute_not_exists("+owner+")", "attribute_not_exists("+attempt+")"
	if r.Owner != "" {
		byOwner = owner + " = " + e.text(r.Owner)
	}
	if r.Attempt != 0 {
		byAttempt = attempt + " = " + e.number(strconv.FormatInt(r.Attempt, 10))
	}
	return byOwner + " AND " + byAttempt
}

// reach moves the lease of r, which its owner claims again, to lease if it would end before.
func (s *Store) reach(ctx context.Context, r idempotency.Record, lease time.Time) (idempotency.Record, error) {
	if lease = milli(lease); !r.Lease.Before(lease) {
		return r, nil
	}
	err := s.Extend(ctx, r.Key, r.Owner, lease)
	r.Lease, r.Expires = lease, later(r.Expires, wholeSecond(lease))
	return r, err
}

// old is the record that refused a write, or what there is now if the server does not say.
func (s *Store) old(ctx context.Context, key string, item map[string]types.AttributeValue) (idempotency.Record, error) {
	if item == nil {
		return s.read(ctx, key)
	}
	return s.decode(key, item), nil
}

func (s *Store) read(ctx context.Context, key string) (idempotency.Record, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      &s.table,
		Key:            s.key(key),
		ConsistentRead: new(true),
	}, patiently)
	if err != nil || out.Item == nil {
		return idempotency.Record{}, s.judged(err)
	}
	return s.decode(key, out.Item), nil
}

// Complete implements [idempotency.Store].
func (s *Store) Complete(ctx context.Context, c idempotency.Completion) error {
	if s.settle(run{c.Key, c.Owner}) {
		return nil
	}
	e := s.completion(c)
	_, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                           &s.table,
		Key:                                 s.key(c.Key),
		UpdateExpression:                    e.update(),
		ConditionExpression:                 &e.condition,
		ExpressionAttributeNames:            e.names,
		ExpressionAttributeValues:           e.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, patiently)
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return s.completed(ctx, c, refused.Item)
	}
	if isTooLarge(err) {
		return fmt.Errorf("dynamostore: %w: %w", idempotency.ErrTooLarge, err)
	}
	if err == nil {
		s.done.add(c.Key, c.Expires)
	}
	return s.judged(err)
}

// completion is the write that completes a record.
func (s *Store) completion(c idempotency.Completion) *expression {
	e := newExpression()
	s.ownedBy(e, c.Owner)
	e.set(e.name(s.names.Status), e.text(string(idempotency.Completed)))
	e.set(e.name(s.names.Expires), e.number(seconds(wholeSecond(c.Expires))))
	e.set(e.name(s.names.Encoding), e.text(string(c.Result.Encoding)))
	e.setOrRemove(e.name(s.names.Fingerprint), c.Fingerprint)
	if c.Result.Data != nil {
		e.set(e.name(s.names.Data), e.value(data(c.Result)))
	}
	if c.Result.Failed {
		e.set(e.name(s.names.Failed), e.value(&types.AttributeValueMemberBOOL{Value: true}))
	}
	e.remove(e.name(s.names.Lease))
	return e
}

// completed is nil if the record that refused a completion is what the same completion left before.
func (s *Store) completed(ctx context.Context, c idempotency.Completion, item map[string]types.AttributeValue) error {
	r, err := s.old(ctx, c.Key, item)
	if err == nil && (r.Owner != c.Owner || r.Status != idempotency.Completed) {
		err = idempotency.ErrLost
	}
	return err
}

// ownedBy makes it the condition of e that owner is running.
func (s *Store) ownedBy(e *expression, owner string) {
	e.condition = e.name(s.names.Owner) + " = " + e.text(owner) + " AND " + e.name(s.names.Status) + " = " + e.text(string(idempotency.InProgress))
}

// Release implements [idempotency.Store].
func (s *Store) Release(ctx context.Context, key, owner string) error {
	if s.settle(run{key, owner}) {
		return nil
	}
	e := newExpression()
	s.ownedBy(e, owner)
	_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                 &s.table,
		Key:                       s.key(key),
		ConditionExpression:       &e.condition,
		ExpressionAttributeNames:  e.names,
		ExpressionAttributeValues: e.values,
	}, patiently)
	if _, refused := errors.AsType[*types.ConditionalCheckFailedException](err); refused {
		return nil
	}
	return s.judged(err)
}

// Extend implements [idempotency.Store]. It is one write, and a second one if the record would expire before its lease.
func (s *Store) Extend(ctx context.Context, key, owner string, lease time.Time) error {
	if lease.Before(time.Now()) && s.settle(run{key, owner}) {
		return nil // it is over, and completed
	}
	tx, transacts := s.running.Load(run{key, owner})
	if transacts && tx.(*transactions).isCompleted() {
		return nil
	}
	err := s.extend(ctx, key, owner, milli(lease), false)
	if errors.Is(err, idempotency.ErrLost) {
		err = s.extend(ctx, key, owner, milli(lease), true)
	}
	if transacts && errors.Is(err, idempotency.ErrLost) {
		return s.lost(ctx, run{key, owner})
	}
	return err
}

// lost is the error for a run that is not in progress, which is none if its transaction has completed it.
func (s *Store) lost(ctx context.Context, of run) error {
	r, err := s.read(ctx, of.key)
	if err == nil && (r.Owner != of.owner || r.Status != idempotency.Completed) {
		s.running.Delete(of)
		err = idempotency.ErrLost
	}
	return err
}

// extend moves the lease of a record that expires after it or, if it is early, of one that expires before it.
func (s *Store) extend(ctx context.Context, key, owner string, lease time.Time, early bool) error {
	e := newExpression()
	s.ownedBy(e, owner)
	expires, least := e.name(s.names.Expires), e.number(seconds(wholeSecond(lease)))
	e.set(e.name(s.names.Lease), e.number(millis(lease)))
	if early {
		e.condition += " AND " + expires + " < " + least
		e.set(expires, least)
	} else {
		e.condition += " AND " + expires + " >= " + least
	}
	_, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 &s.table,
		Key:                       s.key(key),
		UpdateExpression:          e.update(),
		ConditionExpression:       &e.condition,
		ExpressionAttributeNames:  e.names,
		ExpressionAttributeValues: e.values,
	}, patiently)
	if _, refused := errors.AsType[*types.ConditionalCheckFailedException](err); refused {
		return idempotency.ErrLost
	}
	return s.judged(err)
}

// Load implements [idempotency.Store]. It is a strong read.
func (s *Store) Load(ctx context.Context, key string) (idempotency.Record, error) {
	r, err := s.read(ctx, key)
	if r.Status == idempotency.Completed && over(r.Expires, time.Now()) {
		return idempotency.Record{}, err
	}
	return r, err
}

// MaxData implements [idempotency.Store]: what a record of 400 KB can hold besides the names of its attributes and all
// that may be in them, with an owner and a fingerprint of 64 bytes each, in the longest case.
func (s *Store) MaxData(key string) int {
	n := s.names
	names := len(n.Key) + len(n.Status) + len(n.Expires) + len(n.Data) + len(n.Fingerprint) +
		len(n.Owner) + len(n.Attempt) + len(n.Encoding) + len(n.Failed) + len(s.sort)
	const (
		maxItem = 400 << 10
		expires = 7  // of a year before 10000
		attempt = 11 // of an int64
		failed  = 1
	)
	values := len(key) + len(s.partition) + len(idempotency.Completed) + expires + 64 + 64 + attempt + len(idempotency.NotKept) + failed
	return max(maxItem-names-values, 1)
}
