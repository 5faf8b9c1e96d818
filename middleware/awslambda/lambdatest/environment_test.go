package lambdatest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestNoMoreProcessesThanNeeded(t *testing.T) {
	f := New("greet", Config{Environments: 5})
	defer f.Close()
	for range 5 {
		if _, err := f.Invoke(t.Context(), []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	if f.mu.Lock(); f.started != 1 {
		t.Errorf("%d processes for one invocation after the other", f.started)
	}
	f.mu.Unlock()
}

// A function does not outlive the process that started it, even if that one had no time to call Close.
func TestParentIsGone(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), marker+"=stuck")
	cmd.Stdin = strings.NewReader("") // is at its end
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
}

func TestCloseWhileAProcessStarts(t *testing.T) {
	var f *Function
	f = New("stuck", Config{Init: time.Hour, Env: []string{marker + "=stuck"}, Command: func() *exec.Cmd {
		f.mu.Lock()
		f.closed = true
		f.mu.Unlock()
		return exec.Command(os.Args[0])
	}})
	inv := newInvocation("stuck", Request{})
	f.mu.Lock()
	f.queue = append(f.queue, inv)
	f.dispatch()
	f.mu.Unlock()
	f.wg.Wait() // for an hour, if nobody killed the process
	if !errors.Is(inv.err, ErrClosed) {
		t.Errorf("err = %v, want ErrClosed", inv.err)
	}
}

// An answer that was sent after the deadline may arrive before the timer has fired.
func TestLateAnswer(t *testing.T) {
	f := New("late", Config{Concurrency: 2, Timeout: 2 * time.Second})
	e := newEnvironment(f, 1)
	inv := newInvocation("late", Request{ID: "1"})
	inv.due = time.Now()
	e.inflight["1"] = inv
	e.answer("1", func(*Result) { t.Error("the answer counts") })
	<-inv.done
	if e := inv.result.Err; e == nil || e.Type != TimedOut || !strings.Contains(e.Message, "2.00 seconds") {
		t.Errorf("Err = %v", e)
	}
}

func TestForgetsClosedConnection(t *testing.T) {
	f := New("fickle", Config{})
	e := newEnvironment(f, 1)
	ours, theirs := net.Pipe()
	c := &conn{ours, e}
	served := make(chan struct{})
	go func() {
		c.serve()
		close(served)
	}()
	_, err := theirs.Write([]byte("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\nGET"))
	if err = errors.Join(err, theirs.Close()); err != nil {
		t.Fatal(err)
	}
	<-served
	if !e.ready || len(f.idle) != 0 {
		t.Errorf("asked: %v, %d connections wait for an event", e.ready, len(f.idle))
	}
}

func TestForgetsDeadProcess(t *testing.T) {
	f := New("dead", Config{})
	e := newEnvironment(f, 1)
	e.ready = true
	f.envs[e] = true
	f.idle = []*conn{{env: e}}
	e.exit(nil, nil)
	if len(f.idle) != 0 || len(f.envs) != 0 {
		t.Errorf("%d connections, %d processes are left", len(f.idle), len(f.envs))
	}
}

func TestForgetsCallerInQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New("busy", Config{})
		f.envs[&environment{}] = true
		ctx, cancel := context.WithCancel(t.Context())
		go f.Send(ctx, Request{})
		synctest.Wait()
		if len(f.queue) != 1 {
			t.Fatalf("%d wait, want 1", len(f.queue))
		}
		cancel()
		synctest.Wait()
		if len(f.queue) != 0 {
			t.Errorf("%d wait after the caller gave up", len(f.queue))
		}
	})
}

// A process that cannot be started has all it would have been started with.
func unstarted(t *testing.T, config Config) []string {
	t.Helper()
	var cmd *exec.Cmd
	config.Command = func() *exec.Cmd {
		cmd = exec.Command("/nowhere/bootstrap")
		return cmd
	}
	f := New("ghost", config)
	defer f.Close()
	if _, err := f.Invoke(t.Context(), nil); err == nil {
		t.Fatal("it was started")
	}
	return cmd.Env
}

// TestRegression_InheritedConcurrency: in a function, or beside its variables, a test's function took many events at once.
func TestRegression_InheritedConcurrency(t *testing.T) {
	t.Setenv("AWS_LAMBDA_MAX_CONCURRENCY", "8")
	t.Setenv("_LAMBDA_SERVER_PORT", "8080")
	for _, variable := range unstarted(t, Config{}) {
		if strings.HasPrefix(variable, "AWS_LAMBDA_MAX_CONCURRENCY=") || strings.HasPrefix(variable, "_LAMBDA_SERVER_PORT=") {
			t.Errorf("the function has %s", variable)
		}
	}
	if env := unstarted(t, Config{Concurrency: 2}); !slices.Contains(env, "AWS_LAMBDA_MAX_CONCURRENCY=2") {
		t.Errorf("the function has %q", env)
	}
}

func TestListensForThisMachineOnly(t *testing.T) {
	if env := unstarted(t, Config{}); !slices.ContainsFunc(env, func(variable string) bool {
		return strings.HasPrefix(variable, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:")
	}) {
		t.Errorf("the function has %q", env)
	}
}

// TestRegression_TwoRequestsWithOneID: of two invocations with the same ID, one was never answered.
func TestRegression_TwoRequestsWithOneID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New("busy", Config{})
		running := newInvocation("busy", Request{ID: "running"})
		f.envs[&environment{inflight: map[string]*invocation{"running": running}}] = true
		ctx, cancel := context.WithCancel(t.Context())
		go f.Send(ctx, Request{ID: "waiting"})
		synctest.Wait()
		for _, id := range []string{"running", "waiting"} {
			if _, err := f.Send(ctx, Request{ID: id}); err == nil || !strings.Contains(err.Error(), "ID "+id+" is under way") {
				t.Errorf("err = %v, want that %s is under way", err, id)
			}
		}
		cancel()
		synctest.Wait()
		if f.underWay("waiting") {
			t.Error("it is under way after its caller gave up")
		}
	})
}

func TestPayloadIsCopied(t *testing.T) {
	payload := []byte("abc")
	inv := newInvocation("f", Request{Payload: payload})
	if copy(payload, "ABC"); string(inv.Payload) != "abc" {
		t.Errorf("Payload became %s", inv.Payload)
	}
}

func TestChunksAfterTheAnswer(t *testing.T) {
	e := newEnvironment(New("f", Config{}), 1)
	inv := newInvocation("f", Request{ID: "1"})
	e.inflight["1"] = inv
	e.receive("1", []byte("before"))
	inv.answered = true
	e.receive("1", []byte("after"))
	if len(inv.result.Chunks) != 1 {
		t.Errorf("Chunks = %q", inv.result.Chunks)
	}
}

func TestProcessesOnTheirWayCount(t *testing.T) {
	for _, tt := range []struct{ concurrency, waiting, coming, want int }{
		{1, 1, 0, 1},
		{1, 1, 1, 0},
		{1, 3, 1, 2},
		{4, 4, 0, 1},
		{4, 5, 0, 2},
		{4, 5, 1, 1},
	} {
		f := New("ghost", Config{Environments: 9, Concurrency: tt.concurrency, Command: func() *exec.Cmd { return exec.Command("/nowhere/bootstrap") }})
		f.mu.Lock()
		f.envs[&environment{f: f, coming: tt.coming}] = true
		for range tt.waiting {
			f.queue = append(f.queue, newInvocation("ghost", Request{}))
		}
		f.dispatch()
		if f.started != tt.want {
			t.Errorf("%+v: %d processes were started", tt, f.started)
		}
		f.mu.Unlock()
		f.Close()
	}
}

func TestServe(t *testing.T) {
	Serve("", func() { t.Error("a process without a name is a function") })
	Serve("greet", func() { t.Error("this process is a function") })

	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), marker+"=brief")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if out, err := cmd.Output(); err != nil || len(out) > 0 {
		t.Errorf("a function that has returned went on with %q, %v", out, err)
	}
}
