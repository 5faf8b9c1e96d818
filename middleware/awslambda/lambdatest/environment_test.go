package lambdatest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
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
