//go:build linux

package lambdatest_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func TestFreeze(t *testing.T) {
	f := newFunction(t, "greet", lambdatest.Config{Freeze: true})
	for range 3 {
		result := invoke(t, f, map[string]string{"name": "Ada"})
		if string(result.Payload) != `"hello Ada"` || result.Environment != 1 {
			t.Fatalf("result %+v", result)
		}
		waitForState(t, result.PID, "T")
	}
}

// waitForState returns when the process is in that state, one of those in proc(5). One that is not there is dead, "X".
func waitForState(t *testing.T, pid int, states string) {
	t.Helper()
	for range 100_000 { // the signal is sent, but takes its time
		state := "X"
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
			state = string(stat[bytes.LastIndexByte(stat, ')')+2:][:1])
		}
		if strings.Contains(states, state) {
			return
		}
	}
	t.Fatalf("process %d does not come into state %s", pid, states)
}

// TestRegression_FunctionOutlivesParent: a function that was stopped, or hung, ran on when whoever had started it
// was killed.
func TestRegression_FunctionOutlivesParent(t *testing.T) {
	for name, state := range map[string]string{"parent of a frozen one": "T", "parent of a deaf one": "RS"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SEAWALL_LAMBDATEST="+name)
		stdin, stays, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdin = stdin
		out, err := cmd.StdoutPipe()
		if err = errors.Join(err, cmd.Start(), stdin.Close()); err != nil {
			t.Fatal(err)
		}
		var pid int
		_, err = fmt.Fscan(out, &pid)
		if err == nil {
			waitForState(t, pid, state)
		}
		if err = errors.Join(err, cmd.Process.Kill()); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		waitForState(t, pid, "XZ")
		_ = stays.Close()
	}
}

// TestRegression_GrandchildrenSurviveClose: what a function had started ran on when the function was long gone.
func TestRegression_GrandchildrenSurviveClose(t *testing.T) {
	f := lambdatest.New("brood", lambdatest.Config{Timeout: time.Minute})
	defer f.Close()
	for _, quit := range []bool{false, true} {
		var pid int
		result := invoke(t, f, quit)
		from := string(result.Payload)
		if quit {
			from = result.Log
		}
		if _, err := fmt.Sscan(from, &pid); err != nil {
			t.Fatalf("%q: %v", from, err)
		}
		if !quit {
			f.Close()
			f = lambdatest.New("brood", lambdatest.Config{Timeout: time.Minute})
		}
		waitForState(t, pid, "XZ")
	}
	f.Close()
}
