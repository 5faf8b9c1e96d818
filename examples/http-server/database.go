package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// A Database stands in for a real one. It takes 20 ms for a query, and while it stalls it answers none.
type Database struct{ stalls atomic.Bool }

func (d *Database) Query(ctx context.Context, id string) (string, error) {
	takes := 20 * time.Millisecond
	if d.stalls.Load() {
		takes = time.Hour
	}
	select {
	case <-time.After(takes):
		return fmt.Sprintf("order %s: two apples", id), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
