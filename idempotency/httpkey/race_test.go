//go:build race

package httpkey_test

const raceEnabled = true
