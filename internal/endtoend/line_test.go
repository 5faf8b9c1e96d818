//go:build unix

package endtoend_test

import (
	"net"
	"sync"
	"testing"
)

// A line is a network to a server on which things go wrong. A request is whatever comes between two replies.
type line struct {
	fault

	to       string
	listener net.Listener
	running  sync.WaitGroup
	closed   chan struct{}

	mu       sync.Mutex
	requests int  // so far
	hit      bool // the victim was among them
	conns    []net.Conn
}

// A fault is what goes wrong on a line.
type fault struct {
	victim  int   // the number of the request that is carried out and gets no reply: the connection ends
	forGood bool  // nothing comes through after that
	stall   *gate // where requests have to wait that come when it is armed, and arrive even if their sender is gone
}

func newLine(t *testing.T, to string, f fault) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{fault: f, to: to, listener: listener, closed: make(chan struct{})}
	l.running.Go(l.accept)
	t.Cleanup(func() {
		listener.Close()
		close(l.closed)
		l.cut()
		l.running.Wait()
	})
	return l
}

func (l *line) addr() string { return l.listener.Addr().String() }

// lost reports whether there was such a request.
func (l *line) lost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hit
}

func (l *line) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		if l.forGood && l.lost() {
			client.Close()
			continue
		}
		server, err := net.Dial("tcp", l.to)
		if err != nil {
			client.Close()
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, client, server)
		l.mu.Unlock()
		c := &conversation{line: l}
		l.running.Go(func() { c.carry(client, server, c.request) })
		l.running.Go(func() { c.carry(server, client, c.reply) })
	}
}

// cut ends all connections.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
}

// A conversation is what goes over one connection.
type conversation struct {
	line *line

	asked int // the number of the request that has no reply yet; 0 if there is none
}

// carry passes on what comes, if it may.
func (c *conversation) carry(from, to net.Conn, may func() bool) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil || !may() {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (c *conversation) request() bool {
	if g := c.line.stall; g != nil {
		g.pass(c.line.closed)
	}
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	if c.asked == 0 {
		c.line.requests++
		c.asked = c.line.requests
	}
	return !c.line.dead()
}

func (c *conversation) reply() bool {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	if c.asked != 0 && c.asked == c.line.victim {
		c.line.hit = true
		return false
	}
	c.asked = 0
	return !c.line.dead()
}

// dead reports whether nothing comes through any more.
func (l *line) dead() bool { return l.hit && l.forGood }
