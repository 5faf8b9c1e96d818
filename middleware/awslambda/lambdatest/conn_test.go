package lambdatest

import (
	"bufio"
	"bytes"
	"io"
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
