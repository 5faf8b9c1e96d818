package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// The surge runs on a clock and a network of its own, so that a slow machine makes no difference.
func TestSurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		database, network := new(Database), make(pipes)
		server := &http.Server{Handler: orders(database.Query)}
		served := make(chan error)
		go func() { served <- server.Serve(network) }()
		transport := &http.Transport{DialContext: network.dial}

		var out bytes.Buffer
		if err := surge(&out, &http.Client{Transport: transport}, "http://orders", database); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
		_ = server.Close()
		<-served

		for _, want := range []struct{ phase, answers string }{
			{"calm", "200"},
			{"surge", "200 429 503"},       // some are served, the others are over a limit
			{"database stalls", "503 504"}, // the first ones wait in vain, and then the breaker answers
			{"database is back", "200"},
		} {
			row := regexp.MustCompile(`(?m)^ *` + want.phase + ` +(\S+) +(\S+) +(\S+) +(\S+) +(\S+) `).FindStringSubmatch(out.String())
			if row == nil {
				t.Fatalf("there is no row %q in\n%s", want.phase, &out)
			}
			requests, answered, answers := number(row[1]), 0, ""
			for i, status := range statuses {
				if n := number(row[i+2]); n > 0 {
					answered += n
					answers += fmt.Sprint(" ", status)
				}
			}
			if requests == 0 || answered != requests || strings.TrimSpace(answers) != want.answers {
				t.Errorf("%s: %d requests, %d answers:%s, want %s", want.phase, requests, answered, answers, want.answers)
			}
		}
	})
}

func number(cell string) int {
	n, _ := strconv.Atoi(cell)
	return n
}

// pipes is a network in memory.
type pipes chan net.Conn

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p <- server
	return client, nil
}

func (p pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func TestServe(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error)
	go func() { ended <- run(ctx, []string{"-addr", "localhost:0"}, in) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(strings.TrimSpace(strings.TrimPrefix(line, "try: curl -i ")))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if string(body) != "order 7: two apples\n" {
		t.Errorf("got %d %q", response.StatusCode, body)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestArguments(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"-port 80", "flag provided but not defined: -port"},
		{"serve", `unexpected argument "serve"`},
		{"-addr nonsense", "address nonsense: missing port in address"},
	} {
		err := run(t.Context(), strings.Fields(tt.args), io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.args, err, tt.want)
		}
	}
	var help bytes.Buffer
	if err := run(t.Context(), []string{"-help"}, &help); err != nil || !strings.Contains(help.String(), "localhost:8080") {
		t.Errorf("-help: %v\n%s", err, &help)
	}
}
