package lambdatest_test

import (
	"sync"
	"testing"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func BenchmarkInvoke(b *testing.B) {
	f := lambdatest.New("greet", lambdatest.Config{Environments: 20})
	defer f.Close()
	event := []byte(`{"name":"Ada"}`)
	work := make(chan struct{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range work {
				if _, err := f.Invoke(b.Context(), event); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
}
