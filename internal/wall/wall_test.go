package wall

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSinceFollowsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		then := Now()
		time.Sleep(3 * time.Second)
		if got := Now().Since(then); got != 3*time.Second {
			t.Errorf("Since = %v, want 3s", got)
		}
		if got := then.Since(Now()); got != 0 {
			t.Errorf("Since a later instant = %v, want 0", got)
		}
	})
}

func TestSinceTakesTheLargerAge(t *testing.T) {
	for name, drift := range map[string]time.Duration{"frozen for an hour": time.Hour, "set back an hour": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				then := Now()
				time.Sleep(time.Second)
				thaw := Freeze(drift)
				defer thaw()
				if got, want := Now().Since(then), max(time.Second, time.Second+drift); got != want {
					t.Errorf("Since = %v, want %v", got, want)
				}
				if got := Now().Gained(then); got != drift {
					t.Errorf("Gained = %v, want %v", got, drift)
				}
			})
		})
	}
}

func TestZero(t *testing.T) {
	if !(Instant{}).IsZero() || Now().IsZero() {
		t.Error("only the zero Instant is zero")
	}
}
