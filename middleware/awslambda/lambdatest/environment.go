package lambdatest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An environment is one process of a function and the Runtime API it talks to. Function.mu guards its fields but for
// f, number and output.
type environment struct {
	f      *Function
	number int
	output output

	cmd      *exec.Cmd              // nil until the process is started
	coming   int                    // requests for an event which the new process has yet to make
	ready    bool                   // it made one
	used     bool                   // it got an event
	frozen   bool                   // it is stopped
	late     bool                   // it did not ask in time
	ending   bool                   // it was told to end, and is killed if it does not
	initErr  *Error                 // what it reported instead
	exts     map[string]bool        // extensions that are part of it, by identifier
	inflight map[string]*invocation // by request id
	conns    map[*conn]bool
}

func newEnvironment(f *Function, number int) *environment {
	return &environment{
		f:        f,
		number:   number,
		output:   output{to: f.log},
		coming:   f.config.Concurrency,
		inflight: map[string]*invocation{},
		exts:     map[string]bool{},
		conns:    map[*conn]bool{},
	}
}

// run is the life of the process.
func (e *environment) run() {
	runtime.LockOSThread() // the process ends with the thread that started it
	defer runtime.UnlockOSThread()
	listener, cmd, err := e.start()
	if err != nil {
		e.exit(nil, fmt.Errorf("lambdatest: start %s: %w", e.f.name, err))
		return
	}
	e.f.wg.Go(func() { e.accept(listener) }) // not before e.cmd is there
	tooLate := time.AfterFunc(e.f.config.Init, e.tooLate)
	cmd.Wait() //nolint:errcheck // the state has it
	kill(cmd)  // what it has left behind
	tooLate.Stop()
	e.output.flush()
	listener.Close() //nolint:errcheck // nobody is left to talk to
	e.exit(cmd.ProcessState, nil)
}

func (e *environment) start() (net.Listener, *exec.Cmd, error) {
	// A listener for each process tells whose requests they are.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	cmd, err := e.command(listener.Addr().String())
	if err == nil && cmd.Stdin == nil {
		_, err = cmd.StdinPipe() // ends when this process does, which Serve looks for
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		listener.Close() //nolint:errcheck // it was not used
		return nil, nil, err
	}
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	e.cmd = cmd
	if e.f.closed {
		e.kill()
	}
	return listener, cmd, nil
}

func (e *environment) command(api string) (*exec.Cmd, error) {
	config := e.f.config
	var cmd *exec.Cmd
	if config.Command != nil {
		cmd = config.Command()
		cmd.Env = cmd.Environ()
	} else {
		path, err := os.Executable()
		if err != nil {
			return nil, err
		}
		cmd = exec.Command(path)
		cmd.Env = append(os.Environ(), marker+"="+e.f.name)
	}
	apart(cmd)
	cmd.Env = slices.DeleteFunc(cmd.Env, func(variable string) bool { // where this process is a function itself
		name, _, _ := strings.Cut(variable, "=")
		return name == "AWS_LAMBDA_MAX_CONCURRENCY" || name == "_LAMBDA_SERVER_PORT"
	})
	cmd.Env = append(cmd.Env,
		"AWS_LAMBDA_RUNTIME_API="+api,
		"AWS_LAMBDA_FUNCTION_NAME="+e.f.name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/"+e.f.name,
		"AWS_LAMBDA_LOG_STREAM_NAME="+strconv.Itoa(e.number),
		"AWS_REGION=us-east-1",
	)
	if config.Concurrency > 1 {
		cmd.Env = append(cmd.Env, "AWS_LAMBDA_MAX_CONCURRENCY="+strconv.Itoa(config.Concurrency))
	}
	cmd.Env = append(cmd.Env, config.Env...)
	if cmd.Stdout == nil {
		cmd.Stdout = &e.output
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &e.output
	}
	cmd.WaitDelay = time.Second // for what the process started and left behind with its stdout
	return cmd, nil
}

// kill ends the process and what it started; exit follows. f.mu is held.
func (e *environment) kill() {
	if e.cmd != nil {
		kill(e.cmd)
	}
}

// grace is how long a process with an extension has for its end, as Lambda has it for internal ones.
const grace = 500 * time.Millisecond

// terminate has the process end, which is told beforehand if it has an extension; exit follows. f.mu is held.
func (e *environment) terminate() {
	if len(e.exts) == 0 || e.cmd == nil {
		e.kill()
		return
	}
	if e.ending {
		return
	}
	e.ending = true
	e.thaw()
	if e.cmd.Process.Signal(syscall.SIGTERM) != nil { // it is gone, or has never heard of signals
		e.kill()
	}
	cmd := e.cmd
	time.AfterFunc(grace, func() {
		e.f.mu.Lock()
		defer e.f.mu.Unlock()
		if e.f.envs[e] {
			kill(cmd)
		}
	})
}

func (e *environment) thaw() {
	if e.frozen {
		e.frozen = false
		thaw(e.cmd)
	}
}

// register takes an extension that runs in the process, and returns its identifier.
func (e *environment) register() string {
	id := uuid()
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	e.exts[id] = true
	return id
}

// registered reports whether id is an extension's.
func (e *environment) registered(id string) bool {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	return e.exts[id]
}

// tooLate ends a process that has not asked for an event in time.
func (e *environment) tooLate() {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	if !e.ready {
		e.late = true
		e.kill()
	}
}

// hand gives the process of c an event. f.mu is held.
func (e *environment) hand(c *conn, inv *invocation) {
	inv.due = time.UnixMilli(time.Now().Add(e.f.config.Timeout).UnixMilli()) // as the function will read it
	inv.timer = time.AfterFunc(time.Until(inv.due), func() {
		e.f.mu.Lock()
		defer e.f.mu.Unlock()
		e.timeout(inv)
	})
	inv.result.PID, inv.result.Environment, inv.result.Cold = e.cmd.Process.Pid, e.number, !e.used
	e.used = true
	e.inflight[inv.ID] = inv
	e.thaw()
	e.f.wg.Go(func() {
		c.respond(http.StatusOK, inv.header(), inv.Payload) //nolint:errcheck // the process that hung up will exit
	})
}

// next takes the process's request for an event, which on the only thread of a process means that it is through with
// the one before.
func (e *environment) next(c *conn) {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	if e.ending {
		return
	}
	e.ready, e.coming = true, max(e.coming-1, 0)
	if e.f.config.Concurrency == 1 {
		for _, inv := range e.inflight {
			if inv.answered {
				e.end(inv)
			}
		}
	}
	e.f.idle = append(e.f.idle, c)
	e.f.dispatch()
	if e.f.config.Freeze && len(e.inflight) == 0 {
		e.frozen = true
		freeze(e.cmd)
	}
}

// receive takes a piece of a response.
func (e *environment) receive(id string, chunk []byte) {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	if inv := e.inflight[id]; inv != nil && !inv.answered {
		inv.result.Chunks = append(inv.result.Chunks, chunk)
	}
}

// answer settles an invocation with what fill makes of its result, unless its time is over. An answer to nothing is
// accepted as well: aws-lambda-go would exit over a refusal.
func (e *environment) answer(id string, fill func(*Result)) {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	inv := e.inflight[id]
	if inv == nil {
		return
	}
	if !inv.answered && !time.Now().Before(inv.due) {
		e.timeout(inv)
	}
	if !inv.answered {
		inv.answered = true
		fill(&inv.result)
	}
	if e.f.config.Concurrency > 1 {
		e.end(inv)
	}
}

// timeout settles an invocation whose time is over and ends the process that is still busy with it. f.mu is held.
func (e *environment) timeout(inv *invocation) {
	if inv.over {
		return
	}
	if !inv.answered {
		inv.fail(TimedOut, "Task timed out after %.2f seconds", e.f.config.Timeout.Seconds())
	}
	if e.f.config.Concurrency == 1 {
		e.terminate()
		return
	}
	e.settle(inv) // it stays in flight: its answer is still to come
}

// end is the end of an invocation in which the process has no more part. f.mu is held.
func (e *environment) end(inv *invocation) {
	delete(e.inflight, inv.ID)
	if !inv.over {
		e.settle(inv)
	}
}

func (e *environment) settle(inv *invocation) {
	inv.result.Log = e.output.String()
	inv.end()
}

// initError takes the process's report that it cannot begin. It will exit.
func (e *environment) initError(reported *Error) {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	e.initErr = reported
}

// exit settles what the process had in hand when it ended, or the oldest waiting invocation if it ended without ever
// asking for one: it was started for that.
func (e *environment) exit(state *os.ProcessState, err error) {
	f := e.f
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.envs, e)
	f.idle = slices.DeleteFunc(f.idle, func(c *conn) bool { return c.env == e })
	for c := range e.conns {
		c.Close() //nolint:errcheck // nobody is left to talk to
	}
	if !e.ready && len(f.queue) > 0 {
		inv := f.queue[0]
		f.queue = f.queue[1:]
		inv.err = err
		inv.result.Environment, inv.result.Cold = e.number, true
		if state != nil {
			inv.result.PID = state.Pid()
		}
		e.inflight[inv.ID] = inv
	}
	for _, inv := range e.inflight {
		if inv.over {
			continue
		}
		inv.result.Exit = state
		switch {
		case inv.answered || err != nil:
		case f.closed:
			inv.err = ErrClosed
		case e.initErr != nil:
			inv.result.Err = e.initErr
			inv.result.Payload, _ = json.Marshal(e.initErr)
		case e.late:
			inv.fail(TimedOut, "%s did not ask for its first event within %v", f.name, f.config.Init)
		case !e.ready:
			inv.fail(Exited, "Runtime exited before it asked for its first event: %v", state)
		default:
			inv.fail(Exited, "Runtime exited with error: %v", state)
		}
		e.settle(inv)
	}
	f.dispatch()
}
