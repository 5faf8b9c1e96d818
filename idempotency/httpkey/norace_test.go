//go:build !race

package httpkey_test

const raceEnabled = false
