package nethttp

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// A readAhead is the body of a response that is read into memory before anybody asks for it, as far as that is short
// and quick. What is long or slow is read by whoever gets it.
type readAhead struct {
	rest io.ReadCloser
	stop atomic.Bool
	done chan struct{} // closed when what follows may be used

	read     []byte
	err      error // how rest ended, nil if it has not
	panicked any
}

// all reads, and reports whether the body has ended. It is closed then.
func (a *readAhead) all(ctx context.Context) bool {
	go a.fetch()
	late := time.NewTimer(readTime)
	defer late.Stop()
	select {
	case <-a.done:
	case <-ctx.Done():
	case <-late.C:
	}
	a.stop.Store(true)
	select {
	case <-a.done:
	default:
		return false
	}
	if a.panicked != nil {
		panic(a.panicked)
	}
	if a.err != nil {
		_ = a.rest.Close()
		a.rest = http.NoBody
	}
	return a.err != nil
}

func (a *readAhead) fetch() {
	defer close(a.done)
	defer func() { a.panicked = recover() }() // it is for whoever reads
	for a.err == nil && len(a.read) <= readLimit && !a.stop.Load() {
		if len(a.read) == cap(a.read) {
			a.read = append(a.read, make([]byte, max(512, len(a.read)))...)[:len(a.read)]
		}
		var n int
		n, a.err = a.rest.Read(a.read[len(a.read):cap(a.read)])
		a.read = a.read[:len(a.read)+n]
	}
}

func (a *readAhead) Read(p []byte) (int, error) {
	<-a.done
	switch {
	case a.panicked != nil:
		panic(a.panicked)
	case len(a.read) > 0:
		n := copy(p, a.read)
		a.read = a.read[n:]
		return n, nil
	case a.err != nil:
		return 0, a.err
	}
	return a.rest.Read(p)
}

// Close ends a fetch that is still under way, too: it was told to stop, and its last read fails.
func (a *readAhead) Close() error { return a.rest.Close() }
