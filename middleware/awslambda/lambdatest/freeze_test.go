//go:build linux

package lambdatest_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func TestFreeze(t *testing.T) {
	f := newFunction(t, "greet", lambdatest.Config{Freeze: true})
	for range 3 {
		result := invoke(t, f, map[string]string{"name": "Ada"})
		if string(result.Payload) != `"hello Ada"` || result.Environment != 1 {
			t.Fatalf("result %+v", result)
		}
		for try := 0; ; try++ { // the signal is sent, but takes its time
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", result.PID))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(stat, []byte(") T ")) {
				break
			}
			if try == 100_000 {
				t.Fatalf("the process is not stopped: %s", stat)
			}
		}
	}
}
