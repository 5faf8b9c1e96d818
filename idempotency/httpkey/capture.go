package httpkey

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"strconv"
)

// Why a response is not kept though it is final.
var (
	errTooLong  = errors.New("httpkey: the response is longer than MaxResponse")
	errFlushed  = errors.New("httpkey: the response was flushed")
	errHijacked = errors.New("httpkey: the connection was hijacked")
	errShort    = errors.New("httpkey: the response is not as long as its Content-Length")
)

// A capture is the server's response writer, and remembers what is written.
type capture struct {
	http.ResponseWriter

	op     *operation
	head   head
	body   []byte
	broken error // why it does not remember any more
	gone   error // why the client gets no more
}

// A head is what is remembered of the header, when it is written.
type head struct {
	status int // zero until then
	fields http.Header
	length string // the Content-Length that was announced
	typed  bool   // whether the handler said what the body is
}

// look is the head as it is now. Those around us may change it when it is written, to compress the body for one, and
// will change it again in a replay.
func (c *capture) look(status int) head {
	h := c.Header()
	_, typed := h["Content-Type"]
	return head{status, c.op.kept(h), h.Get("Content-Length"), typed || h.Get("Content-Encoding") != ""}
}

func (c *capture) begin(status int) {
	if c.head.status == 0 {
		c.head = c.look(status)
	}
}

// Unwrap is for [http.ResponseController].
func (c *capture) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *capture) WriteHeader(status int) {
	head := c.head
	if head.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		head = c.look(status)
	}
	c.ResponseWriter.WriteHeader(status) // panics if there is no such status
	c.head = head
}

// Write goes on for the record alone when the client has gone.
func (c *capture) Write(p []byte) (int, error) {
	c.begin(http.StatusOK)
	if c.gone == nil {
		n, err := c.ResponseWriter.Write(p)
		if err != nil && isMistake(err) {
			return n, err
		}
		c.gone = err
	}
	if c.broken == nil && int64(len(c.body))+int64(len(p)) > c.op.MaxResponse {
		c.giveUp(errTooLong)
	}
	if c.broken != nil {
		if c.gone != nil {
			return 0, c.gone
		}
		return len(p), nil
	}
	c.body = append(c.body, p...)
	return len(p), nil
}

// isMistake reports whether an error of a writer says that the handler writes what it must not.
func isMistake(err error) bool {
	return errors.Is(err, http.ErrBodyNotAllowed) || errors.Is(err, http.ErrContentLength) || errors.Is(err, http.ErrHijacked)
}

func (c *capture) giveUp(why error) { c.broken, c.body = why, nil }

// FlushError is for [http.ResponseController], which would flush behind our back otherwise.
func (c *capture) FlushError() error {
	err := http.NewResponseController(c.ResponseWriter).Flush()
	if errors.Is(err, http.ErrNotSupported) {
		return err
	}
	c.begin(http.StatusOK)
	c.giveUp(errFlushed)
	return err
}

// response is what the handler has written.
func (c *capture) response() Response {
	c.begin(http.StatusOK)
	r := Response{Status: c.head.status, Header: c.head.fields, Body: c.body, broken: c.broken}
	if r.broken != nil {
		return r
	}
	if length, err := strconv.Atoi(c.head.length); err == nil && length >= 0 && length != len(r.Body) && !r.bodyless() {
		r.broken = errShort // other lengths net/http leaves out
	}
	if !c.head.typed && len(r.Body) > 0 {
		if r.Header == nil {
			r.Header = make(http.Header)
		}
		r.Header.Set("Content-Type", http.DetectContentType(r.Body)) // as net/http did
	}
	return r
}

// What only some writers can do. Each is embedded where the server's writer can.
type (
	flusher  struct{ c *capture }
	hijacker struct{ c *capture }
)

func (f flusher) Flush() { _ = f.c.FlushError() }

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.c.ResponseWriter).Hijack()
	if err == nil {
		h.c.begin(http.StatusSwitchingProtocols)
		h.c.giveUp(errHijacked)
	}
	return conn, rw, err
}

// view returns c as a Flusher and a Hijacker if the server's writer is. It is never an io.ReaderFrom, which would write
// past us.
func (c *capture) view() http.ResponseWriter {
	flush, hijack := can[http.Flusher](c.ResponseWriter), can[http.Hijacker](c.ResponseWriter)
	switch {
	case flush && hijack:
		return struct {
			*capture
			flusher
			hijacker
		}{c, flusher{c}, hijacker{c}}
	case flush:
		return struct {
			*capture
			flusher
		}{c, flusher{c}}
	case hijack:
		return struct {
			*capture
			hijacker
		}{c, hijacker{c}}
	}
	return c
}

// can reports whether w, or a writer in it, is a T.
func can[T any](w http.ResponseWriter) bool {
	for {
		if _, ok := w.(T); ok {
			return true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
}
