package redisstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/seawall-go/seawall/idempotency"
)

// foreign reports whether err is that a key holds what is no record of this store. Redis before 7 has the word in the
// middle of what it says of a script.
func foreign(err error) bool { return isAnswer(err) && strings.Contains(err.Error(), "WRONGTYPE") }

func isAnswer(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}

// judged is err, marked as one that will not pass if the server has answered and is neither busy nor failing over: it asks
// for a password, forbids a script, or is no Redis that this store can use.
func judged(err error) error {
	if !isAnswer(err) {
		return err
	}
	for _, passing := range []string{
		"BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN",
		"max number of clients",
	} {
		if strings.Contains(err.Error(), passing) {
			return err
		}
	}
	return fmt.Errorf("redisstore: %w: %w", idempotency.ErrRejected, err)
}
