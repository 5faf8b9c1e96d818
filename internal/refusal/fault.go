package refusal

import "errors"

// A Fault is whose doing a failure is, as far as an error tells what a server answered.
type Fault int

// Whose doing a failure is.
const (
	Server  Fault = iota // the server's, or nobody knows
	Load                 // that of all who ask: the server has too much to do
	Request              // that of this request, which would fail again
)

// FaultOf is whose doing err is, by the first of its methods Throttled() bool, ErrorCode() string and HTTPStatusCode()
// int that tells.
func FaultOf(err error) Fault {
	if e, ok := errors.AsType[interface {
		error
		Throttled() bool
	}](err); ok && e.Throttled() {
		return Load
	}
	if e, ok := errors.AsType[interface {
		error
		ErrorCode() string
	}](err); ok {
		if fault, known := faultOfCode(e.ErrorCode()); known {
			return fault
		}
	}
	if e, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok {
		return faultOfStatus(e.HTTPStatusCode())
	}
	return Server
}

// faultOfCode knows the codes that aws-sdk-go-v2 has in aws/retry, DefaultThrottleErrorCodes and
// DefaultRetryableErrorCodes. Many come with a status of 400.
func faultOfCode(code string) (fault Fault, known bool) {
	switch code {
	case "BandwidthLimitExceeded",
		"EC2ThrottledException",
		"LimitExceededException",
		"PriorRequestNotComplete",
		"ProvisionedThroughputExceededException",
		"RequestLimitExceeded",
		"RequestThrottled",
		"RequestThrottledException",
		"SlowDown",
		"ThrottledException",
		"Throttling",
		"ThrottlingException",
		"TooManyRequestsException",
		"TransactionInProgressException":
		return Load, true
	case "RequestTimeout",
		"RequestTimeoutException":
		return Server, true
	}
	return 0, false
}

func faultOfStatus(status int) Fault {
	switch {
	case status == 429: // too many requests
		return Load
	case status == 408, status == 425: // request timeout, too early
		return Server
	case 400 <= status && status < 500:
		return Request
	}
	return Server
}
