package main

import (
	"fmt"
	"testing"
	"time"
)

func TestJournalOpen(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	second := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	var j journal
	log := func(at int, environment, kind, from, to string, wait time.Duration) {
		fmt.Fprintf(&j, `{"time":%q,"msg":%q,"environment":%q,"policy":"breaker","from":%q,"to":%q,"wait":%d}`+"\n",
			second(at).Format(time.RFC3339Nano), kind, environment, from, to, wait)
	}
	fmt.Fprintln(&j, "START RequestId: 1\n{\"level\":\"INFO\"}")
	log(1, "a", "transition", "closed", "open", 0)
	log(2, "b", "transition", "closed", "open", 0)
	log(3, "a", "refusal", "", "", 4*time.Second)
	log(8, "a", "transition", "open", "half-open", 0)
	log(9, "a", "transition", "half-open", "open", 0)
	log(9, "a", "refusal", "", "", 5*time.Second)
	log(15, "a", "transition", "open", "half-open", 0)
	log(16, "a", "transition", "half-open", "closed", 0)

	want := []span{
		{"a", second(1), second(7)},
		{"b", second(2), second(2)},
		{"a", second(8), second(14)},
		{"a", second(15), second(16)},
	}
	if got := j.open(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := j.count("breaker", "refusal"); n != 2 {
		t.Errorf("%d refusals, want 2", n)
	}
	if closed := j.transitions("half-open", "closed"); len(closed) != 1 || !closed[0].Equal(second(16)) {
		t.Errorf("closed at %v, want %v", closed, second(16))
	}
}
