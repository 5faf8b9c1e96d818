package main

import "testing"

func TestBars(t *testing.T) {
	for _, test := range []struct {
		numbers []int
		most    int
		want    string
	}{
		{[]int{0, 1, 4, 8}, 8, " ▁▄█  █ 8"},
		{[]int{0, 1, 2, 3}, 3, " ▃▆█  █ 3"},
		{[]int{1, 100}, 100, "▁█  █ 100"},
		{[]int{0, 0}, 0, "    █ 1"},
		{[]int{3, 5}, 4, "▆█  █ 4"}, // environments that were killed may have had an open breaker too
	} {
		if got := bars(test.numbers, test.most); got != test.want {
			t.Errorf("bars(%v, %d) = %q, want %q", test.numbers, test.most, got, test.want)
		}
	}
}
