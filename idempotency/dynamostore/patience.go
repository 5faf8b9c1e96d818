package dynamostore

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// patiently lets the client's retryer also retry what stands in the way for a moment only, within its own bounds.
func patiently(o *dynamodb.Options) {
	if r, ok := o.Retryer.(aws.RetryerV2); ok {
		o.Retryer = patient{r}
	}
}

type patient struct{ aws.RetryerV2 }

func (p patient) IsErrorRetryable(err error) bool {
	return conflicts(err) || p.RetryerV2.IsErrorRetryable(err)
}

// conflicts reports whether err is that somebody else was writing the same items.
func conflicts(err error) bool {
	if _, ok := errors.AsType[*types.TransactionConflictException](err); ok {
		return true
	}
	if _, ok := errors.AsType[*types.ReplicatedWriteConflictException](err); ok {
		return true
	}
	cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return false
	}
	passing := false
	for _, reason := range cancelled.CancellationReasons {
		switch deref(reason.Code) {
		case "", "None":
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			passing = true
		default:
			return false
		}
	}
	return passing
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
