package lambdatest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// A conn is a connection on which a process talks to its Runtime API. It is served by hand, because net/http's server
// would join chunks that arrive together.
type conn struct {
	net.Conn
	env *environment
}

func (e *environment) accept(listener net.Listener) {
	for {
		accepted, err := listener.Accept()
		if err != nil {
			return
		}
		c := &conn{accepted, e}
		e.f.mu.Lock()
		e.conns[c] = true
		if !e.f.envs[e] {
			c.Close() //nolint:errcheck // its process is gone
		}
		e.f.mu.Unlock()
		e.f.wg.Go(c.serve)
	}
}

// serve answers requests until the connection is closed.
func (c *conn) serve() {
	for r := bufio.NewReader(c); ; {
		req, err := http.ReadRequest(r)
		if err != nil {
			break
		}
		if err := c.answer(req, r); err != nil {
			break
		}
	}
	c.Close() //nolint:errcheck // whatever it was, it is over
	f := c.env.f
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(c.env.conns, c)
	f.idle = slices.DeleteFunc(f.idle, func(idle *conn) bool { return idle == c })
}

// answer takes a request, whose body is still to be read from r, and answers it; but the one for an event is answered
// by environment.hand, when there is one.
func (c *conn) answer(req *http.Request, r *bufio.Reader) error {
	if call, ok := strings.CutPrefix(req.URL.Path, "/2020-01-01/extension/"); ok {
		return c.extension(req, call)
	}
	call, id := req.Method+" "+strings.TrimPrefix(req.URL.Path, "/2018-06-01/runtime/"), ""
	if part := strings.Split(call, "/"); len(part) == 3 && part[0] == "POST invocation" {
		call, id = part[2], part[1]
	}
	status := http.StatusAccepted
	switch call {
	case "GET invocation/next":
		c.env.next(c)
		return nil
	case "POST init/error":
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return err
		}
		c.env.initError(parseError(body))
	case "response":
		if err := c.response(id, req, r); err != nil {
			return err
		}
	case "error":
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return err
		}
		c.env.answer(id, func(result *Result) {
			result.Payload, result.ContentType, result.Err = body, req.Header.Get("Content-Type"), parseError(body)
			result.Err.Cause = req.Header.Get("Lambda-Runtime-Function-Xray-Error-Cause")
		})
	default:
		status = http.StatusNotFound
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return err
		}
	}
	return c.respond(status, http.Header{}, []byte("{}"))
}

// extension answers a request of an extension in the process. There are no events for it: a request for one is not
// answered.
func (c *conn) extension(req *http.Request, call string) error {
	var asked struct {
		Events []string `json:"events"`
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return err
	}
	refuse := func(status int, why string) error {
		refusal, _ := json.Marshal(Error{Type: "Extension.Refused", Message: why})
		return c.respond(status, http.Header{}, refusal)
	}
	switch req.Method + " " + call {
	case "POST register":
		switch {
		case req.Header.Get("Lambda-Extension-Name") == "":
			return refuse(http.StatusBadRequest, "the header Lambda-Extension-Name is missing")
		case json.Unmarshal(body, &asked) != nil:
			return refuse(http.StatusBadRequest, "the body is not JSON")
		case len(asked.Events) > 0:
			return refuse(http.StatusForbidden, "lambdatest has no events for extensions")
		}
		about, _ := json.Marshal(map[string]string{"functionName": c.env.f.name, "functionVersion": "$LATEST"})
		return c.respond(http.StatusOK, http.Header{"Lambda-Extension-Identifier": {c.env.register()}}, about)
	case "GET event/next":
		if !c.env.registered(req.Header.Get("Lambda-Extension-Identifier")) {
			return refuse(http.StatusForbidden, "the header Lambda-Extension-Identifier is nobody's")
		}
		return nil
	}
	return refuse(http.StatusNotFound, call+" is not there")
}

// response reads a response chunk by chunk; one that is sent with its length is one chunk.
func (c *conn) response(id string, req *http.Request, r *bufio.Reader) (err error) {
	take := func(chunk []byte) { c.env.receive(id, chunk) }
	var trailer http.Header
	if slices.Contains(req.TransferEncoding, "chunked") {
		trailer, err = readChunks(r, take)
	} else {
		var body []byte
		body, err = io.ReadAll(req.Body)
		take(body)
	}
	if err != nil {
		return err
	}
	c.env.answer(id, func(result *Result) {
		result.Payload, result.ContentType = bytes.Join(result.Chunks, nil), req.Header.Get("Content-Type")
		result.Trailer, result.Err = trailer, trailerError(trailer)
	})
	return nil
}

// readChunks reads a body in HTTP's chunked coding.
func readChunks(r *bufio.Reader, take func([]byte)) (trailer http.Header, err error) {
	lines := textproto.NewReader(r)
	for {
		line, err := lines.ReadLine()
		if err != nil {
			return nil, err
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 31)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			trailer, err := lines.ReadMIMEHeader()
			return http.Header(trailer), err
		}
		var chunk bytes.Buffer // it grows with what is there, not with what is announced
		if _, err := io.CopyN(&chunk, r, int64(n)); err != nil {
			return nil, err
		}
		if _, err := lines.ReadLine(); err != nil {
			return nil, err
		}
		take(chunk.Bytes())
	}
}

// trailerError is the error of a stream that failed on its way.
func trailerError(trailer http.Header) *Error {
	errorType := trailer.Get("Lambda-Runtime-Function-Error-Type")
	if errorType == "" {
		return nil
	}
	body, err := base64.StdEncoding.DecodeString(trailer.Get("Lambda-Runtime-Function-Error-Body"))
	if err != nil {
		return &Error{Type: errorType}
	}
	e := parseError(body)
	e.Type = errorType
	return e
}

// respond sends an answer in one piece.
func (c *conn) respond(status int, header http.Header, body []byte) error {
	w := bufio.NewWriter(c)
	response := http.Response{
		StatusCode:    status,
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		ContentLength: int64(len(body)),
		Body:          io.NopCloser(bytes.NewReader(body)),
	}
	if err := response.Write(w); err != nil {
		return err
	}
	return w.Flush()
}
