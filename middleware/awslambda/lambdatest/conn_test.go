package lambdatest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
)

func TestReadChunks(t *testing.T) {
	const body = "3\r\nabc\r\n1;name=value\r\nd\r\nA\r\n0123456789\r\n0\r\nX-After: yes\r\n\r\nGET /next"
	r := bufio.NewReader(strings.NewReader(body))
	var got []string
	trailer, err := readChunks(r, func(chunk []byte) { got = append(got, string(chunk)) })
	if err != nil || strings.Join(got, "|") != "abc|d|0123456789" || trailer.Get("X-After") != "yes" {
		t.Errorf("readChunks = %q, %v, %v", got, trailer, err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "GET /next" {
		t.Errorf("it left %q", rest)
	}
}

func FuzzReadChunks(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"))
	f.Add([]byte("5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n"))
	f.Add([]byte("7fffffff\r\nshort"))
	f.Add([]byte("-1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var got []byte
		_, err := readChunks(bufio.NewReader(bytes.NewReader(body)), func(chunk []byte) { got = append(got, chunk...) })
		if err != nil {
			return
		}
		// What net/http makes of the same bytes, wherever it accepts them, is the same.
		want, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body)))
		if err == nil && !bytes.Equal(got, want) {
			t.Errorf("readChunks = %q, net/http reads %q", got, want)
		}
	})
}

func TestExtension(t *testing.T) {
	f := New("extended", Config{})
	e := newEnvironment(f, 1)
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go (&conn{ours, e}).serve()
	answers := bufio.NewReader(theirs)
	for _, tt := range []struct {
		call, name, id, body string
		want                 int
	}{
		{"POST register", "", "", `{"events":[]}`, 400},
		{"POST register", "mine", "", `events`, 400},
		{"POST register", "mine", "", `{"events":["INVOKE"]}`, 403},
		{"POST register", "mine", "", `{"events":[]}`, 200},
		{"GET event/next", "mine", "", ``, 403},
		{"GET event/next", "mine", "other", ``, 403},
		{"POST init/error", "mine", "", ``, 404},
	} {
		method, path, _ := strings.Cut(tt.call, " ")
		r, _ := http.NewRequest(method, "http://lambda/2020-01-01/extension/"+path, strings.NewReader(tt.body))
		r.Header.Set("Lambda-Extension-Name", tt.name)
		r.Header.Set("Lambda-Extension-Identifier", tt.id)
		go r.Write(theirs)
		response, err := http.ReadResponse(answers, r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		id := response.Header.Get("Lambda-Extension-Identifier")
		if response.StatusCode != tt.want || !json.Valid(body) || (id != "") != (tt.want == 200) || id != "" && !e.registered(id) {
			t.Errorf("%+v: %s, identifier %q, %s", tt, response.Status, id, body)
		}
	}
}

func TestParseError(t *testing.T) {
	for _, tt := range []struct {
		body, want string
		frames     int
	}{
		{`{"errorType":"T","errorMessage":"m","stackTrace":[{"path":"p","line":1,"label":"l"}]}`, "T: m", 1},
		{`{"errorType":"T","errorMessage":"m","stackTrace":["in p"]}`, "T: m", 0},
		{`{"errorType":"T","errorMessage":"m"}`, "T: m", 0},
		{`boom`, ": boom", 0},
	} {
		if e := parseError([]byte(tt.body)); e.Error() != tt.want || len(e.Stack) != tt.frames {
			t.Errorf("parseError(%s) = %v %v", tt.body, e, e.Stack)
		}
	}
}
