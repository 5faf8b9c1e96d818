package breaker

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall-go/seawall/internal/wall"
)

func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type call struct {
			tenth  int64
			failed bool
		}
		const width = 100
		w, now, calls := window{width: width}, time.Now(), []call(nil)
		for range rapid.IntRange(0, 100).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3*width).Draw(t, "pause")))
			if rapid.IntRange(0, 30).Draw(t, "rest") == 0 {
				now = now.Add(time.Hour)
			}
			c := call{now.UnixNano() / width, rapid.Bool().Draw(t, "failed")}
			calls = append(calls, c)
			w.add(wall.At(now), c.failed)

			var want tally
			for _, old := range calls {
				if c.tenth-old.tenth < buckets {
					want.calls++
					if old.failed {
						want.failures++
					}
				}
			}
			if w.tally != want {
				t.Fatalf("it counts %+v, want %+v", w.tally, want)
			}
		}
	})
}
