package dynamostore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/dynamostore"
	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// A table that is not there and a function that is not allowed to use it were taken for a store that is down: with FailOpen
// every call ran unprotected, for ever.
func TestRegression_AnAnswerThatDoesNotPassIsNoOutage(t *testing.T) {
	for code, passes := range map[string]bool{
		fakedynamo.Denied: false, "ValidationException": false, "UnrecognizedClientException": false,
		"ExpiredTokenException": false, "ResourceNotFoundException": false,
		fakedynamo.Throttled: true, fakedynamo.RequestLimit: true, fakedynamo.Internal: true, fakedynamo.Conflict: true,
		"ThrottlingException": true, "ReplicatedWriteConflictException": true, "ServiceUnavailable": true,
	} {
		t.Run(code, func(t *testing.T) {
			eachVerb(t, func(t *testing.T, fake *fakedynamo.Server, do func(context.Context) error) {
				fake.Fail("", fakedynamo.Fault{Code: code})
				if passes {
					fake.Fail("", fakedynamo.Fault{Code: code}, fakedynamo.Fault{Code: code})
				}
				err := do(t.Context())
				var api smithy.APIError
				if !errors.As(err, &api) || api.ErrorCode() != code || errors.Is(err, idempotency.ErrLost) || errors.Is(err, idempotency.ErrRejected) == passes {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestAnErrorSaysWhatIsToBeDone(t *testing.T) {
	s := dynamostore.New(client("http://dynamodb.invalid", &fakedynamo.Server{}), "nosuchtable")
	_, err := s.Claim(t.Context(), ask("key", "A"))
	if !errors.Is(err, idempotency.ErrRejected) || !strings.HasPrefix(err.Error(), "dynamostore: table nosuchtable: it is not there") {
		t.Errorf("got %v", err)
	}
	_, c := open(t, &fakedynamo.Server{}, optional.options...)
	_, err = dynamostore.New(c, tableName).Claim(t.Context(), ask("key", "A"))
	if !errors.Is(err, idempotency.ErrRejected) || !strings.Contains(err.Error(), "its key may be another") {
		t.Errorf("got %v", err)
	}
}

// Nobody answers: that passes.
func TestNoAnswerIsAnOutage(t *testing.T) {
	eachVerb(t, func(t *testing.T, fake *fakedynamo.Server, do func(context.Context) error) {
		for range 3 {
			fake.Fail("", fakedynamo.Fault{DropRequest: true})
		}
		if err := do(t.Context()); err == nil || errors.Is(err, idempotency.ErrRejected) {
			t.Errorf("got %v", err)
		}
	})
}

// With a long owner MaxData is too much, and that is no trouble that passes.
func TestACompletionThatIsTooLarge(t *testing.T) {
	onEach(t, func(t *testing.T, s *dynamostore.Store) {
		a := ask("key", strings.Repeat("A", 1000))
		win(t, s, a)
		limit := s.MaxData(a.Key)
		err := s.Complete(t.Context(), end(a, strings.Repeat("x", limit)))
		if !errors.Is(err, idempotency.ErrTooLarge) || errors.Is(err, idempotency.ErrRejected) || errors.Is(err, idempotency.ErrLost) {
			t.Errorf("got %v, want ErrTooLarge", err)
		}
		complete(t, s, end(a, strings.Repeat("x", limit-1000)))
	})
}

func onEach(t *testing.T, check func(t *testing.T, s *dynamostore.Store)) {
	t.Run("fakedynamo", func(t *testing.T) {
		s, _ := open(t, &fakedynamo.Server{})
		check(t, s)
	})
	t.Run("dynalite", func(t *testing.T) {
		s, _, _ := openServer(t, &lossy{})
		check(t, s)
	})
}
