//go:build unix

// Command servers runs a command with the servers that tests of the stores want:
//
//	go run ./internal/servers go test -race ./...
//
// It starts them on free ports of the loopback interface, waits until they answer, and tells the command where they are:
//
//	SEAWALL_TEST_REDIS     host:port  redis-server
//	SEAWALL_TEST_DYNAMODB  endpoint   dynalite
//	SEAWALL_TEST_S3        endpoint   fauxqs
//
// When the command has ended, or is interrupted, so are the servers, and nothing is left of what they kept. A variable
// that is set already is passed on as it is, and its server not started.
//
// What is missing is installed: redis-server by apt-get, if that is there and the user is root, and the others, with the
// Node.js they run on, by npm into .cache/servers. That takes half a minute, once.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code, err := run(ctx, os.Args[1:], []*server{redis(), dynamodb(), s3()})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
	}
	os.Exit(code)
}

// run returns the exit code of the command, or another one than 0 and why.
func run(ctx context.Context, command []string, servers []*server) (code int, err error) {
	if len(command) == 0 {
		return 2, errors.New("there is no command: want one, such as go test -race")
	}
	dir, err := os.MkdirTemp("", "seawall-servers-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the folder for what may be removed
	env := os.Environ()
	var started []*server
	for _, s := range servers {
		if os.Getenv(s.variable) != "" {
			continue
		}
		if err := s.start(ctx, dir); err != nil {
			return 1, err
		}
		defer s.stop()
		started = append(started, s)
		env = append(env, s.variable+"="+s.address())
	}
	for _, s := range started {
		if err := s.await(ctx); err != nil {
			return 1, err
		}
	}
	return execute(ctx, command, env)
}

// patience is how long the command may take to end when it is interrupted.
const patience = 10 * time.Second

// execute runs the command in a process group of its own, so that those whom it started end with it.
func execute(ctx context.Context, command, env []string) (code int, err error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	ended := make(chan struct{})
	defer close(ended)
	context.AfterFunc(ctx, func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		select {
		case <-time.After(patience):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		case <-ended:
		}
	})
	err = cmd.Wait()
	if ctx.Err() != nil {
		return 1, errors.New("interrupted")
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil // the command has said why
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}
