package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestSurge(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), nil, &out); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{ //                 requests 200 429 503 504
		`calm +20 +20 +- +- +- `,
		`surge +300 +\d+ +\d+ +[\d-]+ +- `,  // some are served, some are over the limit
		`database stalls +20 +- +- +15 +5 `, // five wait in vain, and then the breaker answers
		`database is back +20 +20 +- +- +- `,
	} {
		if !regexp.MustCompile(row).Match(out.Bytes()) {
			t.Errorf("want a row like %s, got\n%s", row, &out)
		}
	}
}

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
