//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// A server is a program to be started, or started.
type server struct {
	name     string
	variable string                                    // that says where it is
	scheme   string                                    // before host:port in the variable
	install  func(ctx context.Context) error           // if it is missing
	command  func(port string) *exec.Cmd               // started in a folder of its own, if it has none
	answers  func(ctx context.Context, at string) bool // whether it does at host:port

	cmd   *exec.Cmd
	at    string
	out   bytes.Buffer
	ended chan struct{} // closed when the process has
}

func (s *server) address() string { return s.scheme + s.at }

// start installs and starts the server. What it keeps is in dir.
func (s *server) start(ctx context.Context, dir string) error {
	if err := s.install(ctx); err != nil {
		return err
	}
	var err error
	if s.at, err = freePort(); err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(s.at)
	s.cmd = s.command(port)
	if s.cmd.Dir == "" {
		s.cmd.Dir = dir
	}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that Ctrl-C ends the command first
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.ended = make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	return nil
}

// freePort is one of the loopback interface that nobody listens on at this moment.
func freePort() (at string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// tooLong is when a server that does not answer never will.
const tooLong = time.Minute

// await returns when the server answers, or why it does not.
func (s *server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tooLong)
	defer cancel()
	for !s.answers(ctx, s.at) {
		select {
		case <-s.ended:
			return fmt.Errorf("%s does not run", s.name)
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return errors.New("interrupted")
			}
			return fmt.Errorf("%s: does not answer at %s", s.name, s.at)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// stop ends the server, and says so if it has ended before, for then tests have failed that should not.
func (s *server) stop() {
	select {
	case <-s.ended:
		fmt.Fprintf(os.Stderr, "servers: %s: %v\n%s", s.name, s.cmd.ProcessState, &s.out)
	default:
		_ = s.cmd.Process.Kill() // there is nothing to save
		<-s.ended
	}
}
