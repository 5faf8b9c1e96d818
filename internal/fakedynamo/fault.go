package fakedynamo

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Codes of errors for a [Fault]. Any other code of DynamoDB's will do as well.
const (
	Throttled    = "ProvisionedThroughputExceededException"
	RequestLimit = "RequestLimitExceeded"
	Conflict     = "TransactionConflictException" // cancels a transaction, for the reason TransactionConflict
	Internal     = "InternalServerError"
	Denied       = "AccessDeniedException"
)

// A Fault is what goes wrong with one call. The zero Fault is nothing.
type Fault struct {
	Before      func()        // runs when the call comes, before it is looked at
	Delay       time.Duration // passes then, unless the caller goes away
	Code        string        // is the answer; the call is not carried out
	DropRequest bool          // closes the connection; the call is not carried out
	DropReply   bool          // closes the connection without an answer; the call is carried out
	After       func()        // runs when the call has been carried out, before its answer goes out
}

// Fail makes the next calls of an operation meet faults, each one of them. Faults wait in line until they are met; those
// of the operation "" are for calls of any.
func (s *Server) Fail(operation string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults == nil {
		s.faults = make(map[string][]Fault)
	}
	s.faults[operation] = append(s.faults[operation], faults...)
}

// arrive counts a call, and says what is to go wrong with it.
func (s *Server) arrive(op string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = make(map[string]int)
	}
	s.calls[op]++
	for _, of := range []string{op, ""} {
		if line := s.faults[of]; len(line) > 0 {
			s.faults[of] = line[1:]
			return line[0]
		}
	}
	return Fault{}
}

var errGone = errors.New("fakedynamo: the connection is closed")

// strike is the part of a fault that comes before a call is carried out, and keeps it from being so if it fails.
func (f Fault) strike(ctx context.Context, op string, body []byte) error {
	if f.Before != nil {
		f.Before()
	}
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return errGone
		}
	}
	switch {
	case f.DropRequest:
		return errGone
	case f.Code == Conflict && op == "TransactWriteItems":
		var in struct{ TransactItems []json.RawMessage }
		if err := json.Unmarshal(body, &in); err != nil {
			return err
		}
		reasons := make([]reason, max(len(in.TransactItems), 1))
		reasons[0] = reason{Code: "TransactionConflict", Message: "Transaction is ongoing for the item"}
		return cancelled(reasons)
	case f.Code != "":
		return &failure{code: f.Code, message: "fakedynamo was told to fail"}
	}
	return nil
}
