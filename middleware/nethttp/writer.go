package nethttp

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
)

// A writer is the server's response writer, and knows whether it was used.
type writer struct {
	http.ResponseWriter

	status   int // zero until the header is written
	hijacked bool
}

// Unwrap is for [http.ResponseController].
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	w.ResponseWriter.WriteHeader(status) // panics if there is no such status
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.wrote(status)
	}
}

func (w *writer) Write(p []byte) (int, error) {
	w.wrote(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// WriteString spares the copy.
func (w *writer) WriteString(s string) (int, error) {
	w.wrote(http.StatusOK)
	return io.WriteString(w.ResponseWriter, s)
}

// FlushError is for [http.ResponseController], which would flush behind our back otherwise. A flush that fails has
// written the header, unless there is none.
func (w *writer) FlushError() error {
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		w.wrote(http.StatusOK)
	}
	return err
}

func (w *writer) wrote(status int) {
	if w.status == 0 && !w.hijacked {
		w.status = status
	}
}

// What only some writers can do. Each is embedded where the server's writer can.
type (
	flusher    struct{ w *writer }
	hijacker   struct{ w *writer }
	readerFrom struct{ w *writer }
)

func (f flusher) Flush() { _ = f.w.FlushError() }

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.w.ResponseWriter).Hijack()
	h.w.hijacked = h.w.hijacked || err == nil
	return conn, rw, err
}

// ReadFrom writes the header with the first byte, if there is one. After a panic nobody knows.
func (r readerFrom) ReadFrom(src io.Reader) (n int64, err error) {
	n = 1
	defer func() {
		if n > 0 {
			r.w.wrote(http.StatusOK)
		}
	}()
	n, err = r.w.ResponseWriter.(io.ReaderFrom).ReadFrom(src)
	return n, err
}
