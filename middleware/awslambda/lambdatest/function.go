package lambdatest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// ErrClosed is returned for invocations that [Function.Close] found waiting or running, and for later ones.
var ErrClosed = errors.New("lambdatest: the function is closed")

// Config says how a [Function] runs. The zero Config is a function with Lambda's own defaults that is part of this
// program, see [Serve].
type Config struct {
	// Command makes the command that runs one process of the function; it is called for each process. It must be the
	// function itself, not something that starts it ("go run"), which would be killed in its place. Where its Env is
	// nil the process gets this process's variables; Lambda's are added to either. The default is this program.
	Command func() *exec.Cmd

	Env     []string      // "key=value", variables of the function, as one sets them in Lambda
	Timeout time.Duration // of an invocation, from the moment the process takes it; default 3s
	Init    time.Duration // for a new process to ask for its first event; default 10s

	// Environments is how many processes the function may have at once; default 1. An invocation that finds none free
	// gets a new process, or, if there are that many already, waits.
	Environments int

	// Concurrency is how many invocations one process takes at once, as AWS_LAMBDA_MAX_CONCURRENCY has it; default 1.
	// Above 1 a process is not killed when one of its invocations times out.
	Concurrency int

	// Freeze stops a process, with what it started, while it has no invocation, as Lambda does, so that nothing happens
	// in it. Its clocks run on. It needs a Unix system.
	Freeze bool

	// Log gets all that the processes write to stdout and stderr, in whole lines, from one of them at a time. Nil is for
	// no log.
	Log io.Writer
}

// A Function is a Lambda function whose environments are processes of this machine. It may be used concurrently. Nothing
// runs before the first invocation, and nothing after Close.
type Function struct {
	name   string
	config Config
	wg     sync.WaitGroup
	log    io.Writer // of config; may be nil

	mu      sync.Mutex
	queue   []*invocation // waiting for a process
	idle    []*conn       // whose processes wait for an event, the latest last
	envs    map[*environment]bool
	started int
	closed  bool
}

// New returns the function of that name. It panics if config makes no sense, and in a process that is itself meant to
// be a function which no call of [Serve] has claimed.
func New(name string, config Config) *Function {
	switch served := os.Getenv(marker); {
	case served != "":
		panic(fmt.Sprintf("lambdatest: this process shall be the function %q: call lambdatest.Serve(%q, ...) first in main or TestMain", served, served))
	case name == "":
		panic("lambdatest: a function needs a name")
	case config.Timeout < 0 || config.Init < 0 || config.Environments < 0 || config.Concurrency < 0:
		panic("lambdatest: Timeout, Init, Environments and Concurrency must not be negative; leave them zero for the defaults")
	case config.Freeze && !canFreeze:
		panic("lambdatest: Freeze needs a Unix system")
	}
	config.Timeout = cmp.Or(config.Timeout, 3*time.Second)
	config.Init = cmp.Or(config.Init, 10*time.Second)
	config.Environments = cmp.Or(config.Environments, 1)
	config.Concurrency = cmp.Or(config.Concurrency, 1)
	f := &Function{name: name, config: config, envs: map[*environment]bool{}}
	if config.Log != nil {
		f.log = &shared{w: config.Log}
	}
	return f
}

// Invoke sends the function an event and waits for what comes of it.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Result, error) {
	return f.Send(ctx, Request{Payload: payload})
}

// Send is Invoke for an event that comes with more than its payload. A function that fails in whatever way is no error
// but Result.Err; an error is that of ctx, [ErrClosed], that the command cannot be started, or that a request with the
// same ID is under way. A function whose caller gives up is not told, it goes on to its end.
//
// Send returns when the process asks for its next event, or is gone; with a Concurrency above 1 when it has answered.
func (f *Function) Send(ctx context.Context, r Request) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	inv := newInvocation(f.name, r)
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return Result{}, ErrClosed
	}
	if f.underWay(inv.ID) {
		f.mu.Unlock()
		return Result{}, fmt.Errorf("lambdatest: a request with the ID %s is under way: each needs its own, or none", inv.ID)
	}
	f.queue = append(f.queue, inv)
	f.dispatch()
	f.mu.Unlock()

	select {
	case <-inv.done:
		return inv.result, inv.err
	case <-ctx.Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		f.queue = slices.DeleteFunc(f.queue, func(q *invocation) bool { return q == inv })
		return Result{}, ctx.Err()
	}
}

// underWay reports whether a request with that id waits or runs. f.mu is held.
func (f *Function) underWay(id string) bool {
	for e := range f.envs {
		if e.inflight[id] != nil {
			return true
		}
	}
	return slices.ContainsFunc(f.queue, func(inv *invocation) bool { return inv.ID == id })
}

// Close kills the function's processes, on Unix with all that they started, unless that has left their process group,
// and waits until they are gone. A process with an extension, such as lambda.WithEnableSIGTERM registers, gets a SIGTERM
// half a second before, as at its timeout. Close may be called twice, and always returns nil.
func (f *Function) Close() error {
	f.mu.Lock()
	f.closed = true
	for _, inv := range f.queue {
		inv.err = ErrClosed
		inv.end()
	}
	f.queue = nil
	for e := range f.envs {
		e.terminate()
	}
	f.mu.Unlock()
	f.wg.Wait()
	return nil
}

// dispatch hands waiting events to processes that ask for them, and starts processes for the rest. f.mu is held.
func (f *Function) dispatch() {
	for len(f.queue) > 0 && len(f.idle) > 0 {
		inv, last := f.queue[0], len(f.idle)-1
		c := f.idle[last]
		f.queue, f.idle = f.queue[1:], f.idle[:last]
		c.env.hand(c, inv)
	}
	unmet := len(f.queue)
	for e := range f.envs {
		unmet -= e.coming
	}
	for ; unmet > 0 && len(f.envs) < f.config.Environments && !f.closed; unmet -= f.config.Concurrency {
		f.started++
		e := newEnvironment(f, f.started)
		f.envs[e] = true
		f.wg.Go(e.run)
	}
}
