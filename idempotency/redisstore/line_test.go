package redisstore_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// A line is a network that loses replies.
type line struct {
	dial dial
	lose atomic.Int64 // of how many scripts that are still to come
	sent atomic.Int64 // how many scripts went out
}

func (l *line) client(t *testing.T, address string, retries int) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr: address, Dialer: l.connect, MaxRetries: retries, MinRetryBackoff: -1, MaxRetryBackoff: -1,
	})
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return client
}

func (l *line) connect(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := l.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &wire{Conn: conn, line: l}, nil
}

type wire struct {
	net.Conn

	line *line
	cut  bool
}

func (w *wire) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("\r\nevalsha\r\n")) {
		w.line.sent.Add(1)
		w.cut = w.line.lose.Load() > 0 && w.line.lose.Add(-1) >= 0
	}
	return w.Conn.Write(p)
}

// Read waits for the reply even if it is to be lost, for then the server has done what it was asked.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if w.cut && err == nil {
		_ = w.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}
