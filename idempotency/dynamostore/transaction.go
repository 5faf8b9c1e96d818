package dynamostore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seawall-go/seawall/idempotency"
)

// CompleteTx makes the writes of a handler, and completes the record of its call with the result that the handler is
// about to return, in one transaction: either all of it happens, or nothing. ctx is the handler's; writes are as for
// TransactWriteItems, 99 at most, on any tables; s is the Store of the call's Config.
//
// The error is [idempotency.ErrLost] if another run has taken the key over meanwhile; nothing was written then, and the
// handler returns that error. If it is a *types.TransactionCanceledException, its reasons are those of writes, in their
// order and with one more at the end, and again nothing was written; the handler may go on. With any other error it is
// not known whether the transaction went through: calling again with the same writes and result finds out, and does it
// if it did not. One call of the handler has one transaction: once it went through, another one is an error, and writes
// nothing.
//
// A call that runs unprotected, as when idempotency is disabled, has no record to complete: there, and in a context of
// no call at all, the writes are made alone.
func (s *Store) CompleteTx(ctx context.Context, result any, writes ...types.TransactWriteItem) error {
	if _, protected := idempotency.Token(ctx); !protected {
		if len(writes) == 0 {
			return nil
		}
		_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes}, patiently)
		return err
	}
	c, err := idempotency.CompletionOf(ctx, result)
	if err != nil {
		return err
	}
	r, id := run{c.Key, c.Owner}, sumOf(c.Result, writes)
	tx := s.transactions(r)
	c, done, err := tx.begin(id, c)
	if done || err != nil {
		return err
	}
	err = s.transact(ctx, tx, id, c, writes, new(s.token(r)))
	if errors.Is(err, idempotency.ErrLost) || tx.ended(id, err) {
		s.running.CompareAndDelete(r, tx)
	}
	if err == nil {
		s.done.add(c.Key, c.Expires)
	}
	return err
}

// token makes one transaction of all that a run sends. An owner may have other runs, of other keys.
func (s *Store) token(r run) string {
	sum := sha256.Sum256([]byte(idempotency.Join(s.table, r.key, r.owner)))
	return hex.EncodeToString(sum[:16])
}

func (s *Store) transact(ctx context.Context, tx *transactions, id sum, c idempotency.Completion, writes []types.TransactWriteItem, token *string) error {
	e := s.completion(c)
	_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: append(slices.Clip(writes), types.TransactWriteItem{Update: &types.Update{
			TableName:                           &s.table,
			Key:                                 s.key(c.Key),
			UpdateExpression:                    e.update(),
			ConditionExpression:                 &e.condition,
			ExpressionAttributeNames:            e.names,
			ExpressionAttributeValues:           e.values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}}),
		ClientRequestToken: token,
	}, patiently)

	var item map[string]types.AttributeValue
	cancelled, isCancelled := errors.AsType[*types.TransactionCanceledException](err)
	_, isOther := errors.AsType[*types.IdempotentParameterMismatchException](err)
	switch {
	case isCancelled && len(cancelled.CancellationReasons) == len(writes)+1:
		ours := cancelled.CancellationReasons[len(writes)]
		if deref(ours.Code) != "ConditionalCheckFailed" {
			return err
		}
		item = ours.Item
	case !isOther:
		return err
	}

	r, problem := s.old(ctx, c.Key, item)
	switch {
	case problem != nil:
		return problem
	case r.Owner != c.Owner:
		return idempotency.ErrLost
	case r.Status == idempotency.Completed:
		same := r.Result.Failed == c.Result.Failed && bytes.Equal(r.Result.Data, c.Result.Data)
		return tx.attribute(id, same)
	case r.Status == idempotency.InProgress && token != nil:
		return s.transact(ctx, tx, id, c, writes, nil) // the token is that of one that was cancelled
	}
	return err
}
