package lambdatest

import (
	"bytes"
	"io"
	"sync"
)

// An output takes what a process writes: it keeps the end for results and hands the whole on, line by line, so that
// those of several processes do not mix.
type output struct {
	to io.Writer // may be nil

	mu   sync.Mutex
	last []byte
	line []byte // begun and not ended
}

const (
	lastLength = 16 << 10
	lineLength = 64 << 10 // what is longer is handed on in pieces
)

// Write is called from one goroutine at a time, by os/exec.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	o.last = append(o.last, p...)
	o.last = o.last[max(len(o.last)-lastLength, 0):]
	o.mu.Unlock()
	if o.to != nil {
		o.line = append(o.line, p...)
		end := bytes.LastIndexByte(o.line, '\n') + 1
		if len(o.line) > lineLength {
			end = len(o.line)
		}
		o.hand(end)
	}
	return len(p), nil
}

// flush hands on what is left when the process is gone.
func (o *output) flush() { o.hand(len(o.line)) }

func (o *output) hand(n int) {
	if n > 0 {
		o.to.Write(o.line[:n]) //nolint:errcheck // the process is not to blame
		o.line = append(o.line[:0], o.line[n:]...)
	}
}

// String is the end of what was written so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.last)
}

// A shared writer takes turns.
type shared struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
