package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/dynamostore"
	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// verbs are all there are, each on a record that is in progress for A, which had no trouble before.
var verbs = []struct {
	name string
	do   func(ctx context.Context, s *dynamostore.Store, a idempotency.Claim) error
	ends bool // whether the record is in progress no more
}{
	{"claim", func(ctx context.Context, s *dynamostore.Store, a idempotency.Claim) error {
		a.Key, a.Lease = "another", a.Now.Add(-time.Hour) // a lease that is over from the start is no excuse for a second attempt
		r, err := s.Claim(ctx, a)
		if err == nil && (r.Owner != a.Owner || r.Attempt != 1) {
			return fmt.Errorf("the claim is %+v", r)
		}
		return err
	}, false},
	{"refused claim", func(ctx context.Context, s *dynamostore.Store, a idempotency.Claim) error {
		r, err := s.Claim(ctx, ask(a.Key, "B"))
		if err == nil && r.Owner != a.Owner {
			return fmt.Errorf("the claim is %+v", r)
		}
		return err
	}, false},
	{"load", func(ctx context.Context, s *dynamostore.Store, a idempotency.Claim) error {
		r, err := s.Load(ctx, a.Key)
		if err == nil && r.Owner != a.Owner {
			return fmt.Errorf("the record is %+v", r)
		}
		return err
	}, false},
	{"extend", func(ctx context.Context, s *dynamostore.Store, a idempotency.Claim) error {
		return s.Extend(ctx, a.Key, a.Owner, a.Lease.Add(time.Minute))
	}, false},
	{"complete", func(ctx context.Context, s *dynamostore.Store, a idempotency.Claim) error {
		return s.Complete(ctx, end(a, "1"))
	}, true},
	{"release", func(ctx context.Context, s *dynamostore.Store, a idempotency.Claim) error {
		return s.Release(ctx, a.Key, a.Owner)
	}, true},
}

// eachVerb runs a test of every verb, in a bubble, with a fake that has one record.
func eachVerb(t *testing.T, f func(t *testing.T, fake *fakedynamo.Server, do func(ctx context.Context) error)) {
	for _, verb := range verbs {
		t.Run(verb.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := &fakedynamo.Server{}
				s, _ := open(t, fake)
				a := ask("key", "A")
				win(t, s, a)
				f(t, fake, func(ctx context.Context) error { return verb.do(ctx, s, a) })
				synctest.Wait()
				if r, err := s.Load(t.Context(), a.Key); err == nil && !verb.ends && (r.Status != idempotency.InProgress || r.Attempt != 1) {
					t.Errorf("the record is %+v", r)
				}
			})
		})
	}
}

func TestEveryVerbIsOneRoundTrip(t *testing.T) {
	eachVerb(t, func(t *testing.T, fake *fakedynamo.Server, do func(context.Context) error) {
		before := fake.Calls()
		if err := do(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := fake.Calls() - before; got != 1 {
			t.Errorf("%d round trips, want 1", got)
		}
	})
}

// What is in the way for a moment is waited for, and is not an answer.
func TestVerbsOutlastTrouble(t *testing.T) {
	for _, code := range []string{
		fakedynamo.Throttled, fakedynamo.RequestLimit, fakedynamo.Internal, fakedynamo.Conflict,
		"ThrottlingException", "ReplicatedWriteConflictException",
	} {
		t.Run(code, func(t *testing.T) {
			eachVerb(t, func(t *testing.T, fake *fakedynamo.Server, do func(context.Context) error) {
				fake.Fail("", fakedynamo.Fault{Code: code}, fakedynamo.Fault{Code: code})
				if err := do(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestTroubleThatStaysIsAnErrorOfItsOwn(t *testing.T) {
	for _, code := range []string{fakedynamo.Throttled, fakedynamo.RequestLimit, fakedynamo.Internal, fakedynamo.Conflict} {
		t.Run(code, func(t *testing.T) {
			eachVerb(t, func(t *testing.T, fake *fakedynamo.Server, do func(context.Context) error) {
				for range 3 {
					fake.Fail("", fakedynamo.Fault{Code: code})
				}
				err := do(t.Context())
				var api smithy.APIError
				if !errors.As(err, &api) || api.ErrorCode() != code || errors.Is(err, idempotency.ErrLost) {
					t.Errorf("got %v, want %s", err, code)
				}
			})
		})
	}
}

func TestTroubleIsOutlastedWithinTheContext(t *testing.T) {
	eachVerb(t, func(t *testing.T, fake *fakedynamo.Server, do func(context.Context) error) {
		fake.Fail("", fakedynamo.Fault{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := do(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, idempotency.ErrLost) {
			t.Errorf("got %v, want DeadlineExceeded", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, want 1s", took)
		}
	})
}

func TestWhatIsNotAllowedIsAnErrorAtOnce(t *testing.T) {
	eachVerb(t, func(t *testing.T, fake *fakedynamo.Server, do func(context.Context) error) {
		fake.Fail("", fakedynamo.Fault{Code: fakedynamo.Denied})
		before := fake.Calls()
		err := do(t.Context())
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != fakedynamo.Denied || fake.Calls()-before != 1 {
			t.Errorf("got %v after %d calls, want %s after one", err, fake.Calls()-before, fakedynamo.Denied)
		}
	})
}

func TestNoTable(t *testing.T) {
	s := dynamostore.New(client("http://dynamodb.invalid", &fakedynamo.Server{}), "nosuchtable")
	_, err := s.Claim(t.Context(), ask("key", "A"))
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		t.Errorf("got %v, want a ResourceNotFoundException", err)
	}
}

// The SDK sends a request again whose reply was lost, and the server refuses what it has carried out already. The
// claimer would wait for itself until its lease is over.
func TestRegression_LostRepliesAreRecognised(t *testing.T) {
	for name, hide := range map[string]bool{"with the old item": false, "without the old item": true} {
		t.Run(name, func(t *testing.T) {
			eachVerb(t, func(t *testing.T, fake *fakedynamo.Server, do func(context.Context) error) {
				fake.HideOld = hide
				fake.Fail("", fakedynamo.Fault{DropReply: true}, fakedynamo.Fault{DropReply: true})
				if err := do(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A row can vanish between the write that it refused and the read that asks why.
func TestRegression_TheRowVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakedynamo.Server{HideOld: true}
		s, c := open(t, fake)
		a := ask("key", "A")
		vanish := fakedynamo.Fault{Before: func() {
			if _, err := c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: new(tableName), Key: plain.at(a.Key)}); err != nil {
				t.Error(err)
			}
		}}
		appear := fakedynamo.Fault{Before: func() { putClaim(t, c, ask(a.Key, "B")) }}

		fake.Fail("UpdateItem", appear)
		fake.Fail("GetItem", vanish)
		before := fake.Calls("UpdateItem", "GetItem")
		if r := win(t, s, a); r.Attempt != 1 {
			t.Errorf("got %+v, want attempt 1", r)
		}
		if got := fake.Calls("UpdateItem", "GetItem") - before; got != 3 {
			t.Errorf("%d round trips, want 3", got)
		}

		a.Key = "another"
		fake.Fail("UpdateItem", appear, appear, appear)
		fake.Fail("GetItem", vanish, vanish, vanish)
		before = fake.Calls("UpdateItem", "GetItem")
		if r, err := s.Claim(t.Context(), a); err != nil || r.Status != "" {
			t.Errorf("got %+v, %v; want none: it is in use, so there is no outage, and nobody is in the way to be named", r, err)
		}
		if got := fake.Calls("UpdateItem", "GetItem") - before; got != 6 {
			t.Errorf("%d round trips, want 6: an end to it", got)
		}
	})
}

// Whoever claims again moves its lease, unless it is too late for that.
func TestTakenOverWhileClaimingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakedynamo.Server{}
		s, c := open(t, fake)
		a := ask("key", "A")
		win(t, s, a)
		fake.Fail("UpdateItem", fakedynamo.Fault{}, fakedynamo.Fault{Before: func() { putClaim(t, c, ask(a.Key, "B")) }})
		a.Lease = a.Lease.Add(time.Minute)
		if r, err := s.Claim(t.Context(), a); err != nil || r.Owner != "B" {
			t.Errorf("got %+v, %v; want B's record", r, err)
		}
	})
}

// What refused a completion may be gone when one looks, and what is there then is no proof of anything.
func TestTheRowChangesWhileCompleting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakedynamo.Server{HideOld: true}
		s, c := open(t, fake)
		a := ask("key", "A")
		fake.Fail("GetItem", fakedynamo.Fault{Before: func() { putClaim(t, c, a) }})
		if err := s.Complete(t.Context(), end(a, "1")); !errors.Is(err, idempotency.ErrLost) {
			t.Errorf("got %v, want ErrLost", err)
		}
	})
}

// putClaim writes what another process would.
func putClaim(t testing.TB, c *dynamodb.Client, claim idempotency.Claim) {
	t.Helper()
	item := plain.at(claim.Key)
	item["status"] = str("INPROGRESS")
	item["owner"] = str(claim.Owner)
	item["attempt"] = num(1)
	item["in_progress_expiration"] = num(claim.Lease.UnixMilli())
	item["expiration"] = num(claim.Expires.Unix())
	if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new(tableName), Item: item}); err != nil {
		t.Error(err)
	}
}

func raw(t testing.TB, c *dynamodb.Client, key string) map[string]types.AttributeValue {
	t.Helper()
	out, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: new(tableName), Key: plain.at(key), ConsistentRead: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

// What the time to live sweeps must not be running.
func TestRegression_ARunningRecordIsNotSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakedynamo.Server{}
		s, _ := open(t, fake)
		a := ask("key", "A")
		a.Expires = a.Now.Add(time.Second)
		a.Lease = a.Now.Add(time.Minute + time.Millisecond)
		win(t, s, a)
		swept := func(at time.Time, want int) {
			t.Helper()
			if got := fake.Sweep(at); got != want {
				t.Fatalf("swept %d, want %d", got, want)
			}
		}
		swept(a.Lease, 0)
		lease := a.Lease.Add(48 * time.Hour)
		if err := s.Extend(t.Context(), a.Key, a.Owner, lease); err != nil {
			t.Fatal(err)
		}
		swept(lease, 0)
		swept(lease.Add(2*time.Second), 1)
		if err := s.Complete(t.Context(), end(a, "1")); !errors.Is(err, idempotency.ErrLost) {
			t.Errorf("Complete after the sweep: %v, want ErrLost", err)
		}
		if fake.Len(tableName) != 0 {
			t.Error("a record came back without the rest of it")
		}
	})
}

func TestAnExtensionIsOneWriteUnlessTheRecordWouldExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakedynamo.Server{}
		s, _ := open(t, fake)
		a := ask("key", "A")
		win(t, s, a)
		for lease, want := range map[time.Duration]int{30 * time.Minute: 1, 2 * time.Hour: 2, 90 * time.Minute: 1} {
			a := ask(fmt.Sprint(lease), "A")
			win(t, s, a)
			if lease == 90*time.Minute {
				if err := s.Extend(t.Context(), a.Key, a.Owner, a.Now.Add(2*time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			before := fake.Calls()
			if err := s.Extend(t.Context(), a.Key, a.Owner, a.Now.Add(lease)); err != nil {
				t.Fatal(err)
			}
			if got := fake.Calls() - before; got != want {
				t.Errorf("by %v: %d round trips, want %d", lease, got, want)
			}
		}
	})
}

// What a record looks like is what Powertools and people look for.
func TestARecordInItsTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in a bubble it is the year 2000
		s, c := open(t, &fakedynamo.Server{})
		a := ask("orders#1", "A")
		a.Fingerprint = "f"
		a.Lease = a.Now.Add(time.Minute + 7*time.Millisecond)
		win(t, s, a)
		check := func(want string) {
			t.Helper()
			var got []string
			item := raw(t, c, a.Key)
			for _, name := range []string{"attempt", "data", "encoding", "expiration", "failed", "id", "in_progress_expiration", "owner", "status", "validation"} {
				switch v := item[name].(type) {
				case *types.AttributeValueMemberS:
					got = append(got, fmt.Sprintf("%s %q", name, v.Value))
				case *types.AttributeValueMemberN:
					got = append(got, name+" "+v.Value)
				case *types.AttributeValueMemberB:
					got = append(got, fmt.Sprintf("%s %x", name, v.Value))
				case *types.AttributeValueMemberBOOL:
					got = append(got, fmt.Sprint(name, " ", v.Value))
				}
				delete(item, name)
			}
			if text := strings.Join(got, ", "); text != want || len(item) > 0 {
				t.Errorf("got %s and %v\nwant %s", text, item, want)
			}
		}
		check(`attempt 1, expiration 946688400, id "orders#1", in_progress_expiration 946684860007, owner "A", status "INPROGRESS", validation "f"`)

		done := end(a, `{"ok":true}`)
		done.Fingerprint = "f"
		done.Expires = done.Expires.Add(time.Millisecond)
		complete(t, s, done)
		check(`attempt 1, data "{\"ok\":true}", encoding "json", expiration 946688401, id "orders#1", owner "A", status "COMPLETED", validation "f"`)

		time.Sleep(2 * time.Hour)
		b := ask(a.Key, "B")
		b.Lease = b.Now.Add(time.Minute)
		win(t, s, b)
		check(`attempt 2, expiration 946695600, id "orders#1", in_progress_expiration 946692060000, owner "B", status "INPROGRESS"`)

		done = end(b, "\x1f\x8b")
		done.Result.Encoding, done.Result.Failed = idempotency.Gzip, true
		complete(t, s, done)
		check(`attempt 2, data 1f8b, encoding "gzip", expiration 946695600, failed true, id "orders#1", owner "B", status "COMPLETED"`)
	})
}

func TestSixtyFourWorkersOnOneKey(t *testing.T) {
	test := func(t *testing.T, s *dynamostore.Store) {
		once := idempotency.Config{Store: s, Scope: "orders", Wait: time.Minute}
		var mu sync.Mutex
		runs := 0
		var workers sync.WaitGroup
		for range 64 {
			workers.Go(func() {
				got, err := idempotency.Do(t.Context(), once, "key", func(context.Context) (string, error) {
					mu.Lock()
					defer mu.Unlock()
					runs++
					return "charged", nil
				})
				if got != "charged" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
		workers.Wait()
		if runs != 1 {
			t.Errorf("%d runs, want 1", runs)
		}
	}
	t.Run("fake", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, _ := open(t, &fakedynamo.Server{})
			test(t, s)
		})
	})
	t.Run("dynalite", func(t *testing.T) {
		transport := &lossy{}
		defer transport.CloseIdleConnections()
		s, _, _ := openServer(t, transport)
		test(t, s)
	})
}

func TestRoundTripsOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakedynamo.Server{}
		s, c := open(t, fake)
		call := func(s *dynamostore.Store, want int) {
			t.Helper()
			before := fake.Calls()
			got, err := idempotency.Do(t.Context(), idempotency.Config{Store: s, Scope: "orders"}, "key", func(context.Context) (int, error) { return 7, nil })
			if got != 7 || err != nil {
				t.Errorf("got %d, %v", got, err)
			}
			if n := fake.Calls() - before; n != want {
				t.Errorf("%d round trips, want %d", n, want)
			}
		}
		call(s, 2)
		call(s, 1)
		other := dynamostore.New(c, tableName)
		call(other, 1)
		call(other, 1)
	})
}

// A program that keeps its records elsewhere compiles no AWS package.
func TestTheEngineKnowsNoAWS(t *testing.T) {
	files, err := filepath.Glob("../*.go")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range f.Imports {
			path := strings.Trim(imported.Path.Value, `"`)
			ours := strings.HasPrefix(path, "github.com/seawall-go/seawall/internal/")
			if strings.Contains(path, ".") && !ours && !strings.HasSuffix(name, "_test.go") {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}

func TestNonsensePanics(t *testing.T) {
	c := client("http://dynamodb.invalid", &fakedynamo.Server{})
	for want, build := range map[string]func(){
		"dynamostore: New: the client is nil":              func() { dynamostore.New(nil, "t") },
		"dynamostore: New: the table has no name":          func() { dynamostore.New(c, "") },
		`dynamostore: New: two attributes are called "id"`: func() { dynamostore.New(c, "t", dynamostore.SortKey("id", "p")) },
		`dynamostore: New: two attributes are called "x"`: func() {
			dynamostore.New(c, "t", dynamostore.Names(dynamostore.Attributes{Data: "x", Owner: "x"}))
		},
		"dynamostore: New: SortKey: the attribute or the partition": func() { dynamostore.New(c, "t", dynamostore.SortKey("s", "")) },
		"dynamostore: CreateTable: SortKey":                         func() { _ = dynamostore.CreateTable(t.Context(), c, "t", dynamostore.SortKey("", "p")) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, want) {
					t.Errorf("got %q, want %q...", got, want)
				}
			}()
			build()
		}()
	}
}
