package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/redisstore"
	"github.com/seawall-go/seawall/idempotency/storetest"
)

const prefix = "seawall-test:"

// In a bubble, miniredis follows the bubble's clock. That it has no eviction, no replicas and no cluster of several nodes
// does not matter to scripts of one key; all else is proved again on a server.
func TestStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		server := miniredis.NewMiniRedis()
		server.ClockTTL(true)
		t.Cleanup(server.Close)
		return harness(t, func(context.Context, string, string) (net.Conn, error) { return server.Dial() }, "127.0.0.1:0")
	})
}

func TestStoreKeepsTheContractOnAServer(t *testing.T) {
	address := serverAddress(t)
	storetest.RunServer(t, func(t *testing.T) storetest.Harness {
		return harness(t, new(net.Dialer).DialContext, address)
	})
}

// serverAddress is where a Redis for tests listens.
func serverAddress(t testing.TB) string {
	t.Helper()
	address := os.Getenv("SEAWALL_TEST_REDIS")
	if address == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("SEAWALL_TEST_REDIS has to be the host:port of a Redis")
		}
		t.Skip("SEAWALL_TEST_REDIS is not the host:port of a Redis")
	}
	return address
}

func harness(t *testing.T, dial dial, address string) storetest.Harness {
	t.Helper()
	line := &line{dial: dial}
	client := line.client(t, address, 0)
	return storetest.Harness{
		Store:    redisstore.New(client, prefix),
		OwnClock: true,
		Sweep:    func(key string) { client.Del(context.Background(), prefix+key) },
		Foreign: func(r idempotency.Record) {
			fields := []any{"status", string(r.Status), "expiration", r.Expires.Unix()}
			if r.Status == idempotency.Completed {
				fields = append(fields, "encoding", string(r.Result.Encoding), "data", r.Result.Data)
			}
			client.HSet(context.Background(), prefix+r.Key, fields...)
		},
		LoseReply: func() { line.lose.Add(1) },
	}
}

// onBoth runs check on miniredis and on a server.
func onBoth(t *testing.T, check func(t *testing.T, address string)) {
	t.Run("miniredis", func(t *testing.T) { check(t, miniredis.RunT(t).Addr()) })
	t.Run("server", func(t *testing.T) { check(t, serverAddress(t)) })
}

func clientOf(t testing.TB, address string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// newKey is a key that is free, and is so again when the test is over.
func newKey(t testing.TB, client redis.UniversalClient) string {
	t.Helper()
	key := fmt.Sprint(t.Name(), "#", time.Now().UnixNano())
	t.Cleanup(func() { client.Del(context.Background(), prefix+key) })
	return key
}

func claimOf(key, owner string) idempotency.Claim {
	now := time.Now()
	return idempotency.Claim{
		Key: key, Owner: owner, Fingerprint: "abc", Now: now, Lease: now.Add(time.Minute), Expires: now.Add(time.Hour),
		Skew: 5 * time.Second,
	}
}

func completionOf(c idempotency.Claim) idempotency.Completion {
	return idempotency.Completion{
		Key: c.Key, Owner: c.Owner, Fingerprint: c.Fingerprint, Expires: c.Expires,
		Result: idempotency.Result{Encoding: idempotency.JSON, Data: []byte(`"done"`)},
	}
}

// A client repeats what got no reply. A claim that met itself would be refused by itself until its lease is over.
func TestRegression_ClaimConflictsWithItsOwnRetry(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		line := &line{dial: new(net.Dialer).DialContext}
		client := line.client(t, address, 0)
		store := redisstore.New(client, prefix)
		warm := claimOf(newKey(t, client), "warm") // loads the scripts, so that one request is one script
		for range 2 {
			_, _ = store.Claim(t.Context(), warm)
			_ = store.Extend(t.Context(), warm.Key, warm.Owner, warm.Lease)
			_ = store.Complete(t.Context(), completionOf(warm))
			_ = store.Release(t.Context(), warm.Key, warm.Owner)
		}
		a := claimOf(newKey(t, client)+"/a", "A")
		t.Cleanup(func() { client.Del(context.Background(), prefix+a.Key) })

		twice := func(verb string, send func() error) {
			t.Helper()
			line.sent.Store(0)
			line.lose.Store(1)
			if err := send(); err != nil {
				t.Fatalf("%s whose reply was lost: %v", verb, err)
			}
			if sent, lose := line.sent.Load(), line.lose.Load(); sent != 2 || lose != 0 {
				t.Fatalf("%s was sent %d times, and %d replies are yet to be lost; want 2 and 0", verb, sent, lose)
			}
		}
		var r idempotency.Record
		twice("Claim", func() (err error) { r, err = store.Claim(t.Context(), a); return err })
		if r.Owner != "A" || r.Attempt != 1 || r.Status != idempotency.InProgress {
			t.Errorf("Claim = %+v, want it granted once", r)
		}
		twice("Extend", func() error { return store.Extend(t.Context(), a.Key, "A", a.Lease.Add(time.Minute)) })
		twice("Complete", func() error { return store.Complete(t.Context(), completionOf(a)) })
		twice("Load", func() (err error) { r, err = store.Load(t.Context(), a.Key); return err })
		if r.Status != idempotency.Completed || string(r.Result.Data) != `"done"` {
			t.Errorf("Load = %+v, want what was completed", r)
		}
		b := claimOf(newKey(t, client)+"/b", "B")
		if _, err := store.Claim(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		twice("Release", func() error { return store.Release(t.Context(), b.Key, "B") })
		if r, err := store.Load(t.Context(), b.Key); err != nil || r.Status != "" {
			t.Errorf("Load after Release = %+v, %v", r, err)
		}
	})
}

// A client that repeats nothing leaves that to the caller, and says so with an error that is not ErrLost.
func TestLostReplyWithoutRetries(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		line := &line{dial: new(net.Dialer).DialContext}
		client := line.client(t, address, -1)
		store := redisstore.New(client, prefix)
		_, _ = store.Load(t.Context(), "")
		a := claimOf(newKey(t, client), "A")
		if _, err := store.Claim(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		end := completionOf(a)
		_ = store.Complete(t.Context(), idempotency.Completion{Key: "none", Owner: "A"}) // loads the script
		line.lose.Store(1)
		if err := store.Complete(t.Context(), end); err == nil || errors.Is(err, idempotency.ErrLost) {
			t.Errorf("Complete whose reply was lost: %v", err)
		}
		if err := store.Complete(t.Context(), end); err != nil {
			t.Errorf("Complete, again: %v", err)
		}
	})
}

func TestRecordHasTheNamesOfPowertools(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		client := clientOf(t, address)
		store := redisstore.New(client, prefix)
		a := claimOf(newKey(t, client), "A")
		names := func(want ...string) map[string]string {
			t.Helper()
			fields := client.HGetAll(t.Context(), prefix+a.Key).Val()
			if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
				t.Errorf("the fields are %q, want %q", got, want)
			}
			return fields
		}
		if _, err := store.Claim(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		fields := names("attempt", "expiration", "in_progress_expiration", "owner", "status", "validation")
		if fields["status"] != "INPROGRESS" || fields["owner"] != "A" || fields["attempt"] != "1" || fields["validation"] != "abc" {
			t.Errorf("the record is %q", fields)
		}
		if len(fields["in_progress_expiration"]) != len("1700000000000") || len(fields["expiration"]) != len("1700000000.000") {
			t.Errorf("the record has instants %q and %q", fields["in_progress_expiration"], fields["expiration"])
		}
		if ttl := client.PTTL(t.Context(), prefix+a.Key).Val(); ttl < time.Hour || ttl > 3*time.Hour {
			t.Errorf("the record goes in %v, and expires in an hour", ttl)
		}
		if err := store.Complete(t.Context(), completionOf(a)); err != nil {
			t.Fatal(err)
		}
		fields = names("attempt", "data", "encoding", "expiration", "failed", "owner", "status", "validation")
		if fields["status"] != "COMPLETED" || fields["data"] != `"done"` || fields["encoding"] != "json" || fields["failed"] != "0" {
			t.Errorf("the record is %q", fields)
		}
		if ttl := client.PTTL(t.Context(), prefix+a.Key).Val(); ttl < 50*time.Minute || ttl > time.Hour+time.Second {
			t.Errorf("the record goes in %v, and expires in an hour", ttl)
		}
	})
}

// What is no record of this store stays what it is.
func TestOtherValuesAreLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		client := clientOf(t, address)
		store := redisstore.New(client, prefix)
		a := claimOf(newKey(t, client), "A")
		const other = `{"status":"COMPLETED","expiration":1}`
		client.Set(t.Context(), prefix+a.Key, other, time.Hour)
		senseless(t, store, a)
		if got := client.Get(t.Context(), prefix+a.Key).Val(); got != other {
			t.Errorf("the string is now %q", got)
		}

		client.Del(t.Context(), prefix+a.Key)
		client.HSet(t.Context(), prefix+a.Key, "status", "PENDING", "owner", "B")
		if r, err := store.Claim(t.Context(), a); err != nil || r.Status != "PENDING" || r.Owner != "B" {
			t.Errorf("Claim of a record with another status: %+v, %v", r, err)
		}
	})
}

// senseless fails the test unless what lies under a's key stands in the way, and is nobody's to end.
func senseless(t *testing.T, store idempotency.Store, a idempotency.Claim) {
	t.Helper()
	for verb, ask := range map[string]func() (idempotency.Record, error){
		"Claim": func() (idempotency.Record, error) { return store.Claim(t.Context(), a) },
		"Load":  func() (idempotency.Record, error) { return store.Load(t.Context(), a.Key) },
	} {
		if r, err := ask(); err != nil || !strings.HasPrefix(string(r.Status), "none") || r.Key != a.Key {
			t.Errorf("%s: %+v, %v; want a status that nobody knows", verb, r, err)
		}
	}
	if err := store.Complete(t.Context(), completionOf(a)); !errors.Is(err, idempotency.ErrLost) {
		t.Errorf("Complete: %v, want ErrLost", err)
	}
	if err := store.Extend(t.Context(), a.Key, a.Owner, a.Lease); !errors.Is(err, idempotency.ErrLost) {
		t.Errorf("Extend: %v, want ErrLost", err)
	}
	if err := store.Release(t.Context(), a.Key, a.Owner); err != nil {
		t.Errorf("Release: %v", err)
	}
}

// A record that could not be read was taken for a store that is down, and with FailOpen the handler ran again.
func TestRegression_ARecordThatMakesNoSenseIsNoOutage(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		client := clientOf(t, address)
		store := redisstore.New(client, prefix)
		for name, spoil := range map[string][]any{
			"an expiry":            {"status", "COMPLETED", "expiration", "tomorrow"},
			"an expiry beyond all": {"status", "COMPLETED", "expiration", "-inf"},
			"an expiry of nothing": {"status", "COMPLETED", "expiration", "nan"},
			"an attempt":           {"attempt", "many", "expiration", "1"},
			"a lease":              {"in_progress_expiration", "never", "expiration", "1"},
			"no status":            {"colour", "red"},
		} {
			t.Run(name, func(t *testing.T) {
				b := claimOf(newKey(t, client), "B")
				if spoil[0] != "colour" {
					if _, err := store.Claim(t.Context(), b); err != nil {
						t.Fatal(err)
					}
				}
				client.HSet(t.Context(), prefix+b.Key, spoil...)
				before := client.HGetAll(t.Context(), prefix+b.Key).Val()
				senseless(t, store, claimOf(b.Key, "A"))
				if after := client.HGetAll(t.Context(), prefix+b.Key).Val(); !maps.Equal(before, after) {
					t.Errorf("the record was %v, is %v", before, after)
				}
				b.Lease = b.Lease.Add(time.Hour)
				if _, err := store.Claim(t.Context(), b); err != nil {
					t.Errorf("Claim by its owner: %v", err)
				}
				if after := client.HGetAll(t.Context(), prefix+b.Key).Val(); !maps.Equal(before, after) {
					t.Errorf("after a claim by its owner the record was %v, is %v", before, after)
				}
			})
		}
		refuses(t, client, func(key string) { client.HSet(t.Context(), prefix+key, "expiration", "tomorrow") })
		refuses(t, client, func(key string) {
			client.Del(t.Context(), prefix+key)
			client.Set(t.Context(), prefix+key, "of Powertools", time.Minute)
		})
	})
}

// refuses fails the test unless a call that runs although its store is down is refused after spoil.
func refuses(t *testing.T, client *redis.Client, spoil func(key string)) {
	t.Helper()
	config := idempotency.Config{Store: redisstore.New(client, prefix), Scope: t.Name(), FailOpen: true}
	name := fmt.Sprint(time.Now().UnixNano())
	ran, key := 0, ""
	call := func() error {
		_, err := idempotency.Do(t.Context(), config, name, func(ctx context.Context) (int, error) {
			ran++
			token, _ := idempotency.Token(ctx)
			key = token.Key
			return 7, nil
		})
		return err
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Del(context.Background(), prefix+key) })
	spoil(key)
	if err := call(); !errors.Is(err, idempotency.ErrCorrupt) || ran != 1 {
		t.Errorf("got %v after %d runs, want ErrCorrupt after one", err, ran)
	}
}

// What the server says to a client that asks wrongly does not pass by itself. What it says when it is busy or goes down does.
func TestAnswersThatDoNotPass(t *testing.T) {
	for answer, passes := range map[string]bool{
		"LOADING Redis is loading the dataset in memory":                                                 true,
		"BUSY Redis is busy running a script.":                                                           true,
		"READONLY You can't write against a read only replica.":                                          true,
		"CLUSTERDOWN The cluster is down":                                                                true,
		"MASTERDOWN Link with MASTER is down":                                                            true,
		"TRYAGAIN Multiple keys request during rehashing of slot":                                        true,
		"OOM command not allowed when used memory > 'maxmemory'.":                                        true,
		"MISCONF Errors writing to the AOF file":                                                         true,
		"NOREPLICAS Not enough good replicas to write.":                                                  true,
		"ERR max number of clients reached":                                                              true,
		"ERR Error running script (call to f_1): @user_script:9: -OOM command not allowed":               true,
		"NOAUTH Authentication required.":                                                                false,
		"WRONGPASS invalid username-password pair or user is disabled.":                                  false,
		"NOPERM this user has no permissions to run the 'evalsha' command":                               false,
		"ERR unknown command 'evalsha'":                                                                  false,
		"CROSSSLOT Keys in request don't hash to the same slot":                                          false,
		"ERR Error running script: @user_script:4: Script attempted to access a non local key in a node": false,
	} {
		server := miniredis.RunT(t)
		client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
		store := redisstore.New(client, prefix)
		a := claimOf("key", "A")
		server.SetError(answer)
		_, claim := store.Claim(t.Context(), a)
		_, load := store.Load(t.Context(), a.Key)
		for _, err := range []error{
			claim, load, store.Complete(t.Context(), completionOf(a)), store.Release(t.Context(), a.Key, "A"), store.Extend(t.Context(), a.Key, "A", a.Lease),
		} {
			if err == nil || errors.Is(err, idempotency.ErrRejected) == passes || errors.Is(err, idempotency.ErrLost) || !strings.Contains(err.Error(), answer) {
				t.Errorf("%q became %v", answer, err)
			}
		}
		_ = client.Close()
	}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer client.Close()
	if _, err := redisstore.New(client, prefix).Claim(t.Context(), claimOf("key", "A")); err == nil || errors.Is(err, idempotency.ErrRejected) {
		t.Errorf("a server that is down: %v", err)
	}
}

// Only the server's clock counts, however far it is from those of the callers.
func TestTimeIsTheServers(t *testing.T) {
	server := miniredis.RunT(t)
	there := time.Now().Add(1000 * time.Hour).Truncate(time.Millisecond)
	server.SetTime(there)
	store := redisstore.New(clientOf(t, server.Addr()), prefix)
	a := claimOf("k", "A")
	a.Lease = a.Now.Add(10 * time.Second)
	r, err := store.Claim(t.Context(), a)
	if err != nil || r.Owner != "A" || r.Lease.UnixMilli() != a.Lease.UnixMilli() || r.Expires.UnixMilli() != a.Expires.UnixMilli() {
		t.Errorf("Claim = %+v, %v; want the lease %v", r, err, a.Lease)
	}
	b := claimOf("k", "B")
	b.TakeOver = &idempotency.Run{Owner: "A", Attempt: 1}
	server.SetTime(there.Add(15 * time.Second)) // the end of the skew
	if r, err := store.Claim(t.Context(), b); err != nil || r.Owner != "A" {
		t.Errorf("Claim = %+v, %v; want it refused", r, err)
	}
	server.SetTime(there.Add(15*time.Second + time.Millisecond))
	if r, err := store.Claim(t.Context(), b); err != nil || r.Owner != "B" || r.Attempt != 2 {
		t.Errorf("Claim = %+v, %v; want it granted", r, err)
	}
	end := completionOf(b)
	end.Expires = time.Now().Add(time.Hour)
	if err := store.Complete(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	r, err = store.Load(t.Context(), "k")
	if err != nil || r.Status != idempotency.Completed || end.Expires.Sub(r.Expires).Abs() > time.Minute {
		t.Errorf("Load = %+v, %v; want it to expire at %v", r, err, end.Expires)
	}
	server.SetTime(there.Add(3 * time.Hour))
	if r, err := store.Load(t.Context(), "k"); err != nil || r.Status != "" {
		t.Errorf("Load = %+v, %v; want it expired", r, err)
	}
	if r, err := store.Claim(t.Context(), claimOf("k", "C")); err != nil || r.Owner != "C" {
		t.Errorf("Claim = %+v, %v; want it granted", r, err)
	}
}

func TestScriptsAreSentAgainWhenTheServerForgot(t *testing.T) {
	server := miniredis.RunT(t)
	client := clientOf(t, server.Addr())
	store := redisstore.New(client, prefix)
	for i := range 3 {
		if r, err := store.Claim(t.Context(), claimOf(fmt.Sprint(i), "A")); err != nil || r.Owner != "A" {
			t.Errorf("Claim = %+v, %v", r, err)
		}
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClusterClient(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr()}})
	t.Cleanup(func() { _ = client.Close() })
	store := redisstore.New(client, prefix)
	a := claimOf("k", "A")
	if r, err := store.Claim(t.Context(), a); err != nil || r.Owner != "A" {
		t.Fatalf("Claim = %+v, %v", r, err)
	}
	if err := store.Complete(t.Context(), completionOf(a)); err != nil {
		t.Fatal(err)
	}
	if r, err := store.Load(t.Context(), "k"); err != nil || string(r.Result.Data) != `"done"` {
		t.Errorf("Load = %+v, %v", r, err)
	}
}

func TestNewNeedsAClient(t *testing.T) {
	defer func() {
		if v := recover(); !strings.HasPrefix(fmt.Sprint(v), "redisstore: ") {
			t.Errorf("New(nil) panicked with %v", v)
		}
	}()
	redisstore.New(nil, "")
	t.Error("New(nil) returned")
}

// Many workers come for one key, each until it is done, and one of them does it.
func TestOneOf64WorkersRuns(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		const workers, keys = 64, 20
		client := clientOf(t, address)
		store := redisstore.New(client, prefix)
		base := newKey(t, client)
		for i := range keys {
			key := fmt.Sprint(base, "/", i)
			t.Cleanup(func() { client.Del(context.Background(), prefix+key) })
			if runs, replays := work(t, store, key, workers); runs != 1 || replays != workers-1 {
				t.Errorf("%d workers ran and %d got the result; want 1 and %d", runs, replays, workers-1)
			}
		}
	})
}

// work lets workers come for key until each has run or has the result.
func work(t testing.TB, store idempotency.Store, key string, workers int) (runs, replays int) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			claim := claimOf(key, fmt.Sprint("worker ", i))
			for {
				r, err := store.Claim(t.Context(), claim)
				ran := err == nil && r.Owner == claim.Owner
				if ran {
					err = store.Complete(t.Context(), completionOf(claim))
				}
				if err != nil {
					t.Error(err)
					return
				}
				if ran || r.Status == idempotency.Completed {
					mu.Lock()
					defer mu.Unlock()
					if ran {
						runs++
					} else {
						replays++
					}
					return
				}
			}
		})
	}
	all.Wait()
	return runs, replays
}

func BenchmarkStore(b *testing.B) {
	client := clientOf(b, serverAddress(b))
	store := redisstore.New(client, prefix)
	base := newKey(b, client)
	short := func(c idempotency.Claim) idempotency.Claim {
		c.Lease, c.Expires = c.Now.Add(time.Second), c.Now.Add(10*time.Second)
		return c
	}
	b.Run("first call", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			c := short(claimOf(fmt.Sprint(base, "/first/", i), "A"))
			if _, err := store.Claim(b.Context(), c); err != nil {
				b.Fatal(err)
			}
			if err := store.Complete(b.Context(), completionOf(c)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("replay", func(b *testing.B) {
		c := short(claimOf(base, "A"))
		_, _ = store.Claim(b.Context(), c)
		_ = store.Complete(b.Context(), completionOf(claimOf(base, "A")))
		again := claimOf(base, "B")
		for b.Loop() {
			if r, err := store.Claim(b.Context(), again); err != nil || r.Status != idempotency.Completed {
				b.Fatal(r, err)
			}
		}
	})
	b.Run("64 workers on one key", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			key := fmt.Sprint(base, "/many/", i)
			if runs, _ := work(b, store, key, 64); runs != 1 {
				b.Fatalf("%d workers ran", runs)
			}
			client.Del(b.Context(), prefix+key)
		}
	})
}
