package dynamostore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/seawall-go/seawall/idempotency"
)

// judged is err, marked as one that will not pass if DynamoDB has answered and found fault with the request or with who
// sent it: no outage lets such a call run unprotected.
func (s *Store) judged(err error) error {
	if err == nil || passes(err) {
		return err
	}
	return fmt.Errorf("dynamostore: table %s: %s%w: %w", s.table, hint(err), idempotency.ErrRejected, err)
}

// passes reports whether err is of no answer, or of one that may be another a little later.
func passes(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok || api.ErrorFault() == smithy.FaultServer || conflicts(err) {
		return true
	}
	answer, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err)
	if ok && answer.HTTPStatusCode() >= 500 {
		return true
	}
	for _, word := range []string{"Throttl", "LimitExceeded", "ThroughputExceeded", "TooManyRequests", "SlowDown", "Timeout", "InProgress"} {
		if strings.Contains(api.ErrorCode(), word) {
			return true
		}
	}
	return false
}

// isTooLarge reports whether err is that an item would be larger than items can be. MaxData leaves room for all but an
// owner or a fingerprint that is longer than ours.
func isTooLarge(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && api.ErrorCode() == "ValidationException" && strings.Contains(api.ErrorMessage(), "exceeded the maximum allowed size")
}

// hint says what is to be done.
func hint(err error) string {
	api, _ := errors.AsType[smithy.APIError](err)
	switch api.ErrorCode() {
	case "ResourceNotFoundException":
		return "it is not there, or in another Region or account: "
	case "AccessDeniedException":
		return "allow dynamodb:GetItem, UpdateItem and DeleteItem: "
	case "ValidationException":
		return "its key may be another than \"id\", a string: see the options: "
	}
	return ""
}
