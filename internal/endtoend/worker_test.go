//go:build unix

package endtoend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

// A task is what a worker has to do.
type task struct {
	Store     store
	Ledger    string // its URL
	Key       string
	Impatient bool // does not send again what the store did not reply to
	Fail      bool // before the effect
	Serve     bool // requests over HTTP, until it is killed
}

// An answer is what a worker says in the end.
type answer struct {
	Receipt string
	Error   string
	Outcome string
}

// failed is a without the outcome if it is an error: whether the loss of the record is noticed too is a matter of luck.
func (a answer) failed() answer {
	if a.Error != "" {
		a.Outcome = ""
	}
	return a
}

const (
	lease   = 300 * time.Millisecond
	mission = "SEAWALL_ENDTOEND_TASK"
)

// operation is the call that is made once, as all processes know it.
func operation(s idempotency.Store, ledger string) idempotency.Config {
	return idempotency.Config{
		Store: s,
		Scope: "endtoend",
		Lease: lease,
		Skew:  -1,
		Wait:  time.Minute,
		Reconcile: func(ctx context.Context, run idempotency.Abandoned) (result any, done bool, err error) {
			status, receipt, err := ask(ctx, ledger, "settle", run.Key)
			return receipt, status == http.StatusOK, err
		},
	}
}

func isWorker() bool { return os.Getenv(mission) != "" }

// work is the life of a worker.
func work() {
	var t task
	if err := json.Unmarshal([]byte(os.Getenv(mission)), &t); err != nil {
		panic(err)
	}
	opened, _ := t.Store.open(t.Impatient)
	if t.Serve {
		t.serve(opened)
	}
	ctx, outcome := idempotency.Watch(context.Background())
	receipt, err := idempotency.Do(ctx, operation(opened, t.Ledger), t.Key, t.handle)
	a := answer{Receipt: receipt, Outcome: outcome().String()}
	if err != nil {
		a.Error = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		panic(err)
	}
}

// handle does not look whether its context is over: not all handlers do.
func (t task) handle(ctx context.Context) (receipt string, err error) {
	if _, _, err := ask(ctx, t.Ledger, "begin", t.Key); err != nil {
		return "", err
	}
	if t.Fail {
		return "", errors.New("declined")
	}
	status, text, err := ask(ctx, t.Ledger, "enter", t.Key)
	if err == nil && status != http.StatusOK {
		return "", errors.New(strings.TrimSpace(text))
	}
	return text, err
}

// A worker is a process at work.
type worker struct {
	cmd      *exec.Cmd
	out, log bytes.Buffer
}

func start(t *testing.T, mine task, files ...*os.File) *worker {
	t.Helper()
	encoded, err := json.Marshal(mine)
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{cmd: exec.Command(os.Args[0])}
	w.cmd.Env = append(os.Environ(), mission+"="+string(encoded), "GORACE=atexit_sleep_ms=0")
	w.cmd.Stdout, w.cmd.Stderr, w.cmd.ExtraFiles = &w.out, &w.log, files
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w.cmd.ProcessState == nil {
			w.kill(t)
		}
	})
	return w
}

// answer is what the worker says when it has ended.
func (w *worker) answer(t *testing.T) (a answer) {
	t.Helper()
	err := w.cmd.Wait()
	if err == nil {
		err = json.Unmarshal(w.out.Bytes(), &a)
	}
	if err != nil {
		t.Fatalf("the worker ended with %v\n%s%s", err, &w.out, &w.log)
	}
	return a
}

func (w *worker) kill(t *testing.T) {
	t.Helper()
	w.signal(t, syscall.SIGKILL)
	w.cmd.Wait()
}

// pause returns when the worker has stopped.
func (w *worker) pause(t *testing.T) {
	t.Helper()
	w.signal(t, syscall.SIGSTOP)
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(w.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil || !status.Stopped():
			t.Fatalf("the worker did not stop: %v, %v", status, err)
		default:
			return
		}
	}
}

func (w *worker) resume(t *testing.T) {
	t.Helper()
	w.signal(t, syscall.SIGCONT)
}

func (w *worker) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		t.Fatal(fmt.Errorf("%v: %w", s, err))
	}
}
