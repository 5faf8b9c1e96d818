package httpkey

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"unicode/utf8"
)

// A Response is what is kept of one.
//
// Its JSON, which is what a record holds, is that of a response of a Lambda function behind API Gateway:
//
//	{"statusCode":201,"headers":{"Content-Type":"application/json"},"body":"{\"id\":7}","isBase64Encoded":false}
//
// body is Base64 if the bytes are no UTF-8 text; fields of the header for which that is so are in rawHeaders instead, as
// Base64. When it is read, multiValueHeaders count as well.
type Response struct {
	Status int
	Header http.Header // one line of each field
	Body   []byte

	broken error // why it must not be replayed
}

// wire is a response of a Lambda function.
type wire struct {
	Status      int                 `json:"statusCode"`
	Description string              `json:"statusDescription,omitempty"`
	Headers     map[string]string   `json:"headers,omitempty"`
	Multi       map[string][]string `json:"multiValueHeaders,omitempty"`
	Raw         map[string][]byte   `json:"rawHeaders,omitempty"` // those that are not UTF-8
	Body        string              `json:"body"`
	Base64      bool                `json:"isBase64Encoded"`
}

// MarshalJSON implements [json.Marshaler]. It fails for a response that is not whole.
func (r Response) MarshalJSON() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	return json.Marshal(r.wire())
}

// check says why r must not be replayed, if it must not.
func (r Response) check() error {
	if r.broken == nil && !r.answers() {
		return fmt.Errorf("httpkey: there is no status %d to answer with", r.Status)
	}
	return r.broken
}

// answers reports whether r has a status that ends an exchange.
func (r Response) answers() bool { return 200 <= r.Status && r.Status <= 999 }

// bodyless reports whether no server sends the body of such a response.
func (r Response) bodyless() bool {
	return r.Status == http.StatusNoContent || r.Status == http.StatusNotModified
}

func (r Response) wire() wire {
	w := wire{Status: r.Status, Body: string(r.Body)}
	if !utf8.ValidString(w.Body) {
		w.Body, w.Base64 = base64.StdEncoding.EncodeToString(r.Body), true
	}
	for name, values := range r.Header {
		if value := strings.Join(values, ", "); utf8.ValidString(value) {
			put(&w.Headers, name, value)
		} else {
			put(&w.Raw, name, []byte(value))
		}
	}
	return w
}

// put makes the map if it is needed.
func put[V any](m *map[string]V, name string, value V) {
	if *m == nil {
		*m = make(map[string]V)
	}
	(*m)[name] = value
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *Response) UnmarshalJSON(data []byte) error {
	var w wire
	err := json.Unmarshal(data, &w)
	*r = Response{Status: w.Status}
	if err != nil {
		return err
	}
	h := Header(w.Headers, w.Multi)
	for name, values := range h {
		h[name] = []string{strings.Join(values, ", ")}
	}
	for name, value := range w.Raw {
		h.Set(name, string(value))
	}
	if len(h) > 0 {
		r.Header = h
	}
	body, err := text(w.Body, w.Base64)
	if len(body) > 0 {
		r.Body = body
	}
	return cmp.Or(err, r.check())
}

// text is the bytes of the body of a response, or of an event.
func text(body string, encoded bool) ([]byte, error) {
	if !encoded {
		return []byte(body), nil
	}
	data, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return nil, errors.New("httpkey: the body is not Base64, and isBase64Encoded says so")
	}
	return data, nil
}

// send sends r.
func (r Response) send(w http.ResponseWriter) {
	h := w.Header()
	maps.Copy(h, r.Header)
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // net/http would guess
	}
	w.WriteHeader(r.Status)
	if len(r.Body) > 0 {
		_, _ = w.Write(r.Body) // a client that has gone needs no answer
	}
}
