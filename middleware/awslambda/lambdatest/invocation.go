package lambdatest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// An invocation is a Request on its way to a Result. Function.mu guards everything but done.
type invocation struct {
	Request
	due      time.Time   // zero until it is handed over
	timer    *time.Timer // fires when it is due
	answered bool        // result is settled but for Exit and Log
	over     bool        // done is closed
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
	r.Payload = bytes.Clone(r.Payload) // the caller may give up before it is sent
	return &invocation{Request: r, done: make(chan struct{})}
}

// header is what comes with the event.
func (inv *invocation) header() http.Header {
	told := inv.Deadline
	if told.IsZero() {
		told = inv.due
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

// end lets the caller of Send have the result, which does not change any more.
func (inv *invocation) end() {
	inv.over = true
	if inv.timer != nil {
		inv.timer.Stop()
	}
	close(inv.done)
}

func uuid() string {
	b := random(16)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
