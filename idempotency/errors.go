package idempotency

import "errors"

// ErrLost is what a [Store] returns to a caller that does not own the record: its lease was over and another took the
// key over, or the record is gone.
var ErrLost = errors.New("idempotency: the record has another owner")
