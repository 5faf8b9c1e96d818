package redisstore_test

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/redisstore"
)

func ExampleNew() {
	server := miniredis.NewMiniRedis() // a Redis for examples
	if err := server.Start(); err != nil {
		panic(err)
	}
	defer server.Close()

	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true})
	defer client.Close()
	store := redisstore.New(client, "idempotency:")

	now := time.Now()
	r, err := store.Claim(context.Background(), idempotency.Claim{
		Key: "orders#1", Owner: "A", Now: now, Lease: now.Add(time.Minute), Expires: now.Add(time.Hour),
	})
	fmt.Println(r.Owner, r.Status, r.Attempt, err)
	fmt.Println(server.Keys())
	// Output:
	// A INPROGRESS 1 <nil>
	// [idempotency:orders#1]
}
