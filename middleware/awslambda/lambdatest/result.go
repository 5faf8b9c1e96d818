package lambdatest

import (
	"encoding/json"
	"net/http"
	"os"
	"time"
)

// A Request is one invocation. Zero fields take the values they name.
type Request struct {
	Payload []byte // the event
	ID      string // request id, which no other request under way may have; a new UUID
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
