package httpkey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
)

// answer sets what out points to, a response of a function, to r.
func (e *message) answer(r Response, out any) error {
	w := r.wire()
	w.Raw = nil
	if e.Context.ELB != nil {
		w.Description = strconv.Itoa(r.Status) + " " + http.StatusText(r.Status)
	}
	if e.MultiHeaders != nil && e.Headers == nil { // a load balancer takes the kind that it sends
		w.Multi = make(map[string][]string, len(w.Headers))
		for name, value := range w.Headers {
			w.Multi[name] = []string{value}
		}
		w.Headers = nil
	}
	data, err := json.Marshal(w)
	if err == nil {
		err = json.Unmarshal(data, out)
	}
	if err != nil {
		return fmt.Errorf("httpkey: Proxy: the response: %w", err)
	}
	return nil
}

// carries reports whether an Out can be any response.
func carries[Out any]() bool {
	want := Response{Status: http.StatusConflict, Header: http.Header{Replayed: {"true"}}, Body: []byte("{}")}
	for _, e := range []message{{}, {MultiHeaders: map[string][]string{}}} {
		var out Out
		if e.answer(want, &out) == nil && reflect.DeepEqual(responseOf(out, true), want) {
			return true
		}
	}
	return false
}

// responseOf is what a function has answered with, or broken if that is not known. Without a status it may be inferred.
func responseOf(out any, infer bool) (r Response) {
	defer func() {
		if p := recover(); p != nil {
			r = Response{broken: fmt.Errorf("httpkey: the response: panic: %v", p)}
		}
	}()
	var b bytes.Buffer
	as := json.NewEncoder(&b)
	as.SetEscapeHTML(false) // nor does Lambda
	if err := as.Encode(out); err != nil {
		return Response{broken: err}
	}
	data := bytes.TrimSpace(b.Bytes())
	if infer && !hasStatus(data) {
		return Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: data}
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return Response{Status: r.Status, broken: err}
	}
	return r
}

// hasStatus reports whether a JSON text is an object with a statusCode, spelled like that.
func hasStatus(data []byte) bool {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(data, &members) // into nothing if it is no object
	_, ok := members["statusCode"]
	return ok
}
