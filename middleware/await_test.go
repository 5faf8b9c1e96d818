package middleware

import (
	"testing"
	"testing/synctest"
)

// A result that was there when the time was over was thrown away, half of the times.
func TestRegression_ResultAtTheVeryDeadlineCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		close(done)
		for range 100 {
			ended := make(chan ending[int])
			go func() { ended <- ending[int]{out: 7} }()
			synctest.Wait()
			if e, ok := await(ended, done); !ok || e.out != 7 {
				t.Fatal("it was not taken")
			}
		}
		if _, ok := await(make(chan ending[int]), done); ok {
			t.Error("taken, and nothing was there")
		}
	})
}
