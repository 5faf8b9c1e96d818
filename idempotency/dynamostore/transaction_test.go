package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/dynamostore"
	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// A till is a handler that charges in a transaction. Its balance lies in the table beside the records.
type till struct {
	*testing.T

	fake  *fakedynamo.Server
	store *dynamostore.Store
	c     *dynamodb.Client
	once  idempotency.Config
	runs  int
	tx    func(ctx context.Context) error // instead of the default
	after func()                          // of the transaction, within the handler
}

func tills(t *testing.T, f func(*till)) {
	for name, hide := range map[string]bool{"with the old item": false, "without the old item": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &till{T: t, fake: &fakedynamo.Server{HideOld: hide}}
				l.store, l.c = open(t, l.fake)
				l.once = idempotency.Config{Store: l.store, Scope: "orders", Lease: time.Minute}
				f(l)
			})
		})
	}
}

// works is a handler at work for some time of the bubble.
func (l *till) works(d time.Duration) { time.Sleep(d) }

var charge = types.TransactWriteItem{Update: &types.Update{
	TableName:                 new(tableName),
	Key:                       plain.at("balance"),
	UpdateExpression:          new("ADD charged :one"),
	ExpressionAttributeValues: map[string]types.AttributeValue{":one": num(1)},
}}

// receipt is a write that is there or not.
func receipt(condition *string) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName:           new(tableName),
		Item:                plain.at("receipt"),
		ConditionExpression: condition,
	}}
}

// pay makes the call.
func (l *till) pay() (string, error) {
	return idempotency.Do(l.Context(), l.once, "key", func(ctx context.Context) (string, error) {
		l.runs++
		tx := l.tx
		if tx == nil {
			tx = func(ctx context.Context) error { return l.store.CompleteTx(ctx, "charged", charge, receipt(nil)) }
		}
		if err := tx(ctx); err != nil {
			return "", err
		}
		if l.after != nil {
			l.after()
		}
		return "charged", nil
	})
}

func (l *till) charged(want int64) {
	l.Helper()
	got := "0"
	if item := raw(l, l.c, "balance"); item != nil {
		got = item["charged"].(*types.AttributeValueMemberN).Value
	}
	if got != fmt.Sprint(want) {
		l.Errorf("charged %s times, want %d", got, want)
	}
}

func (l *till) paid(wantRuns int) {
	l.Helper()
	if got, err := l.pay(); got != "charged" || err != nil || l.runs != wantRuns {
		l.Errorf("got %q, %v after %d runs, want %q after %d", got, err, l.runs, "charged", wantRuns)
	}
}

func TestATransactionCompletesTheRecord(t *testing.T) {
	tills(t, func(l *till) {
		before := l.fake.Calls()
		l.paid(1)
		if got := l.fake.Calls() - before; got != 2 {
			l.Errorf("%d round trips, want 2: the claim and the transaction", got)
		}
		reads := l.fake.Calls("GetItem")
		l.paid(1)
		if got := l.fake.Calls("GetItem") - reads; got != 1 {
			l.Errorf("%d reads, want 1: the key is known to be completed", got)
		}
		l.charged(1)
		if got := l.fake.Len(tableName); got != 3 {
			l.Errorf("%d items, want 3", got)
		}
	})
}

// A worker was paused past its lease, another took over and completed, and the first one comes back to charge.
func TestRegression_AStaleOwnerChargesNothing(t *testing.T) {
	tills(t, func(l *till) {
		l.tx = func(ctx context.Context) error {
			l.tx = nil
			token, _ := idempotency.Token(ctx)
			b := follow(token, "B")
			b.Now = b.Now.Add(time.Hour) // a clock that is wrong
			win(l, l.store, b)
			return l.store.CompleteTx(ctx, "charged", charge, receipt(nil))
		}
		if got, err := l.pay(); !errors.Is(err, idempotency.ErrLost) || got != "" {
			l.Errorf("got %q, %v; want ErrLost", got, err)
		}
		l.charged(0)
		if raw(l, l.c, "receipt") != nil {
			l.Error("a receipt was written")
		}
	})
}

func TestRegression_ASweptRecordChargesNothing(t *testing.T) {
	tills(t, func(l *till) {
		l.tx = func(ctx context.Context) error {
			token, _ := idempotency.Token(ctx)
			if _, err := l.c.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: new(tableName), Key: plain.at(token.Key)}); err != nil {
				l.Error(err)
			}
			return l.store.CompleteTx(ctx, "charged", charge)
		}
		if _, err := l.pay(); !errors.Is(err, idempotency.ErrLost) {
			l.Errorf("got %v, want ErrLost", err)
		}
		l.charged(0)
	})
}

// The transaction went through, its reply did not come through.
func TestRegression_ATransactionWhoseReplyIsLostChargesOnce(t *testing.T) {
	lost := fakedynamo.Fault{DropReply: true}
	t.Run("the SDK sends it again", func(t *testing.T) {
		tills(t, func(l *till) {
			l.fake.Fail("TransactWriteItems", lost, lost)
			l.paid(1)
			l.paid(1)
			l.charged(1)
		})
	})
	for name, pause := range map[string]time.Duration{"the handler calls again": 0, "the handler calls again, too late for the token": 11 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			tills(t, func(l *till) {
				l.once.Lease = time.Hour
				l.fake.Fail("TransactWriteItems", lost, lost, lost)
				l.tx = func(ctx context.Context) error {
					if err := l.store.CompleteTx(ctx, "charged", charge); err == nil {
						t.Error("the reply was not lost")
					}
					time.Sleep(pause)
					return l.store.CompleteTx(ctx, "charged", charge)
				}
				l.paid(1)
				l.paid(1)
				l.charged(1)
			})
		})
	}
	t.Run("the handler gives up", func(t *testing.T) {
		tills(t, func(l *till) {
			l.fake.Fail("TransactWriteItems", lost, lost, lost)
			if _, err := l.pay(); err == nil {
				t.Error("the reply was not lost")
			}
			l.paid(1) // the next call gets what was charged
			l.charged(1)
		})
	})
	t.Run("the handler calls again with something else", func(t *testing.T) {
		tills(t, func(l *till) {
			l.fake.Fail("TransactWriteItems", lost, lost, lost)
			l.tx = func(ctx context.Context) error {
				if err := l.store.CompleteTx(ctx, "charged", charge); err == nil {
					t.Error("the reply was not lost")
				}
				return l.store.CompleteTx(ctx, "sold out", receipt(nil))
			}
			if got, err := l.pay(); err == nil || errors.Is(err, idempotency.ErrLost) {
				t.Errorf("got %q, %v; want to hear that the transaction was another", got, err)
			}
			if raw(l, l.c, "receipt") != nil {
				t.Error("both went through")
			}
			l.paid(1)
			l.charged(1)
		})
	})
}

// Each of two transactions reported success, and the writes of the second were dropped.
func TestRegression_ASecondTransactionIsAnError(t *testing.T) {
	second := func(l *till, err error) {
		l.Helper()
		if err == nil || errors.Is(err, idempotency.ErrLost) || !strings.Contains(err.Error(), "put all writes into one") {
			l.Errorf("the second transaction: %v, want to hear that there can be one", err)
		}
		if raw(l, l.c, "receipt") != nil {
			l.Error("the receipt was written")
		}
	}
	lost := fakedynamo.Fault{DropReply: true}
	for name, twice := range map[string]func(l *till, ctx context.Context) error{
		"with other writes": func(l *till, ctx context.Context) error {
			if err := l.store.CompleteTx(ctx, "charged", charge); err != nil {
				return err
			}
			before := l.fake.Calls("TransactWriteItems")
			second(l, l.store.CompleteTx(ctx, "charged", receipt(nil)))
			if got := l.fake.Calls("TransactWriteItems") - before; got != 0 {
				l.Errorf("%d requests, want none: it is known", got)
			}
			return l.store.CompleteTx(ctx, "charged", charge) // the first one, again
		},
		"with other writes, after a lost reply": func(l *till, ctx context.Context) error {
			l.fake.Fail("TransactWriteItems", lost, lost, lost)
			if err := l.store.CompleteTx(ctx, "charged", charge); err == nil {
				l.Error("the reply was not lost")
			}
			second(l, l.store.CompleteTx(ctx, "charged", receipt(nil)))
			return nil
		},
		"with other writes, long after a lost reply": func(l *till, ctx context.Context) error {
			l.fake.Fail("TransactWriteItems", lost, lost, lost)
			if err := l.store.CompleteTx(ctx, "charged", charge); err == nil {
				l.Error("the reply was not lost")
			}
			time.Sleep(11 * time.Minute)
			second(l, l.store.CompleteTx(ctx, "charged", receipt(nil)))
			return nil
		},
		"with no writes": func(l *till, ctx context.Context) error {
			if err := l.store.CompleteTx(ctx, "charged", charge); err != nil {
				return err
			}
			second(l, l.store.CompleteTx(ctx, "charged"))
			return nil
		},
		"with writes of the same names and other values": func(l *till, ctx context.Context) error {
			values := map[string]types.AttributeValue{":one": num(1)}
			again := types.TransactWriteItem{Update: &types.Update{
				TableName: charge.Update.TableName, Key: charge.Update.Key, UpdateExpression: charge.Update.UpdateExpression,
				ExpressionAttributeValues: values,
			}}
			if err := l.store.CompleteTx(ctx, "charged", again); err != nil {
				return err
			}
			values[":one"] = num(2) // in place
			second(l, l.store.CompleteTx(ctx, "charged", again))
			values[":one"] = str("1")
			second(l, l.store.CompleteTx(ctx, "charged", again))
			return nil
		},
		"at once": func(l *till, ctx context.Context) error {
			errs := make(chan error, 2)
			l.fake.Fail("TransactWriteItems", fakedynamo.Fault{Delay: time.Second}, fakedynamo.Fault{Delay: time.Second})
			for range 2 {
				go func() { errs <- l.store.CompleteTx(ctx, "charged", charge) }()
			}
			for range 2 {
				if err := <-errs; err != nil {
					l.Errorf("one of two that are the same: %v", err)
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			tills(t, func(l *till) {
				l.once.Lease = time.Hour
				l.tx = func(ctx context.Context) error { return twice(l, ctx) }
				l.paid(1)
				l.paid(1)
				l.charged(1)
			})
		})
	}
}

// A reply is lost, and then others take the key over: what is not known to have gone through is no reason not to say so.
func TestRegression_ALossAfterATransactionThatIsNotKnown(t *testing.T) {
	tills(t, func(l *till) {
		l.fake.Fail("TransactWriteItems", fakedynamo.Fault{DropRequest: true}, fakedynamo.Fault{DropRequest: true}, fakedynamo.Fault{DropRequest: true})
		l.tx = func(ctx context.Context) error {
			if err := l.store.CompleteTx(ctx, "charged", charge); err == nil {
				l.Error("the request was not lost")
			}
			token, _ := idempotency.Token(ctx)
			b := follow(token, "B")
			b.Now = b.Now.Add(time.Hour)
			win(l, l.store, b)
			time.Sleep(time.Hour)
			return context.Cause(ctx)
		}
		if _, err := l.pay(); !errors.Is(err, idempotency.ErrLost) {
			l.Errorf("got %v, want ErrLost", err)
		}
		l.charged(0)
	})
}

// The transaction went through and its reply did not: the record is completed by its own run, and not lost.
func TestRegression_ALeaseAfterALostReplyIsNotLost(t *testing.T) {
	tills(t, func(l *till) {
		lost := fakedynamo.Fault{DropReply: true}
		l.fake.Fail("TransactWriteItems", lost, lost, lost)
		l.tx = func(ctx context.Context) error {
			if err := l.store.CompleteTx(ctx, "charged", charge); err == nil {
				l.Error("the reply was not lost")
			}
			time.Sleep(10 * time.Minute)
			return context.Cause(ctx)
		}
		l.paid(1)
		l.paid(1)
		l.charged(1)
	})
}

func TestAConditionOfTheHandlersOwn(t *testing.T) {
	tills(t, func(l *till) {
		cancelled := func(err error, want ...string) {
			l.Helper()
			var c *types.TransactionCanceledException
			if !errors.As(err, &c) {
				l.Fatalf("got %v, want a TransactionCanceledException", err)
			}
			var codes []string
			for _, r := range c.CancellationReasons {
				codes = append(codes, *r.Code)
			}
			if !slices.Equal(codes, want) {
				l.Errorf("got %v, want %v", codes, want)
			}
		}
		l.tx = func(ctx context.Context) error {
			before := l.fake.Calls()
			err := l.store.CompleteTx(ctx, "charged", charge, receipt(new("attribute_exists(id)")))
			cancelled(err, "None", "ConditionalCheckFailed", "None")
			if got := l.fake.Calls() - before; got != 1 {
				l.Errorf("%d round trips, want 1", got)
			}
			l.charged(0)
			return err
		}
		_, err := l.pay()
		cancelled(err, "None", "ConditionalCheckFailed", "None")

		// The key was given back. A handler can also go on with another transaction.
		l.tx = func(ctx context.Context) error {
			cancelled(l.store.CompleteTx(ctx, "charged", receipt(new("attribute_exists(id)"))), "ConditionalCheckFailed", "None")
			return l.store.CompleteTx(ctx, "charged", charge)
		}
		l.paid(2)
		l.paid(2)
		l.charged(1)
	})
}

// A transaction that did not go through settles nothing: a record that is lost later is lost.
func TestALossAfterACancelledTransaction(t *testing.T) {
	tills(t, func(l *till) {
		l.tx = func(ctx context.Context) error {
			if err := l.store.CompleteTx(ctx, "charged", receipt(new("attribute_exists(id)"))); err == nil {
				l.Error("the transaction went through")
			}
			token, _ := idempotency.Token(ctx)
			b := follow(token, "B")
			b.Now = b.Now.Add(time.Hour)
			win(l, l.store, b)
			time.Sleep(time.Hour)
			return context.Cause(ctx)
		}
		if _, err := l.pay(); !errors.Is(err, idempotency.ErrLost) {
			l.Errorf("got %v, want ErrLost", err)
		}
	})
}

// A listener hears what a client is asked.
type listener struct {
	*dynamodb.Client

	heard []*dynamodb.TransactWriteItemsInput
}

func (l *listener) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, options ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	l.heard = append(l.heard, in)
	return l.Client.TransactWriteItems(ctx, in, options...)
}

func TestTheTokenIsTheRuns(t *testing.T) {
	tills(t, func(l *till) {
		c := &listener{Client: l.c}
		l.store = dynamostore.New(c, tableName)
		l.once.Store = l.store
		seen := make(map[string]string)
		for _, run := range [][2]string{{"a", "one"}, {"a", "two"}, {"b", "one"}, {"ab", "one"}, {"a", "bone"}, {"long", strings.Repeat("x", 200)}} {
			l.once.Owner = func(context.Context) string { return run[1] }
			_, err := idempotency.Do(l.Context(), l.once, run[0], func(ctx context.Context) (string, error) {
				for range 2 {
					l.fake.Fail("TransactWriteItems", fakedynamo.Fault{Code: "ValidationException"})
					_ = l.store.CompleteTx(ctx, "charged", receipt(nil))
				}
				return "", errors.New("again")
			})
			if err == nil || len(c.heard) != 2 || *c.heard[0].ClientRequestToken != *c.heard[1].ClientRequestToken {
				l.Fatalf("%v: %v, %d requests", run, err, len(c.heard))
			}
			token := *c.heard[0].ClientRequestToken
			if other, taken := seen[token]; taken || len(token) > 36 {
				l.Errorf("%v has the token of %s, %q", run, other, token)
			}
			seen[token] = fmt.Sprint(run)
			c.heard = nil
		}
	})
}

// Two calls of one execution, which names itself as the owner of both, had one token, and the second transaction was
// taken for the first one.
func TestRegression_ATransactionForEachKeyOfAnExecution(t *testing.T) {
	tills(t, func(l *till) {
		l.once.Owner = func(context.Context) string { return "execution-1" }
		_, err := idempotency.Do(l.Context(), l.once, "another key", func(ctx context.Context) (string, error) {
			return "sold", l.store.CompleteTx(ctx, "sold", receipt(nil))
		})
		if err != nil {
			l.Fatal(err)
		}
		l.tx = func(ctx context.Context) error {
			before := l.fake.Calls("TransactWriteItems")
			err := l.store.CompleteTx(ctx, "charged", charge)
			if got := l.fake.Calls("TransactWriteItems") - before; got != 1 {
				l.Errorf("%d requests, want 1", got)
			}
			return err
		}
		l.paid(1)
		l.charged(1)
	})
}

// A token is taken, the transaction goes through without it and its reply is lost: the handler that asked again was told
// that another transaction had completed its record.
func TestRegression_ALostReplyAfterATokenThatIsTaken(t *testing.T) {
	tills(t, func(l *till) {
		taken, lost := fakedynamo.Fault{Code: "IdempotentParameterMismatchException"}, fakedynamo.Fault{DropReply: true}
		l.tx = func(ctx context.Context) error {
			l.fake.Fail("TransactWriteItems", taken, lost, lost, lost)
			if err := l.store.CompleteTx(ctx, "charged", charge); err == nil {
				l.Error("the reply was not lost")
			}
			l.fake.Fail("TransactWriteItems", taken)
			return l.store.CompleteTx(ctx, "charged", charge)
		}
		l.paid(1)
		l.charged(1)
	})
}

// What DynamoDB has rejected did not go through, so that it is no rival of what is sent afterwards.
func TestALostReplyAfterARejectedTransaction(t *testing.T) {
	tills(t, func(l *till) {
		lost := fakedynamo.Fault{DropReply: true}
		l.tx = func(ctx context.Context) error {
			l.fake.Fail("TransactWriteItems", fakedynamo.Fault{Code: "ValidationException"}, lost, lost, lost)
			for _, writes := range [][]types.TransactWriteItem{{receipt(nil)}, {charge}} {
				if err := l.store.CompleteTx(ctx, "charged", writes...); err == nil {
					l.Error("the transaction was acknowledged")
				}
			}
			time.Sleep(11 * time.Minute) // the token is forgotten
			return l.store.CompleteTx(ctx, "charged", charge)
		}
		l.once.Lease = time.Hour
		l.paid(1)
		l.charged(1)
	})
}

// Nobody settles a run that is lost: its transactions are forgotten at once.
func TestTransactionsOfALostRunAreForgotten(t *testing.T) {
	tills(t, func(l *till) {
		l.tx = func(ctx context.Context) error {
			token, _ := idempotency.Token(ctx)
			b := follow(token, "B")
			b.Now = b.Now.Add(time.Hour)
			win(l, l.store, b)
			err := l.store.CompleteTx(ctx, "charged", charge)
			if got := l.store.Running(); !errors.Is(err, idempotency.ErrLost) || got != 0 {
				l.Errorf("got %v, with the transactions of %d runs left", err, got)
			}
			return err
		}
		if _, err := l.pay(); !errors.Is(err, idempotency.ErrLost) {
			l.Errorf("got %v, want ErrLost", err)
		}
	})
}

// It is not known whether the token of a cancelled transaction can be used for another one: it need not be.
func TestATokenThatIsTaken(t *testing.T) {
	tills(t, func(l *till) {
		l.fake.Fail("TransactWriteItems", fakedynamo.Fault{Code: "IdempotentParameterMismatchException"})
		l.paid(1)
		l.charged(1)
	})
	tills(t, func(l *till) {
		for range 2 {
			l.fake.Fail("TransactWriteItems", fakedynamo.Fault{Code: "IdempotentParameterMismatchException"})
		}
		var taken *types.IdempotentParameterMismatchException
		if _, err := l.pay(); !errors.As(err, &taken) {
			l.Errorf("got %v", err)
		}
		l.charged(0)
	})
}

func TestTransactionsOutlastTrouble(t *testing.T) {
	for _, code := range []string{fakedynamo.Conflict, fakedynamo.Throttled, fakedynamo.Internal, "TransactionInProgressException"} {
		t.Run(code, func(t *testing.T) {
			tills(t, func(l *till) {
				l.fake.Fail("TransactWriteItems", fakedynamo.Fault{Code: code}, fakedynamo.Fault{Code: code})
				l.paid(1)
				l.charged(1)
			})
		})
	}
}

// A lease that is renewed after the transaction, or while it is on its way, finds the record completed. Nothing is lost
// by that, and the handler may go on.
func TestRegression_AHandlerGoesOnAfterItsTransaction(t *testing.T) {
	tills(t, func(l *till) {
		pause := func() { time.Sleep(10 * time.Minute) } // many renewals
		l.fake.Fail("TransactWriteItems", fakedynamo.Fault{Before: pause, After: pause})
		ctx, outcome := idempotency.Watch(l.Context())
		_, err := idempotency.Do(ctx, l.once, "key", func(ctx context.Context) (string, error) {
			if err := l.store.CompleteTx(ctx, "charged", charge); err != nil {
				return "", err
			}
			pause()
			return "charged", context.Cause(ctx)
		})
		if err != nil || outcome() != idempotency.Ran {
			l.Errorf("got %v, %v", err, outcome())
		}
		l.charged(1)
	})
}

func TestAPanicAfterTheTransaction(t *testing.T) {
	tills(t, func(l *till) {
		l.after = func() { panic("after") }
		before := l.fake.Calls()
		func() {
			defer func() {
				if got := recover(); got != "after" {
					l.Errorf("got %v", got)
				}
			}()
			_, _ = l.pay()
		}()
		if got := l.fake.Calls() - before; got != 2 {
			l.Errorf("%d round trips, want 2: there is nothing to be released", got)
		}
		l.after = nil
		l.paid(1)
		l.charged(1)
	})
}

func TestATransactionOfAnUnprotectedCall(t *testing.T) {
	tills(t, func(l *till) {
		// Without a key there is no record, and the writes are what the handler wants.
		_, err := idempotency.Do(l.Context(), l.once, "", func(ctx context.Context) (string, error) {
			return "charged", l.store.CompleteTx(ctx, "charged", charge)
		})
		if err != nil {
			l.Error(err)
		}
		l.charged(1)
		if err := l.store.CompleteTx(l.Context(), "charged"); err != nil {
			l.Errorf("nothing to be done: %v", err)
		}
		if got := l.fake.Len(tableName); got != 1 {
			l.Errorf("%d items, want the balance alone", got)
		}
	})
}

func TestAResultOfAnotherType(t *testing.T) {
	tills(t, func(l *till) {
		l.tx = func(ctx context.Context) error { return l.store.CompleteTx(ctx, 7, charge) }
		if got, err := l.pay(); err == nil {
			l.Errorf("got %q, want an error: a replay would not be a string", got)
		}
		l.charged(0)
	})
}

func TestOwnersWithLongNames(t *testing.T) {
	tills(t, func(l *till) {
		l.once.Owner = func(context.Context) string { return "arn:aws:states:eu-central-1:000000000000:execution:orders:7" }
		l.paid(1)
		l.charged(1)
	})
}
