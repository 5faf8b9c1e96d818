package fakedynamo

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// A receipt is what is remembered of a transaction for ten minutes.
type receipt struct {
	digest [sha256.Size]byte
	until  time.Time
	reads  float64
}

const tokenLife = 10 * time.Minute

// A reason is why one action of a transaction did not go through. The zero reason is None.
type reason struct {
	Code    string
	Message string `json:",omitempty"`
	Item    item   `json:",omitempty"`
}

type transactWriteItemsInput struct {
	TransactItems []struct {
		ConditionCheck, Put, Update, Delete *write
	}
	ClientRequestToken          string
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string
}

func (s *Server) transactWriteItems(in transactWriteItemsInput) (any, error) {
	if n := len(in.TransactItems); n < 1 || n > 100 {
		return nil, invalid("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length between 1 and 100")
	}
	if len(in.ClientRequestToken) > 36 {
		return nil, invalid("1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to 36")
	}
	plans, err := s.plans(in)
	if err != nil {
		return nil, err
	}
	digest, err := in.digest()
	if err != nil {
		return nil, err
	}
	if seen, ok := s.tokens[in.ClientRequestToken]; ok && in.ClientRequestToken != "" && time.Now().Before(seen.until) {
		if seen.digest != digest {
			return nil, &failure{code: "IdempotentParameterMismatchException", message: "The token belongs to a transaction with other parameters"}
		}
		s.reads += seen.reads
		return struct{}{}, nil
	}

	updated := make([]item, len(plans))
	reasons := make([]reason, len(plans))
	refused := false
	seen := receipt{digest: digest, until: time.Now().Add(tokenLife)}
	for n, pl := range plans {
		updated[n], err = pl.judge(s)
		if err != nil {
			refused = true
			f := asFailure(err)
			reasons[n] = reason{strings.TrimSuffix(strings.Replace(f.code, validation, "ValidationError", 1), "Exception"), f.message, f.old}
		}
		s.writes += 2 * pl.units(updated[n])
		seen.reads += 2 * max(float64((updated[n].size()+4095)/4096), 1)
	}
	if refused {
		return nil, cancelled(reasons)
	}
	for n, pl := range plans {
		pl.apply(updated[n])
	}
	if s.tokens == nil {
		s.tokens = make(map[string]receipt)
	}
	s.tokens[in.ClientRequestToken] = seen
	return struct{}{}, nil
}

func (s *Server) plans(in transactWriteItemsInput) (plans []*plan, err error) {
	taken := make(map[string]bool)
	for _, action := range in.TransactItems {
		var pl *plan
		for kind, w := range map[string]*write{"ConditionCheck": action.ConditionCheck, "Put": action.Put, "Update": action.Update, "Delete": action.Delete} {
			switch {
			case w == nil:
				continue
			case pl != nil:
				return nil, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
			}
			if pl, err = w.plan(kind); err != nil {
				return nil, err
			}
		}
		if pl == nil {
			return nil, invalid("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")
		}
		s.needs(pl.kind + "Item")
		if err := pl.locate(s); err != nil {
			return nil, err
		}
		at := pl.write.TableName + "/" + pl.key
		if taken[at] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		taken[at] = true
		plans = append(plans, pl)
	}
	return plans, nil
}

// digest tells transactions apart that have one token.
func (in transactWriteItemsInput) digest() ([sha256.Size]byte, error) {
	text, err := encode(in.TransactItems)
	return sha256.Sum256(text), err
}

func cancelled(reasons []reason) *failure {
	codes := make([]string, len(reasons))
	for n := range reasons {
		if reasons[n].Code == "" {
			reasons[n].Code = "None"
		}
		codes[n] = reasons[n].Code
	}
	return &failure{
		code:    "TransactionCanceledException",
		message: fmt.Sprintf("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", ")),
		reasons: reasons,
	}
}
