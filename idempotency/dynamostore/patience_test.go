package dynamostore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestConflicts(t *testing.T) {
	cancelled := func(codes ...string) error {
		err := &types.TransactionCanceledException{}
		for _, code := range codes {
			reason := types.CancellationReason{Code: &code}
			if code == "" {
				reason.Code = nil
			}
			err.CancellationReasons = append(err.CancellationReasons, reason)
		}
		return fmt.Errorf("operation error: %w", err)
	}
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"a write in a transaction's way":  {&types.TransactionConflictException{}, true},
		"a write in another Region's way": {&types.ReplicatedWriteConflictException{}, true},
		"a transaction in the way":        {cancelled("None", "TransactionConflict", ""), true},
		"a throttled transaction":         {cancelled("ThrottlingError", "None"), true},
		"a transaction without capacity":  {cancelled("ProvisionedThroughputExceeded"), true},
		"a condition":                     {cancelled("ConditionalCheckFailed", "None"), false},
		"a condition and a conflict":      {cancelled("TransactionConflict", "ConditionalCheckFailed"), false},
		"a write that makes no sense":     {cancelled("ValidationError"), false},
		"cancelled for no reason":         {cancelled("None"), false},
		"something else":                  {errors.New("something else"), false},
		"nothing":                         {nil, false},
	} {
		if got := conflicts(tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
