package lambdatest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func TestInvoke(t *testing.T) {
	f := newFunction(t, "greet", lambdatest.Config{})
	first, second := invoke(t, f, map[string]string{"name": "Ada"}), invoke(t, f, map[string]string{"name": "Bob"})
	if got := string(first.Payload); got != `"hello Ada"` || first.Err != nil {
		t.Errorf("Payload = %s, Err = %v", got, first.Err)
	}
	if first.ContentType != "application/json" {
		t.Errorf("ContentType = %q", first.ContentType)
	}
	if got := string(second.Payload); got != `"hello Bob"` {
		t.Errorf("second Payload = %s", got)
	}
	if !first.Cold || second.Cold || first.PID == os.Getpid() || first.PID != second.PID || first.Environment != 1 || second.Environment != 1 {
		t.Errorf("not one new process for both: %+v, %+v", first, second)
	}
	if first.Exit != nil {
		t.Errorf("Exit = %v, but the process lives on", first.Exit)
	}
}

func TestRequest(t *testing.T) {
	f := newFunction(t, "seen", lambdatest.Config{Env: []string{"COLOR=blue"}, Timeout: time.Minute})
	deadline := time.UnixMilli(12345)
	result, err := f.Send(t.Context(), lambdatest.Request{
		Payload: []byte(`{"n":1}`), ID: "id-1", ARN: "arn:x", TraceID: "Root=1", TenantID: "t1",
		ClientContext: `{"custom":{"k":"v"}}`, CognitoIdentity: `{"CognitoIdentityID":"c1"}`, Deadline: deadline,
	})
	if err != nil || result.Err != nil {
		t.Fatal(err, result.Err)
	}
	var got map[string]any
	if err := json.Unmarshal(result.Payload, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"event": map[string]any{"n": 1.0}, "id": "id-1", "arn": "arn:x", "trace": "Root=1", "tenant": "t1",
		"client": "v", "cognito": "c1", "deadline": 12345.0,
		"function": "seen", "version": "$LATEST", "group": "/aws/lambda/seen", "stream": "1", "memory": 128.0,
		"concurrency": 1.0, "color": "blue", "region": "us-east-1",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the function saw\n%v, want\n%v", got, want)
	}
}

func TestRequestDefaults(t *testing.T) {
	f := newFunction(t, "seen", lambdatest.Config{Timeout: time.Minute})
	before := time.Now()
	a, b := invoke(t, f, 1), invoke(t, f, 2)
	var first, second struct {
		ID, ARN, Trace string
		Deadline       int64
	}
	if err := errors.Join(json.Unmarshal(a.Payload, &first), json.Unmarshal(b.Payload, &second)); err != nil {
		t.Fatal(err)
	}
	if len(first.ID) != 36 || first.ID == second.ID {
		t.Errorf("request ids %q, %q", first.ID, second.ID)
	}
	if !strings.HasPrefix(first.Trace, "Root=1-") || first.Trace == second.Trace {
		t.Errorf("trace ids %q, %q", first.Trace, second.Trace)
	}
	if !strings.HasSuffix(first.ARN, ":function:seen") {
		t.Errorf("ARN %q", first.ARN)
	}
	// The deadline is a minute from some moment between before and now.
	if told := time.UnixMilli(first.Deadline); told.Before(before.Truncate(time.Millisecond).Add(time.Minute)) || told.After(time.Now().Add(time.Minute)) {
		t.Errorf("deadline %v", told)
	}
}

func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		do, errorType, message string
		exit                   int // -2: it lives on, -1: killed
	}{
		{"fail", "mineError", "no stock", -2},
		{"panic", "mineError", "no hope", 1},
		{"crash", lambdatest.Exited, "Runtime exited with error: exit status 2", 2},
		{"quit", lambdatest.Exited, "Runtime exited with error: exit status 0", 0},
		{"hang", lambdatest.TimedOut, "Task timed out after 1.00 seconds", -1},
		{"wait", lambdatest.TimedOut, "Task timed out after 1.00 seconds", -1},
	} {
		t.Run(tt.do, func(t *testing.T) {
			config := lambdatest.Config{Timeout: time.Minute}
			if tt.errorType == lambdatest.TimedOut {
				config.Timeout = soon
			}
			f := newFunction(t, "act", config)
			result := invoke(t, f, tt.do)
			if result.Err == nil || result.Err.Type != tt.errorType || !strings.HasSuffix(result.Err.Message, tt.message) {
				t.Fatalf("Err = %v, want %s: %s", result.Err, tt.errorType, tt.message)
			}
			var payload lambdatest.Error
			if err := json.Unmarshal(result.Payload, &payload); err != nil || payload.Type != tt.errorType {
				t.Errorf("Payload = %s", result.Payload)
			}
			if tt.exit == -2 {
				if result.Exit != nil {
					t.Errorf("Exit = %v, want none", result.Exit)
				}
			} else if result.Exit == nil || result.Exit.ExitCode() != tt.exit {
				t.Errorf("Exit = %v, want code %d", result.Exit, tt.exit)
			}

			next := invoke(t, f, "carry on")
			if string(next.Payload) != `"carry on"` {
				t.Errorf("the next invocation: %s, %v", next.Payload, next.Err)
			}
			if died := result.Exit != nil; next.Cold != died || (next.PID != result.PID) != died || (next.Environment == 2) != died {
				t.Errorf("died: %v, the next invocation's process: %d %d %v", died, next.PID, next.Environment, next.Cold)
			}
		})
	}
}

func TestPanicHasItsStack(t *testing.T) {
	result := invoke(t, newFunction(t, "act", lambdatest.Config{}), "panic")
	var found bool
	for _, frame := range result.Err.Stack {
		found = found || strings.Contains(frame.Path, "main_test.go") && frame.Line > 0 && strings.HasSuffix(frame.Label, "act")
	}
	if !found {
		t.Errorf("Stack = %v, want the handler in it", result.Err.Stack)
	}
	if !strings.Contains(result.Err.Cause, `"paths":[`) {
		t.Errorf("Cause = %q, want X-Ray's JSON", result.Err.Cause)
	}
}

func TestLog(t *testing.T) {
	var all bytes.Buffer
	f := newFunction(t, "act", lambdatest.Config{Log: &all})
	if result := invoke(t, f, "crash"); !strings.Contains(result.Log, "panic: elsewhere") {
		t.Errorf("Log = %q", result.Log)
	}
	result := invoke(t, f, "shout")
	if len(result.Log) != 16<<10 || !strings.Contains(result.Log, "xend") || !strings.Contains(result.Log, "after the shout") {
		t.Errorf("Log of %d bytes, want the last 16 KiB: ...%q", len(result.Log), result.Log[len(result.Log)-200:])
	}
	f.Close()
	if all.Len() < 64<<10 || !strings.Contains(all.String(), "panic: elsewhere") {
		t.Errorf("%d bytes came to Config.Log", all.Len())
	}
}

func TestBadStart(t *testing.T) {
	for _, tt := range []struct {
		function, errorType, message, log string
		config                            lambdatest.Config
	}{
		{function: "stuck", errorType: lambdatest.TimedOut, message: "stuck did not ask for its first event within 200ms", config: lambdatest.Config{Init: 200 * time.Millisecond}},
		{function: "stillborn", errorType: lambdatest.Exited, message: "Runtime exited before it asked for its first event: exit status 7", log: "no database"},
		{function: "sorry", errorType: "Config.Missing", message: "no table"},
		{function: "nobody", errorType: lambdatest.Exited, message: "exit status 2", log: `call lambdatest.Serve("nobody", ...) first`},
	} {
		t.Run(tt.function, func(t *testing.T) {
			f := newFunction(t, tt.function, tt.config)
			for n := 1; n <= 2; n++ {
				result := invoke(t, f, nil)
				if result.Err == nil || result.Err.Type != tt.errorType || !strings.HasSuffix(result.Err.Message, tt.message) {
					t.Fatalf("Err = %v, want %s: %s", result.Err, tt.errorType, tt.message)
				}
				if !strings.Contains(result.Log, tt.log) {
					t.Errorf("Log = %s", result.Log)
				}
				if result.Exit == nil || result.Environment != n || result.PID == 0 || !result.Cold || len(result.Payload) == 0 {
					t.Errorf("result %+v", result)
				}
			}
		})
	}
}

func TestCommandIsNotThere(t *testing.T) {
	f := newFunction(t, "ghost", lambdatest.Config{Command: otherProgram("/nowhere/bootstrap")})
	if result, err := f.Invoke(t.Context(), nil); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "start ghost") {
		t.Errorf("err = %v, result %+v", err, result)
	}
}

func TestCommand(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	f := newFunction(t, "greet", lambdatest.Config{Env: []string{"SEAWALL_LAMBDATEST=act"}, Command: func() *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Stderr = &out
		return cmd
	}})
	if result := invoke(t, f, "crash"); result.Err == nil || !strings.Contains(out.String(), "panic: elsewhere") {
		t.Errorf("Err = %v, stderr %q", result.Err, out.String())
	}
}

func TestStream(t *testing.T) {
	f := newFunction(t, "stream", lambdatest.Config{})
	result := invoke(t, f, []string{"a", "bb", "ccc", "d", "e"})
	if got := fmt.Sprintf("%s", result.Chunks); got != "[a bb ccc d e]" || string(result.Payload) != "abbcccde" {
		t.Errorf("Chunks = %s, Payload = %s", got, result.Payload)
	}
	if result.ContentType != "text/plain" || result.Err != nil {
		t.Errorf("ContentType = %q, Err = %v", result.ContentType, result.Err)
	}
}

func TestTornStream(t *testing.T) {
	f := newFunction(t, "stream", lambdatest.Config{})
	result := invoke(t, f, []string{"a", "bb", "", "lost"})
	if string(result.Payload) != "abb" {
		t.Errorf("Payload = %s, want what came before", result.Payload)
	}
	if result.Err == nil || result.Err.Type != "mineError" || result.Err.Message != "torn" {
		t.Errorf("Err = %v", result.Err)
	}
	if got := result.Trailer.Get("Lambda-Runtime-Function-Error-Type"); got != "mineError" {
		t.Errorf("Trailer = %v", result.Trailer)
	}
	body, err := base64.StdEncoding.DecodeString(result.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
	if err != nil || !strings.Contains(string(body), "torn") {
		t.Errorf("trailer's body = %s", body)
	}
}

func TestFunctionURLStream(t *testing.T) {
	result := invoke(t, newFunction(t, "site", lambdatest.Config{}), struct{}{})
	if got, want := fmt.Sprintf("%q", result.Chunks), `["{\"statusCode\":201}\x00\x00\x00\x00\x00\x00\x00\x00" "one" "two"]`; got != want {
		t.Errorf("Chunks = %s, want %s", got, want)
	}
	if result.ContentType != "application/vnd.awslambda.http-integration-response" {
		t.Errorf("ContentType = %q", result.ContentType)
	}
}

func TestOtherRuntime(t *testing.T) {
	f := newFunction(t, "other runtime", lambdatest.Config{})
	for range 2 {
		result := invoke(t, f, 1)
		if string(result.Payload) != "<p>" || len(result.Chunks) != 1 || result.ContentType != "text/html" {
			t.Errorf("result %+v", result)
		}
	}
}

// meeting is a server that answers its visitors when n of them are there.
func meeting(t *testing.T, n int, answer func(visitor int) string) string {
	var mu sync.Mutex
	var there int
	all := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		there++
		visitor := there
		if there == n {
			close(all)
		}
		mu.Unlock()
		select {
		case <-all:
			fmt.Fprint(w, answer(visitor))
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func visit(t *testing.T, f *lambdatest.Function, n int, url string) []lambdatest.Result {
	results := make([]lambdatest.Result, n)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = invoke(t, f, url) })
	}
	wg.Wait()
	return results
}

func TestConcurrency(t *testing.T) {
	const n = 16
	f := newFunction(t, "meet", lambdatest.Config{Environments: 3, Concurrency: n, Timeout: time.Minute})
	for _, result := range visit(t, f, n, meeting(t, n, func(int) string { return "met" })) {
		if string(result.Payload) != `"met"` || result.Environment != 1 {
			t.Errorf("result %s %v of process %d", result.Payload, result.Err, result.Environment)
		}
	}
}

func TestEnvironments(t *testing.T) {
	const n = 3
	f := newFunction(t, "meet", lambdatest.Config{Environments: n, Timeout: time.Minute})
	processes := map[int]int{}
	for _, together := range []int{1, n, n, 1} {
		for _, result := range visit(t, f, together, meeting(t, together, func(int) string { return "met" })) {
			if string(result.Payload) != `"met"` {
				t.Errorf("result %s %v", result.Payload, result.Err)
			}
			if result.Cold != (processes[result.PID] == 0) {
				t.Errorf("Cold = %v, but the process had %d invocations", result.Cold, processes[result.PID])
			}
			processes[result.PID]++
		}
	}
	if len(processes) != n {
		t.Errorf("%d processes, want %d", len(processes), n)
	}
}

func TestCallersQueue(t *testing.T) {
	f := newFunction(t, "meet", lambdatest.Config{Timeout: time.Minute})
	for _, result := range visit(t, f, 5, meeting(t, 1, func(int) string { return "met" })) {
		if string(result.Payload) != `"met"` || result.Environment != 1 {
			t.Errorf("result %s %v of process %d", result.Payload, result.Err, result.Environment)
		}
	}
}

func TestPanicBesideOthers(t *testing.T) {
	const n = 4
	f := newFunction(t, "meet", lambdatest.Config{Concurrency: n, Timeout: time.Minute})
	url := meeting(t, n, func(visitor int) string {
		if visitor == 1 {
			return "panic"
		}
		return "met"
	})
	var panicked int
	for _, result := range visit(t, f, n, url) {
		switch {
		case result.Err != nil && result.Err.Message == "told so":
			panicked++
		case string(result.Payload) != `"met"`:
			t.Errorf("result %s %v", result.Payload, result.Err)
		}
	}
	if panicked != 1 {
		t.Errorf("%d panics, want 1", panicked)
	}
}

func TestTimeoutBesideOthers(t *testing.T) {
	f := newFunction(t, "meet", lambdatest.Config{Concurrency: 2, Timeout: soon})
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	slow := invoke(t, f, server.URL)
	if slow.Err == nil || slow.Err.Type != lambdatest.TimedOut || slow.Exit != nil {
		t.Errorf("Err = %v, Exit = %v", slow.Err, slow.Exit)
	}
	close(release) // the late answer must harm nobody
	for range 3 {
		if next := invoke(t, f, server.URL); next.PID != slow.PID || next.Err != nil {
			t.Errorf("PID = %d, Err = %v; want the process to live on", next.PID, next.Err)
		}
	}
}

func TestCallerGivesUp(t *testing.T) {
	f := newFunction(t, "meet", lambdatest.Config{Timeout: time.Minute})
	invoke(t, f, meeting(t, 1, func(int) string { return "warm" }))

	ctx, cancel := context.WithCancel(t.Context())
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		once.Do(func() { close(arrived) })
		<-release
	}))
	defer server.Close()
	event, _ := json.Marshal(server.URL)

	errs := make(chan error, 2)
	go func() {
		_, err := f.Invoke(ctx, event)
		errs <- err
	}()
	<-arrived
	go func() { // waits in the queue
		_, err := f.Invoke(ctx, event)
		errs <- err
	}()
	cancel()
	for range 2 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v, want context.Canceled", err)
		}
	}
	if _, err := f.Invoke(ctx, event); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want context.Canceled", err)
	}
	close(release)
	if result := invoke(t, f, server.URL); result.Err != nil || result.Environment != 1 {
		t.Errorf("after that: %+v", result)
	}
}

func TestClose(t *testing.T) {
	f := lambdatest.New("meet", lambdatest.Config{Timeout: time.Minute, Freeze: runtime.GOOS != "windows"})
	warm := invoke(t, f, meeting(t, 1, func(int) string { return "warm" }))
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	defer server.Close()
	event, _ := json.Marshal(server.URL)
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := f.Invoke(t.Context(), event)
			errs <- err
		}()
	}
	<-arrived
	f.Close()
	if p, err := os.FindProcess(warm.PID); err == nil && p.Signal(syscall.Signal(0)) == nil {
		t.Errorf("process %d is still there", warm.PID)
	}
	f.Close()
	for range 2 {
		if err := <-errs; !errors.Is(err, lambdatest.ErrClosed) {
			t.Errorf("err = %v, want ErrClosed", err)
		}
	}
	if _, err := f.Invoke(t.Context(), event); !errors.Is(err, lambdatest.ErrClosed) {
		t.Errorf("err = %v, want ErrClosed", err)
	}
}

func TestCloseUnused(*testing.T) {
	lambdatest.New("greet", lambdatest.Config{}).Close()
}

func TestNewPanics(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config lambdatest.Config
		want   string
	}{
		{"", lambdatest.Config{}, "needs a name"},
		{"f", lambdatest.Config{Timeout: -1}, "must not be negative"},
		{"f", lambdatest.Config{Init: -1}, "must not be negative"},
		{"f", lambdatest.Config{Environments: -1}, "must not be negative"},
		{"f", lambdatest.Config{Concurrency: -1}, "must not be negative"},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "lambdatest: ") || !strings.Contains(got, tt.want) {
					t.Errorf("New(%q, %+v) panics with %q, want %q", tt.name, tt.config, got, tt.want)
				}
			}()
			lambdatest.New(tt.name, tt.config)
		}()
	}
}
