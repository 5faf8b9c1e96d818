//go:build unix

package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The programs that tests run are this one, in roles.
func TestMain(m *testing.M) {
	switch os.Getenv("ROLE") {
	case "":
		os.Exit(m.Run())
	case "server":
		panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.NotFoundHandler()))
	case "broken server":
		io.WriteString(os.Stderr, "no memory\n")
		os.Exit(7)
	case "client": // exits with 5 if the server is there, and with 6 if not
		if !speaksHTTP(context.Background(), strings.TrimPrefix(os.Getenv("SEAWALL_TEST_FAKE"), "fake://")) {
			os.Exit(6)
		}
		os.Exit(5)
	case "parent":
		os.Setenv("ROLE", "child")
		child := exec.Command(os.Args[0])
		if err := child.Run(); err != nil {
			os.Exit(1)
		}
	case "child": // is there until its connection is cut
		conn, err := net.Dial("tcp", os.Getenv("TEST_ADDRESS"))
		if err != nil {
			os.Exit(1)
		}
		io.Copy(io.Discard, conn)
	}
}

// fake is a server that is this program in a role.
func fake(role string) *server {
	return &server{
		name:     "fake",
		variable: "SEAWALL_TEST_FAKE",
		scheme:   "fake://",
		install:  func(context.Context) error { return nil },
		command: func(port string) *exec.Cmd {
			cmd := exec.Command(os.Args[0], port)
			cmd.Env = append(os.Environ(), "ROLE="+role)
			return cmd
		},
		answers: speaksHTTP,
	}
}

func TestServersAreThereForTheCommandAndNotAfter(t *testing.T) {
	s := fake("server")
	t.Setenv("ROLE", "client")
	code, err := run(t.Context(), []string{os.Args[0]}, []*server{s})
	if code != 5 || err != nil {
		t.Errorf("run = %d, %v; want the command's 5", code, err)
	}
	if s.cmd.ProcessState == nil || speaksHTTP(t.Context(), s.at) {
		t.Error("the server is still there")
	}
	if _, err := os.Stat(s.cmd.Dir); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
}

func TestAServerThatTheEnvironmentNamesIsNotStarted(t *testing.T) {
	s := fake("broken server")
	t.Setenv("SEAWALL_TEST_FAKE", "fake://127.0.0.1:1")
	t.Setenv("ROLE", "client")
	if code, err := run(t.Context(), []string{os.Args[0]}, []*server{s}); code != 6 || err != nil || s.cmd != nil {
		t.Errorf("run = %d, %v; want the command's 6, and nothing started", code, err)
	}
}

func TestAServerThatDoesNotRunEndsTheOthers(t *testing.T) {
	good, bad := fake("server"), fake("broken server")
	code, err := run(t.Context(), []string{"false"}, []*server{good, bad})
	if code == 0 || err == nil || err.Error() != "fake does not run" {
		t.Errorf("run = %d, %v; want that fake does not run", code, err)
	}
	if !strings.Contains(bad.out.String(), "no memory") {
		t.Errorf("it said %q, want its reason", &bad.out)
	}
	if good.cmd.ProcessState == nil {
		t.Error("the other server is still there")
	}
}

// Ctrl-C reaches this process only. The command ends, and those whom it has started.
func TestInterruptEndsAll(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := fake("server")
	t.Setenv("ROLE", "parent")
	t.Setenv("TEST_ADDRESS", l.Addr().String())
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := run(ctx, []string{os.Args[0]}, []*server{s})
		ended <- err
	}()
	child, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	interrupt()
	if err := <-ended; err == nil || err.Error() != "interrupted" {
		t.Errorf("run: %v, want interrupted", err)
	}
	child.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := child.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the command's child is still there: %v", err)
	}
	if s.cmd.ProcessState == nil {
		t.Error("the server is still there")
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", t.TempDir())
	for _, test := range []struct {
		server  *server
		command string
		want    string
	}{
		{redis(), "true", "redis-server is missing: install Redis (apt-get install redis-server"},
		{dynamodb(), "true", "npm is missing: install Node.js"},
		{s3(), "true", "npm is missing: install Node.js"},
		{fake("server"), "", "there is no command: want one"},
		{fake("server"), "no-such-program", `exec: "no-such-program": executable file not found`},
	} {
		t.Setenv(test.server.variable, "")
		code, err := run(t.Context(), strings.Fields(test.command), []*server{test.server})
		if code == 0 || err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("run = %d, %v; want %s", code, err, test.want)
		}
	}
}

// What is missing is installed once: the programs are scripts that tell what they were asked to do.
func TestMissingServersAreInstalled(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can install with apt-get")
	}
	t.Chdir(t.TempDir())
	path := t.TempDir()
	t.Setenv("PATH", path)
	asked := path + "/asked"
	for _, name := range []string{"npm", "apt-get"} {
		script := "#!/bin/sh\necho " + name + " \"$@\" >> " + strconv.Quote(asked) + "\n"
		if err := os.WriteFile(path+"/"+name, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		for _, s := range []*server{dynamodb(), s3()} {
			if err := s.install(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := redis().install(t.Context()); err != nil {
		t.Fatal(err)
	}
	said, _ := os.ReadFile(asked)
	want := "npm install --no-save --no-audit --no-fund --loglevel error --prefix .cache/servers " + strings.Join(packages, " ") + `
apt-get update -q
apt-get install -q -y --no-install-recommends redis-server
`
	if string(said) != want {
		t.Errorf("asked for\n%s\nwant\n%s", said, want)
	}
}

func TestAnInstallationThatFailsSaysWhy(t *testing.T) {
	err := install(t.Context(), "sh", "-c", "echo no network; exit 3")
	if err == nil || err.Error() != "sh: exit status 3\nno network\n" {
		t.Errorf("install: %v", err)
	}
}

// Dynalite throws what its connections throw: a test that cancelled a call ended the server for all tests after it.
func TestRegression_DynaliteDiesWhenAClientHangsUp(t *testing.T) {
	endpoint := os.Getenv("SEAWALL_TEST_DYNAMODB")
	if endpoint == "" {
		t.Skip("SEAWALL_TEST_DYNAMODB is not the endpoint of a dynalite")
	}
	at := strings.TrimPrefix(endpoint, "http://")
	for range 10 {
		conn, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: "+at+"\r\nContent-Length: 100\r\n\r\n{")
		conn.Close()
		if !speaksHTTP(t.Context(), at) {
			t.Fatal("dynalite does not answer any more")
		}
	}
}
