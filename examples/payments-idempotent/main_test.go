package main

import (
	"bytes"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"github.com/seawall-go/seawall/internal/fakedynamo"
)

func TestMain(m *testing.M) {
	if os.Getenv("PAYMENTS") != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// serverAt is what the variable says, or a fake where there is no server to test with.
func serverAt(t *testing.T, variable string, fake func() string) string {
	t.Helper()
	at := os.Getenv(variable)
	if at == "" && os.Getenv("CI") == "true" {
		t.Fatal(variable + " is not set")
	}
	if at == "" {
		at = fake()
	}
	return at
}

func TestOrdersAreChargedOnce(t *testing.T) {
	for name, args := range map[string]func(t *testing.T) []string{
		"memory": func(*testing.T) []string { return nil },
		"dynamodb": func(t *testing.T) []string {
			return []string{"-store", "dynamodb", "-endpoint", serverAt(t, "SEAWALL_TEST_DYNAMODB", func() string {
				server := httptest.NewServer(new(fakedynamo.Server))
				t.Cleanup(server.Close)
				return server.URL
			})}
		},
		"redis": func(t *testing.T) []string {
			return []string{"-store", "redis", "-addr", serverAt(t, "SEAWALL_TEST_REDIS", func() string { return miniredis.RunT(t).Addr() })}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := parse(args(t), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := run(t.Context(), p, &out); err != nil {
				t.Error(err)
			}
			for _, want := range []string{
				`duplicate delivery: .*\n    first delivery   receipt 1, charged\n    second delivery  receipt 1 again, not charged\n`,
				`double click: .*\n    first delivery   receipt 2, charged\n    second delivery  receipt 2 again, not charged\n`,
				`timeout: .*\n    first delivery   no answer in time\n    second delivery  receipt 3 again, not charged\n`,
				`crash: .*\n    first delivery   no answer: the worker died\n    second delivery  receipt 4 again, not charged\n`,
				`charges for each order +without +with\n( +[a-z ]+2 +1\n){4}`,
				`\nWith idempotency, every order was charged once.\n$`,
			} {
				if !regexp.MustCompile(want).Match(out.Bytes()) {
					t.Errorf("want %s, got\n%s", want, &out)
				}
			}
		})
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, test := range []struct {
		args string
		want string
		code int
	}{
		{"-store mongo", `-store "mongo": want memory, dynamodb or redis`, 2},
		{"-store dynamodb", `-endpoint "": want a URL with -store dynamodb, such as http://localhost:8000`, 2},
		{"-store dynamodb -endpoint localhost:8000", `-endpoint "localhost:8000": want a URL`, 2},
		{"-store dynamodb -endpoint ::", `-endpoint "::": want a URL`, 2},
		{"-store dynamodb -endpoint http://", `-endpoint "http://": want a URL`, 2},
		{"-store redis", `-addr "": want HOST:PORT with -store redis, such as localhost:6379`, 2},
		{"-store redis -addr localhost", `-addr "localhost": want HOST:PORT`, 2},
		{"-store redis -addr :6379", `-addr ":6379": want HOST:PORT`, 2},
		{"-addr localhost:6379", "-addr goes with -store redis", 2},
		{"-endpoint http://localhost:8000", "-endpoint goes with -store dynamodb", 2},
		{"-slow", "flag provided but not defined: -slow", 2},
		{"memory", `unexpected argument "memory": it takes only flags, see -help`, 2},
		{"-store redis -addr 127.0.0.1:1", "Redis at 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused", 1},
		{"-store dynamodb -endpoint http://127.0.0.1:1", "DynamoDB at http://127.0.0.1:1: operation error DynamoDB: CreateTable", 1},
	} {
		cmd := exec.Command(os.Args[0], strings.Fields(test.args)...)
		cmd.Env = append(os.Environ(), "PAYMENTS=1", "GORACE=atexit_sleep_ms=0")
		out, err := cmd.CombinedOutput()
		exit, _ := errors.AsType[*exec.ExitError](err)
		if exit == nil || exit.ExitCode() != test.code || !strings.HasPrefix(string(out), "payments-idempotent: "+test.want) {
			t.Errorf("%s: %v\n%swant exit code %d and %s", test.args, err, out, test.code, test.want)
		}
	}
}

func TestHelp(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-help")
	cmd.Env = append(os.Environ(), "PAYMENTS=1", "GORACE=atexit_sleep_ms=0")
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "-endpoint URL") || !strings.Contains(string(out), "-addr HOST:PORT") {
		t.Errorf("-help: %v\n%s", err, out)
	}
}
