package lambdatest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"
)

// A Request is one invocation. Zero fields take the values they name.
type Request struct {
	Payload []byte // the event
	ID      string // request id; a new UUID
	ARN     string // invoked function ARN; that of the function's name in a made-up account
	TraceID string // X-Ray trace header; a new, unsampled one

	ClientContext   string // JSON; not sent
	CognitoIdentity string // JSON; not sent
	TenantID        string // not sent

	// Deadline is what the function is told if that shall not be the truth: some emulators send a deadline that is
	// already over. The invocation ends at the true one all the same.
	Deadline time.Time
}

// A Result is what came of one invocation.
type Result struct {
	// Payload is what the function answered: its response, as far as it came, or the JSON of Err.
	Payload []byte

	// ContentType is the response's. With aws-lambda-go it is application/json for values, application/octet-stream for
	// bytes and readers, or what the result's own ContentType method says.
	ContentType string

	// Chunks is the response in the pieces in which the function sent it. With aws-lambda-go, each Read from a result
	// that is an io.Reader is one chunk; a value's JSON comes in chunks of 32 KiB.
	Chunks [][]byte

	// Trailer holds what the function sent after the response, such as the headers Lambda-Runtime-Function-Error-Type
	// and Lambda-Runtime-Function-Error-Body of a stream that failed on its way.
	Trailer http.Header

	// Err is the function's error: reported by the function, instead of a response or in the trailer of one, or found
	// out, [TimedOut] and [Exited]. Nil means success.
	Err *Error

	PID         int  // of the process that took the invocation, or failed to start for it
	Environment int  // which process of the function that is, from 1 in the order of their starts
	Cold        bool // whether it was the process's first invocation

	// Exit is how the process ended, if it ended with this invocation, and nil if it lives on. With a Concurrency
	// above 1 only an invocation without an answer has it.
	Exit *os.ProcessState

	// Log is the end of what the process has written to its stdout and stderr so far, up to 16 KiB. It is complete if
	// the process ended; otherwise the last lines may still be on their way.
	Log string
}

// The types of errors that are Lambda's finding, not the function's report.
const (
	TimedOut = "Sandbox.Timedout"  // no answer before the deadline, or no request for a first event in time
	Exited   = "Runtime.ExitError" // the process ended without an answer
)

// An Error is how a function failed.
type Error struct {
	Type    string  `json:"errorType"` // with aws-lambda-go: the name of the error's Go type, without its package
	Message string  `json:"errorMessage"`
	Stack   []Frame `json:"stackTrace,omitempty"` // of a panic
	Cause   string  `json:"-"`                    // what the function tells X-Ray about it, in JSON
}

// A Frame is one line of a panic's stack.
type Frame struct {
	Path  string `json:"path"`
	Line  int    `json:"line"`
	Label string `json:"label"`
}

// Error is the type and the message.
func (e *Error) Error() string { return e.Type + ": " + e.Message }

// parseError reads what a function reported. A body that is not the JSON of an error is the message, and a stack in
// another shape than aws-lambda-go's is left out.
func parseError(body []byte) *Error {
	var e struct {
		Error
		Stack json.RawMessage `json:"stackTrace"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return &Error{Message: string(body)}
	}
	if json.Unmarshal(e.Stack, &e.Error.Stack) != nil {
		e.Error.Stack = nil
	}
	return &e.Error
}

// an invocation is a Request on its way to a Result. Function.mu guards everything but done.
type invocation struct {
	Request
	env      *environment // nil until it is handed over
	deadline time.Time
	timer    *time.Timer
	answered bool // result is settled but for Exit and Log
	over     bool // done is closed
	result   Result
	err      error
	done     chan struct{}
}

func newInvocation(name string, r Request) *invocation {
	if r.ID == "" {
		r.ID = uuid()
	}
	if r.ARN == "" {
		r.ARN = "arn:aws:lambda:us-east-1:123456789012:function:" + name
	}
	if r.TraceID == "" {
		r.TraceID = fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), random(12), random(8))
	}
	return &invocation{Request: r, done: make(chan struct{})}
}

// header is what comes with the event.
func (inv *invocation) header() http.Header {
	told := inv.Deadline
	if told.IsZero() {
		told = inv.deadline
	}
	h := http.Header{"Content-Type": {"application/json"}}
	for key, value := range map[string]string{
		"Lambda-Runtime-Aws-Request-Id":       inv.ID,
		"Lambda-Runtime-Deadline-Ms":          strconv.FormatInt(told.UnixMilli(), 10),
		"Lambda-Runtime-Invoked-Function-Arn": inv.ARN,
		"Lambda-Runtime-Trace-Id":             inv.TraceID,
		"Lambda-Runtime-Client-Context":       inv.ClientContext,
		"Lambda-Runtime-Cognito-Identity":     inv.CognitoIdentity,
		"Lambda-Runtime-Aws-Tenant-Id":        inv.TenantID,
	} {
		if value != "" {
			h.Set(key, value)
		}
	}
	return h
}

// fail settles the result with an error of Lambda's own finding.
func (inv *invocation) fail(errorType, format string, args ...any) {
	e := &Error{Type: errorType, Message: "RequestId: " + inv.ID + " Error: " + fmt.Sprintf(format, args...)}
	inv.answered = true
	inv.result.Err = e
	inv.result.Payload, _ = json.Marshal(e)
}

func uuid() string {
	b := random(16)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) //nolint:errcheck // it never fails
	return b
}
