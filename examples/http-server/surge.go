package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"text/tabwriter"
	"time"
)

// surge sends requests to the API at base, in the good times and the bad times of its database, and prints what was
// answered.
func surge(out io.Writer, client *http.Client, base string, database *Database) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\trequests\t")
	for _, status := range statuses {
		fmt.Fprintf(table, "%d\t", status)
	}
	fmt.Fprintln(table, "slowest\t")

	var wait time.Duration
	for _, phase := range []struct {
		name       string
		requests   int
		concurrent int
		stalls     bool
	}{
		{"calm", 20, 1, false},
		{"surge", 300, 300, false},
		{"database stalls", 20, 1, true},
		{"database is back", 20, 1, false},
	} {
		time.Sleep(wait)
		database.stalls.Store(phase.stalls)
		t, err := send(client, base, phase.requests, phase.concurrent)
		if err != nil {
			return err
		}
		wait = t.retryAfter // as every client should
		fmt.Fprintf(table, "%s\t%d\t", phase.name, phase.requests)
		for _, status := range statuses {
			fmt.Fprintf(table, "%s\t", count(t.answers[status]))
		}
		fmt.Fprintf(table, "%v\t\n", t.slowest.Round(time.Millisecond))
	}
	return table.Flush()
}

var statuses = []int{200, 429, 503, 504}

func count(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

// A tally is what was answered.
type tally struct {
	mu         sync.Mutex
	answers    map[int]int
	slowest    time.Duration
	retryAfter time.Duration // the longest that was asked for
	err        error
}

// send sends so many requests, so many at once.
func send(client *http.Client, base string, requests, concurrent int) (*tally, error) {
	t := &tally{answers: map[int]int{}}
	places := make(chan struct{}, concurrent)
	var sent sync.WaitGroup
	for id := range requests {
		places <- struct{}{}
		sent.Go(func() {
			t.get(client, fmt.Sprintf("%s/orders/%d", base, id))
			<-places
		})
	}
	sent.Wait()
	return t, t.err
}

func (t *tally) get(client *http.Client, url string) {
	start := time.Now()
	response, err := client.Get(url)
	took := time.Since(start)

	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.err = err
		return
	}
	_ = response.Body.Close()
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	t.answers[response.StatusCode]++
	t.slowest = max(t.slowest, took)
	t.retryAfter = max(t.retryAfter, time.Duration(seconds)*time.Second)
}
