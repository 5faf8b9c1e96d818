//go:build unix

package lambdatest_test

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func TestSIGTERM(t *testing.T) {
	for _, tt := range []struct {
		function string
		freeze   bool
		hears    bool // of its end
	}{
		{"act", false, false},
		{"farewell", false, true},
		{"farewell", true, true},
		{"mortal", true, false},
	} {
		t.Run(fmt.Sprint(tt.function, " freeze ", tt.freeze), func(t *testing.T) {
			var log bytes.Buffer
			f := newFunction(t, tt.function, lambdatest.Config{Log: &log, Freeze: tt.freeze, Timeout: time.Minute})
			invoke(t, f, "work")
			f.Close()
			if heard := strings.Contains(log.String(), "farewell\n"); heard != tt.hears {
				t.Errorf("log:\n%s\nwant a farewell: %v", &log, tt.hears)
			}
		})
	}
}

func TestSIGTERMAtTimeout(t *testing.T) {
	for _, tt := range []struct {
		function string
		signal   syscall.Signal // that ended it
		last     string         // what it says before
	}{
		{"act", syscall.SIGKILL, ""},
		{"farewell", syscall.SIGKILL, "farewell\n"},
		{"mortal", syscall.SIGTERM, ""},
	} {
		t.Run(tt.function, func(t *testing.T) {
			f := newFunction(t, tt.function, lambdatest.Config{Timeout: soon})
			for _, do := range []string{"hang", "wait"} {
				result := invoke(t, f, do)
				if result.Err == nil || result.Err.Type != lambdatest.TimedOut || !strings.HasSuffix(result.Log, tt.last) {
					t.Errorf("%s: Err = %v, Log = %q", do, result.Err, result.Log)
				}
				if result.Exit == nil || result.Exit.Sys().(syscall.WaitStatus).Signal() != tt.signal {
					t.Errorf("%s: Exit = %v, want it ended by %v", do, result.Exit, tt.signal)
				}
			}
			if result := invoke(t, f, "work"); string(result.Payload) != `"work"` || result.Environment != 3 {
				t.Errorf("after that: %s, %v, environment %d", result.Payload, result.Err, result.Environment)
			}
		})
	}
}
