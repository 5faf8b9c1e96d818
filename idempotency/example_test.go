package idempotency_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
	"github.com/seawall-go/seawall/middleware"
)

type Order struct {
	ID     string
	Tenant string
	Amount int64
}

type Receipt struct{ Text string }

func placeOrder(_ context.Context, o Order) (Receipt, error) {
	fmt.Println("charging", o.Amount)
	return Receipt{"order " + o.ID + " placed"}, nil
}

func orderKey(o Order) (string, error) { return o.ID, nil }

// A handler that is wrapped runs once for each key, and every caller gets its result.
func Example() {
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "place order", TTL: 24 * time.Hour}
	h := idempotency.Wrap(placeOrder, orderKey, once)

	for range 3 {
		receipt, err := h(context.Background(), Order{ID: "7", Amount: 100})
		fmt.Println(receipt.Text, err)
	}
	// Output:
	// charging 100
	// order 7 placed <nil>
	// order 7 placed <nil>
	// order 7 placed <nil>
}

func ExampleWrap() {
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "place order"}
	h := idempotency.Wrap(placeOrder, idempotency.Payload, once) // the key is the whole order

	_, _ = h(context.Background(), Order{ID: "7", Amount: 100})
	_, _ = h(context.Background(), Order{ID: "7", Amount: 100})
	_, _ = h(context.Background(), Order{ID: "7", Amount: 200})
	// Output:
	// charging 100
	// charging 200
}

func ExampleWrapErr() {
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "cancel order"}
	h := idempotency.WrapErr(func(_ context.Context, o Order) error {
		fmt.Println("cancelling", o.ID)
		return nil
	}, orderKey, once)

	fmt.Println(h(context.Background(), Order{ID: "7"}))
	fmt.Println(h(context.Background(), Order{ID: "7"}))
	// Output:
	// cancelling 7
	// <nil>
	// <nil>
}

func ExampleDo() {
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "invoice number"}
	number := func(context.Context) (int, error) {
		fmt.Println("taking a number")
		return 4711, nil
	}

	fmt.Println(idempotency.Do(context.Background(), once, "order 7", number))
	fmt.Println(idempotency.Do(context.Background(), once, "order 7", number))
	// Output:
	// taking a number
	// 4711 <nil>
	// 4711 <nil>
}

// A key that was used with another payload is a mistake of the caller.
func ExampleConfig_fingerprint() {
	once := idempotency.Config{
		Store:       &idempotency.Memory{},
		Scope:       "place order",
		Fingerprint: idempotency.Payload[any],
	}
	h := idempotency.Wrap(placeOrder, orderKey, once)

	_, _ = h(context.Background(), Order{ID: "7", Amount: 100})
	_, err := h(context.Background(), Order{ID: "7", Amount: 200})
	fmt.Println(errors.Is(err, idempotency.ErrMismatch), err)
	// Output:
	// charging 100
	// true idempotency place order 7902699b: the key was used with another payload
}

type DeclinedError struct{ Code int }

func (e *DeclinedError) Error() string { return fmt.Sprint("card declined, code ", e.Code) }

// A card that was declined is a result: the same call is not to charge it again.
func ExampleConfig_keep() {
	once := idempotency.Config{
		Store: &idempotency.Memory{},
		Scope: "charge",
		Keep: func(err error) bool {
			_, declined := errors.AsType[*DeclinedError](err)
			return declined
		},
	}
	charge := func(context.Context) (Receipt, error) {
		fmt.Println("charging")
		return Receipt{}, &DeclinedError{Code: 51}
	}
	for range 2 {
		_, err := idempotency.Do(context.Background(), once, "order 7", charge)
		declined, _ := errors.AsType[*DeclinedError](err)
		fmt.Println(err, declined.Code)
	}
	// Output:
	// charging
	// card declined, code 51 51
	// card declined, code 51 51
}

// A payment provider that does not answer may have charged the card: the next call finds out.
func ExampleConfig_uncertain() {
	once := idempotency.Config{
		Store:     &idempotency.Memory{},
		Scope:     "charge",
		Uncertain: func(err error) bool { return errors.Is(err, context.DeadlineExceeded) },
		Reconcile: func(_ context.Context, run idempotency.Abandoned) (any, bool, error) {
			fmt.Println("looking for the charge of", run.Key)
			return Receipt{"charge found"}, true, nil
		},
	}
	charge := func(ctx context.Context) (Receipt, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		<-ctx.Done() // there is no answer
		return Receipt{}, ctx.Err()
	}
	for range 2 {
		receipt, err := idempotency.Do(context.Background(), once, "order 7", charge)
		fmt.Println(receipt.Text, err)
	}
	// Output:
	//  context deadline exceeded
	// looking for the charge of order 7
	// charge found <nil>
}

// killed is a store with the record of a run of which nobody knows how it ended.
func killed(c idempotency.Config, key string) idempotency.Store {
	c.Store = &idempotency.Memory{}
	c.Uncertain = func(error) bool { return true }
	_, _ = idempotency.Do(context.Background(), c, key, func(context.Context) (Receipt, error) { return Receipt{}, io.ErrUnexpectedEOF })
	return c.Store
}

// A function was killed. Whether the card was charged, the payment service knows.
func ExampleConfig_reconcile() {
	once := idempotency.Config{
		Scope: "charge",
		Reconcile: func(_ context.Context, run idempotency.Abandoned) (any, bool, error) {
			fmt.Println("looking for the charge of", run.Key, "by attempt", run.Attempt)
			return Receipt{"charge found"}, true, nil
		},
	}
	once.Store = killed(once, "order 7")

	receipt, err := idempotency.Do(context.Background(), once, "order 7", func(context.Context) (Receipt, error) {
		panic("not a second time")
	})
	fmt.Println(receipt.Text, err)
	// Output:
	// looking for the charge of order 7 by attempt 1
	// charge found <nil>
}

func ExampleUncertainError() {
	once := idempotency.Config{Scope: "charge", RefuseAbandoned: true}
	once.Store = killed(once, "order 7")

	_, err := idempotency.Do(context.Background(), once, "order 7", func(context.Context) (Receipt, error) {
		panic("not a second time")
	})
	fmt.Println(errors.Is(err, idempotency.ErrUncertain), err)
	// Output: true idempotency charge 0fc89f8a: uncertain what attempt 1 did
}

func ExampleInProgressError() {
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "place order"}
	var h middleware.Handler[Order, Receipt]
	h = idempotency.Wrap(func(ctx context.Context, o Order) (Receipt, error) {
		_, err := h(ctx, o) // a double click
		var busy *idempotency.InProgressError
		fmt.Println(errors.As(err, &busy), errors.Is(err, idempotency.ErrInProgress), busy.RetryAfter().Round(time.Minute))
		return Receipt{}, nil
	}, orderKey, once)

	_, _ = h(context.Background(), Order{ID: "7"})
	// Output: true true 1m0s
}

func ExampleMismatchError() {
	err := error(&idempotency.MismatchError{Subject: idempotency.Subject{Scope: "place order", Digest: "7902699b"}})
	fmt.Println(errors.Is(err, idempotency.ErrMismatch), err)
	// Output: true idempotency place order 7902699b: the key was used with another payload
}

// A result with no JSON cannot be kept. Its caller gets it all the same.
func ExampleNotKeptError() {
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "plot"}
	plot := func(context.Context) (any, error) { return func(x int) int { return x * x }, nil }

	square, err := idempotency.Do(context.Background(), once, "7", plot)
	fmt.Println(square.(func(int) int)(7), err)
	_, err = idempotency.Do(context.Background(), once, "7", plot)
	fmt.Println(errors.Is(err, idempotency.ErrNotKept), err)
	// Output:
	// 49 <nil>
	// true idempotency plot 7902699b: done, its result was not kept
}

func ExampleKeyError() {
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "place order", RequireKey: true}
	_, err := idempotency.Wrap(placeOrder, orderKey, once)(context.Background(), Order{})
	fmt.Println(errors.Is(err, idempotency.ErrNoKey), err)
	// Output: true idempotency place order: the call has no key
}

// If the store is down, calls are refused, unless the Config says that a call may rather happen twice than not at all.
func ExampleStoreError() {
	store := &storetest.Flaky{Store: &idempotency.Memory{}}
	once := idempotency.Config{Store: store, Scope: "place order"}
	down := storetest.Fault{Err: errors.New("connection refused")}
	store.Next(storetest.Claim, down, down)

	_, err := idempotency.Wrap(placeOrder, orderKey, once)(context.Background(), Order{ID: "7", Amount: 100})
	fmt.Println(errors.Is(err, idempotency.ErrStore), err)

	once.FailOpen = true
	_, err = idempotency.Wrap(placeOrder, orderKey, once)(context.Background(), Order{ID: "7", Amount: 100})
	fmt.Println(err)
	// Output:
	// true idempotency place order 7902699b: claim: connection refused
	// charging 100
	// <nil>
}

func ExampleCorruptError() {
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "place order"}
	_, _ = idempotency.Do(context.Background(), once, "7", func(context.Context) (string, error) { return "a string", nil })
	_, err := idempotency.Do(context.Background(), once, "7", func(context.Context) (int, error) { return 0, nil })
	fmt.Println(errors.Is(err, idempotency.ErrCorrupt), err)
	// Output: true idempotency place order 7902699b: record: json: cannot unmarshal string into Go value of type int
}

// Whoever answers a client can say that the answer is an old one.
func ExampleWatch() {
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "place order"}
	h := idempotency.Wrap(placeOrder, orderKey, once)

	for range 2 {
		ctx, outcome := idempotency.Watch(context.Background())
		receipt, _ := h(ctx, Order{ID: "7", Amount: 100})
		fmt.Println(receipt.Text, outcome() == idempotency.Replayed)
	}
	// Output:
	// charging 100
	// order 7 placed false
	// order 7 placed true
}

func ExampleOutcome() {
	fmt.Println(idempotency.Ran, idempotency.Replayed, idempotency.TookOver)
	// Output: ran replayed took over
}

// A database refuses the writes of a run that another has taken over, if it is told which run writes.
func ExampleToken() {
	update := func(query string, args ...any) { fmt.Println(query, len(args)) }
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "place order"}
	_, _ = idempotency.Do(context.Background(), once, "7", func(ctx context.Context) (Receipt, error) {
		token, _ := idempotency.Token(ctx)
		update("update orders set state = 'paid', claimed = $1 where id = 7 and claimed <= $1", token.Claimed)
		return Receipt{}, nil
	})
	// Output: update orders set state = 'paid', claimed = $1 where id = 7 and claimed <= $1 1
}

// A tenant can use any key, and never meets the records of another tenant.
func ExampleJoin() {
	key := func(o Order) (string, error) { return idempotency.Join(o.Tenant, o.ID), nil }
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "place order"}
	h := idempotency.Wrap(placeOrder, key, once)

	_, _ = h(context.Background(), Order{Tenant: "a", ID: "7", Amount: 100})
	_, _ = h(context.Background(), Order{Tenant: "b", ID: "7", Amount: 200})
	// Output:
	// charging 100
	// charging 200
}

func ExamplePayload() {
	a, _ := idempotency.Payload(json.RawMessage(`{"id": 7, "price": 9.50}`))
	b, _ := idempotency.Payload(json.RawMessage(`{"price":9.5,"id":7}`))
	c, _ := idempotency.Payload(map[string]float64{"id": 7, "price": 9.5})
	fmt.Println(a == b, b == c, a[:8])
	// Output: true true 43d0d817
}

// All operations of a store can share its cache.
func ExampleCache() {
	store := &storetest.Flaky{Store: &idempotency.Memory{}}
	once := idempotency.Config{Store: store, Scope: "place order", Cache: &idempotency.Cache{Entries: 10_000, Bytes: 16 << 20}}
	h := idempotency.Wrap(placeOrder, orderKey, once)

	for range 100 {
		_, _ = h(context.Background(), Order{ID: "7", Amount: 100})
	}
	fmt.Println(store.Calls(storetest.Any), "round trips")
	// Output:
	// charging 100
	// 2 round trips
}

type gobCodec struct{}

func (gobCodec) Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func (gobCodec) Unmarshal(data []byte, v any) error {
	return gob.NewDecoder(bytes.NewReader(data)).Decode(v)
}

// JSON has no complex numbers; another encoding may.
func ExampleCodec() {
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "impedance", Codec: gobCodec{}}
	measure := func(context.Context) (complex128, error) { return 50 + 3i, nil }
	for range 2 {
		fmt.Println(idempotency.Do(context.Background(), once, "7", measure))
	}
	// Output:
	// (50+3i) <nil>
	// (50+3i) <nil>
}

func ExampleReplayedError() {
	errSoldOut := errors.New("sold out")
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "reserve", Keep: func(error) bool { return true }}
	reserve := func(context.Context) (int, error) { return 0, fmt.Errorf("seat 7: %w", errSoldOut) }

	_, _ = idempotency.Do(context.Background(), once, "7", reserve)
	_, err := idempotency.Do(context.Background(), once, "7", reserve)
	var replayed *idempotency.ReplayedError
	fmt.Println(errors.As(err, &replayed), errors.Is(err, errSoldOut), err)
	// Output: true true seat 7: sold out
}

// onDisk stands for a bucket.
type onDisk map[string][]byte

func (d onDisk) Put(_ context.Context, name string, data []byte) error {
	d[name] = data
	return nil
}

func (d onDisk) Get(_ context.Context, name string) ([]byte, error) { return d[name], nil }

// small is a store for small records.
type small struct{ *idempotency.Memory }

func (small) MaxData(string) int { return 400 }

// What is too large for the store, even compressed, goes elsewhere.
func ExampleBlobs() {
	elsewhere := onDisk{}
	once := idempotency.Config{Store: small{&idempotency.Memory{}}, Scope: "thumbnail", Blobs: elsewhere}
	draw := func(context.Context) ([]byte, error) {
		fmt.Println("drawing")
		noise := make([]byte, 1000)
		_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
		return noise, nil
	}
	for range 2 {
		image, err := idempotency.Do(context.Background(), once, "7", draw)
		fmt.Println(len(image), len(elsewhere), err)
	}
	// Output:
	// drawing
	// 1000 1 <nil>
	// 1000 1 <nil>
}

// A database that keeps the records too can complete one in the transaction that has the handler's writes.
func ExampleCompletionOf() {
	store := &idempotency.Memory{}
	once := idempotency.Config{Store: store, Scope: "place order"}
	receipt, err := idempotency.Do(context.Background(), once, "7", func(ctx context.Context) (Receipt, error) {
		receipt := Receipt{"order 7 placed"}
		completion, err := idempotency.CompletionOf(ctx, receipt)
		if err != nil {
			return Receipt{}, err
		}
		// Begin a transaction, write the order, and with it:
		return receipt, store.Complete(ctx, completion)
	})
	fmt.Println(receipt.Text, err)
	// Output: order 7 placed <nil>
}
