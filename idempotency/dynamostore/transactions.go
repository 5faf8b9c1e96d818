package dynamostore

import (
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seawall-go/seawall/idempotency"
)

var errSecond = errors.New("dynamostore: CompleteTx: another transaction of this call has completed its record: put all writes into one")

// A run is one owner's of one key.
type run struct{ key, owner string }

// transactions are those of one run, while its handler runs.
type transactions struct {
	mu        sync.Mutex
	sent      map[sum]idempotency.Completion // what may have gone through
	completed bool                           // whether one has,
	by        sum                            // this one; zero if it is not known which
}

func (s *Store) transactions(r run) *transactions {
	tx, _ := s.running.LoadOrStore(r, &transactions{sent: make(map[sum]idempotency.Completion)})
	return tx.(*transactions)
}

// settle forgets the transactions of r, whose handler has returned now. It reports whether one has completed the record:
// then there is nothing left to be written.
func (s *Store) settle(r run) bool {
	tx, ok := s.running.LoadAndDelete(r)
	return ok && tx.(*transactions).isCompleted()
}

func (t *transactions) isCompleted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.completed
}

// begin returns what the transaction is to complete: the same as before if it was sent before, so that the server knows it
// again. It reports whether it went through already.
func (t *transactions) begin(id sum, c idempotency.Completion) (_ idempotency.Completion, done bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch sent, again := t.sent[id]; {
	case t.completed && t.by == id:
		return c, true, nil
	case t.completed:
		return c, false, errSecond
	case again:
		return sent, false, nil
	}
	t.sent[id] = c
	return c, false, nil
}

// attribute says of a record that the run has completed that it is the transaction's doing, if that can be and no other
// was sent.
func (t *transactions) attribute(id sum, possible bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.completed && possible && len(t.sent) == 1 {
		t.by = id
	}
	t.completed = true
	if t.by == id {
		return nil
	}
	return errSecond
}

// ended notes what came of the transaction, and reports whether nothing is left of any: none has gone through, or may have.
func (t *transactions) ended(id sum, err error) bool {
	_, cancelled := errors.AsType[*types.TransactionCanceledException](err)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.completed, t.by = true, id
	case cancelled || !passes(err):
		delete(t.sent, id)
	}
	return !t.completed && len(t.sent) == 0
}
