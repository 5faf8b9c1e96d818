//go:build unix

package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
)

// packages is what npm installs. The newest fauxqs wants a newer Node.js than Debian has.
var packages = []string{"dynalite@4.0.0", "fauxqs@2.4.1", "node@22.23.3"} //nolint:gochecknoglobals // a constant

// It would die of a client that hangs up in the middle of a request.
func dynamodb() *server {
	return onNode("dynalite", "SEAWALL_TEST_DYNAMODB", `
		process.on("uncaughtException", e => { if (e.code != "ECONNRESET") throw e })
		require("dynalite")({createTableMs: 0, deleteTableMs: 0, updateTableMs: 0}).listen(process.argv[1], "127.0.0.1")`)
}

// Its own command listens on every interface.
func s3() *server {
	return onNode("fauxqs", "SEAWALL_TEST_S3",
		`import("fauxqs").then(({buildApp}) => buildApp({logger: false}).listen({port: process.argv[1], host: "127.0.0.1"}))`)
}

// onNode is a server that a script starts on the port that is its argument.
func onNode(name, variable, script string) *server {
	return &server{
		name:     name,
		variable: variable,
		scheme:   "http://",
		install:  installPackages,
		command: func(port string) *exec.Cmd {
			cmd := exec.Command("node_modules/.bin/node", "-e", script, port)
			cmd.Dir = cache
			return cmd
		},
		answers: speaksHTTP,
	}
}

const (
	cache = ".cache/servers"
	note  = cache + "/installed"
)

// installPackages installs all of them, unless that is done. A note says so, for npm may have been interrupted.
func installPackages(ctx context.Context) error {
	want := strings.Join(packages, "\n")
	if is, err := os.ReadFile(note); err == nil && string(is) == want {
		return nil
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return errors.New("npm is missing: install Node.js 20 or newer with npm, " +
			"or set SEAWALL_TEST_DYNAMODB and SEAWALL_TEST_S3 to the endpoints of a DynamoDB and an S3 for tests")
	}
	if err := os.MkdirAll(cache, 0o750); err != nil {
		return err
	}
	npm := "npm install --no-save --no-audit --no-fund --loglevel error --prefix " + cache
	if err := install(ctx, append(strings.Fields(npm), packages...)...); err != nil {
		return err
	}
	return os.WriteFile(note, []byte(want), 0o600)
}

func speaksHTTP(ctx context.Context, at string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil
}
