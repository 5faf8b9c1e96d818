package dynamostore_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/dynamostore"
	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// A refused write is billed by the size of what refuses it: 300 units for a record of 300 KB, and each time again. Who
// knows better reads, for 75 units of a fifth of the price.
func TestRegression_ReplaysOfLargeRecordsAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakedynamo.Server{}
		s, c := open(t, fake)
		a := ask("key", "A")
		win(t, s, a)
		complete(t, s, end(a, `"`+strings.Repeat("x", 299<<10)+`"`))

		replay := func(what string, s *dynamostore.Store, wantReads, wantWrites float64) {
			t.Helper()
			calls := fake.Calls()
			reads, writes := fake.Units()
			r, err := s.Claim(t.Context(), ask(a.Key, "B"))
			if err != nil || r.Status != idempotency.Completed || len(r.Result.Data) != 299<<10+2 {
				t.Fatalf("%s: %v, %v", what, r.Status, err)
			}
			r1, w1 := fake.Units()
			if r1-reads != wantReads || w1-writes != wantWrites || fake.Calls()-calls != 1 {
				t.Errorf("%s: %v reads and %v writes in %d calls, want %v and %v in one", what, r1-reads, w1-writes, fake.Calls()-calls, wantReads, wantWrites)
			}
		}
		replay("who completed it", s, 75, 0)
		other := dynamostore.New(c, tableName)
		replay("who has not seen it", other, 0, 300)
		replay("who has seen it", other, 75, 0)
		replay("who has seen it", other, 75, 0)
	})
}

// Once the record is over, a key is claimed as if it were new.
func TestAKeyThatWasCompletedIsClaimedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakedynamo.Server{}
		s, c := open(t, fake)
		a := ask("key", "A")
		again := func(what string, wantCalls int, wantAttempt int64) {
			t.Helper()
			calls := fake.Calls()
			if r := win(t, s, ask(a.Key, "B "+what)); r.Attempt != wantAttempt || fake.Calls()-calls != wantCalls {
				t.Errorf("%s: attempt %d in %d round trips, want %d in %d", what, r.Attempt, fake.Calls()-calls, wantAttempt, wantCalls)
			}
		}
		win(t, s, a)
		complete(t, s, end(a, "1"))
		time.Sleep(time.Hour + 2*time.Second)
		again("expired", 1, 2)

		b := ask("another", "A")
		win(t, s, b)
		complete(t, s, end(b, "1"))
		if _, err := c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: new(tableName), Key: plain.at(b.Key)}); err != nil {
			t.Fatal(err)
		}
		a.Key = b.Key
		again("deleted by hand", 2, 1)
	})
}

// MaxData is what fits with the longest of all the rest, and not a byte more does.
func TestMaxDataIsExact(t *testing.T) {
	for name, l := range map[string]layout{"as it comes": plain, "a sort key and other names": optional} {
		t.Run(name, func(t *testing.T) {
			t.Run("fake", func(t *testing.T) {
				s, c := open(t, &fakedynamo.Server{}, l.options...)
				testMaxData(t, s, c, tableName, l)
			})
			t.Run("dynalite", func(t *testing.T) {
				transport := &lossy{}
				defer transport.CloseIdleConnections()
				s, c, table := openServer(t, transport, l.options...)
				testMaxData(t, s, c, table, l)
			})
		})
	}
}

func testMaxData(t *testing.T, s *dynamostore.Store, c *dynamodb.Client, table string, l layout) {
	a := ask("orders#"+strings.Repeat("0123456789abcdef", 4), strings.Repeat("o", 64))
	a.Fingerprint = strings.Repeat("f", 64)
	// As if there had been many attempts before.
	attempts := "attempt"
	if l.options != nil {
		attempts = "n"
	}
	item := l.at(a.Key)
	item[l.status], item[l.expires], item[attempts] = str("COMPLETED"), num(1), num(1<<63-2)
	if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
		t.Fatal(err)
	}
	if r := win(t, s, a); r.Attempt != 1<<63-1 {
		t.Fatalf("attempt %d", r.Attempt)
	}
	done := idempotency.Completion{
		Key: a.Key, Owner: a.Owner, Fingerprint: a.Fingerprint,
		Expires: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		Result:  idempotency.Result{Encoding: idempotency.NotKept, Failed: true},
	}
	most := s.MaxData(a.Key)
	done.Result.Data = make([]byte, most+1)
	if err := s.Complete(t.Context(), done); err == nil || !strings.Contains(err.Error(), "Item size to update has exceeded the maximum allowed size") {
		t.Fatalf("a byte more than %d: %v", most, err)
	}
	done.Result.Data = done.Result.Data[:most]
	complete(t, s, done)
	if r, err := s.Load(t.Context(), a.Key); err != nil || len(r.Result.Data) != most {
		t.Errorf("%d bytes came back of %d: %v", len(r.Result.Data), most, err)
	}
}
