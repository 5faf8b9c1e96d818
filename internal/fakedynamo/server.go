package fakedynamo

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Server is a DynamoDB for one test. The zero Server has no tables. Its fields are set before it is used.
type Server struct {
	// HideOld leaves out the old item of a refused write even if it is asked for, as dynalite does.
	HideOld bool
	// Lag shows items as they were before their last write to reads that are not consistent.
	Lag bool
	// Creating is how long a new table is not ready.
	Creating time.Duration

	mu      sync.Mutex
	tables  map[string]*table
	tokens  map[string]receipt // of transactions
	faults  map[string][]Fault // by operation
	calls   map[string]int     // by operation
	actions map[string]bool    // of IAM
	reads   float64
	writes  float64
}

// Calls is how many calls of the given operations have come, or of all without any. Those that met a [Fault] count.
func (s *Server) Calls(operations ...string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for op, calls := range s.calls {
		if len(operations) == 0 || slices.Contains(operations, op) {
			n += calls
		}
	}
	return n
}

// Units are the capacity units that calls have consumed, refused writes included.
func (s *Server) Units() (reads, writes float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, s.writes
}

// Actions are the permissions that a caller has needed, as IAM spells them, in order.
func (s *Server) Actions() (actions []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a := range s.actions {
		actions = append(actions, "dynamodb:"+a)
	}
	slices.Sort(actions)
	return actions
}

// needs notes what a caller has to be allowed to do.
func (s *Server) needs(action string) {
	if s.actions == nil {
		s.actions = make(map[string]bool)
	}
	s.actions[action] = true
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	a, ok := s.answer(r.Context(), r.Header, body)
	if !ok {
		panic(http.ErrAbortHandler) // closes the connection
	}
	maps.Copy(w.Header(), a.header())
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// Do answers one call without a network, as an SDK's HTTPClient does with one. Where a server would close the connection
// it returns the error that a client gets from that.
func (s *Server) Do(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	a, ok := s.answer(r.Context(), r.Header, body)
	if !ok {
		return nil, &url.Error{Op: "Post", URL: r.URL.String(), Err: cmp.Or(r.Context().Err(), io.EOF)}
	}
	return &http.Response{
		Status:        strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        a.header(),
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       r,
	}, nil
}

// An answer is what a client gets to read.
type answer struct {
	status int
	body   []byte
}

func (a answer) header() http.Header {
	return http.Header{
		"Content-Type":     {"application/x-amz-json-1.0"},
		"Content-Length":   {strconv.Itoa(len(a.body))},
		"X-Amz-Crc32":      {strconv.FormatUint(uint64(crc32.ChecksumIEEE(a.body)), 10)},
		"X-Amzn-Requestid": {"FAKEDYNAMO"},
	}
}

// answer says false if the client is to get none.
func (s *Server) answer(ctx context.Context, header http.Header, body []byte) (answer, bool) {
	op, ok := strings.CutPrefix(header.Get("X-Amz-Target"), "DynamoDB_20120810.")
	if !ok {
		return failed(&failure{code: "UnknownOperationException"}), true
	}
	fault := s.arrive(op)
	if err := fault.strike(ctx, op, body); errors.Is(err, errGone) {
		return answer{}, false
	} else if err != nil {
		return failed(asFailure(err)), true
	}
	result, err := s.carryOut(op, body)
	if fault.After != nil {
		fault.After()
	}
	switch {
	case fault.DropReply:
		return answer{}, false
	case err != nil:
		return failed(asFailure(err)), true
	}
	text, err := encode(result)
	if err != nil {
		panic(err)
	}
	return answer{http.StatusOK, text}, true
}

func (s *Server) carryOut(op string, body []byte) (any, error) {
	serve, ok := map[string]func(*Server, []byte) (any, error){
		"CreateTable":        handle((*Server).createTable),
		"DescribeTable":      handle((*Server).describeTable),
		"UpdateTimeToLive":   handle((*Server).updateTimeToLive),
		"DescribeTimeToLive": handle((*Server).describeTimeToLive),
		"GetItem":            handle((*Server).getItem),
		"PutItem":            handle((*Server).putItem),
		"UpdateItem":         handle((*Server).updateItem),
		"DeleteItem":         handle((*Server).deleteItem),
		"TransactWriteItems": handle((*Server).transactWriteItems),
	}[op]
	if !ok {
		return nil, &failure{code: "UnknownOperationException"}
	}
	return serve(s, body)
}

// handle joins an operation to the bytes of its input. Operations run one after the other.
func handle[In any](serve func(*Server, In) (any, error)) func(*Server, []byte) (any, error) {
	return func(s *Server, body []byte) (any, error) {
		var in In
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&in); err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return serve(s, in)
	}
}

// failed is the answer to a call that failed.
func failed(f *failure) answer {
	service, status := "com.amazonaws.dynamodb.v20120810#", http.StatusBadRequest
	switch f.code {
	case validation:
		service = "com.amazon.coral.validate#"
	case "UnknownOperationException", "SerializationException", Denied:
		service = "com.amazon.coral.service#"
	case Internal:
		status = http.StatusInternalServerError
	case "ServiceUnavailable":
		status = http.StatusServiceUnavailable
	}
	text, err := encode(struct {
		Type    string   `json:"__type"`
		Message string   `json:"message,omitempty"`
		Item    item     `json:",omitempty"`
		Reasons []reason `json:"CancellationReasons,omitempty"`
	}{service + f.code, f.message, f.old, f.reasons})
	if err != nil {
		panic(err)
	}
	return answer{status, text}
}
