//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"time"
)

func redis() *server {
	return &server{
		name:     "redis-server",
		variable: "SEAWALL_TEST_REDIS",
		install:  installRedis,
		command: func(port string) *exec.Cmd {
			return exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no")
		},
		answers: pongs,
	}
}

func installRedis(ctx context.Context) error {
	if _, err := exec.LookPath("redis-server"); err == nil {
		return nil
	}
	_, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return errors.New("redis-server is missing: install Redis (apt-get install redis-server, brew install redis), " +
			"or set SEAWALL_TEST_REDIS to the host:port of one")
	}
	if err := install(ctx, "apt-get", "update", "-q"); err != nil {
		return err
	}
	return install(ctx, "apt-get", "install", "-q", "-y", "--no-install-recommends", "redis-server")
}

func pongs(ctx context.Context, at string) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", at)
	if err != nil {
		return false
	}
	defer conn.Close() //nolint:errcheck // it has answered or not
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return false
	}
	answer, _ := bufio.NewReader(conn).ReadString('\n')
	return answer == "+PONG\r\n"
}
