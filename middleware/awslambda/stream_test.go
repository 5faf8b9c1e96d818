package awslambda_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdaurl"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
	"github.com/seawall-go/seawall/retry"
)

// A stream reads five chunks for as long as the context of its call is open. If last is set, the third chunk comes when
// that context is over.
type stream struct {
	ctx  context.Context //nolint:containedctx // a stream goes on after its call
	last bool
	read int
}

func (s *stream) Read(p []byte) (int, error) {
	if s.last && s.read == 2 {
		<-s.ctx.Done()
	}
	if err := s.ctx.Err(); err != nil {
		return 0, &streamError{err}
	}
	if s.read == 5 {
		return 0, io.EOF
	}
	s.read++
	return copy(p, fmt.Sprint("chunk ", s.read, ";")), nil
}

func (s *stream) MarshalJSON() ([]byte, error) { return nil, errors.New("a stream is no JSON") }
func (s *stream) ContentType() string          { return "text/event-stream" }

type streamError struct{ err error }

func (e *streamError) Error() string { return e.err.Error() }

func readStream(ctx context.Context, do string) (io.Reader, error) {
	return &stream{ctx: ctx, last: do == "wait"}, nil
}

func readFile(ctx context.Context, do string) (*stream, error) { return &stream{ctx: ctx}, nil }

func readSite(ctx context.Context, _ events.LambdaFunctionURLRequest) (*events.LambdaFunctionURLStreamingResponse, error) {
	return &events.LambdaFunctionURLStreamingResponse{
		StatusCode: http.StatusCreated,
		Headers:    map[string]string{"Content-Type": "text/plain"},
		Cookies:    []string{"a=b"},
		Body:       &stream{ctx: ctx},
	}, nil
}

func readGateway(ctx context.Context, _ events.APIGatewayProxyRequest) (*events.APIGatewayProxyStreamingResponse, error) {
	return &events.APIGatewayProxyStreamingResponse{StatusCode: http.StatusOK, Body: &stream{ctx: ctx}}, nil
}

func serveHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/panic" {
		panic("in the http.Handler")
	}
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusAccepted)
	if _, err := io.Copy(w, onlyReader{&stream{ctx: r.Context()}}); err != nil {
		fmt.Println(err)
	}
}

// onlyReader hides everything else from io.Copy.
type onlyReader struct{ io.Reader }

func streamPolicies() []middleware.Policy {
	return []middleware.Policy{
		middleware.Recover{}, middleware.Reserve(time.Second), middleware.Timeout(30 * time.Second), retry.Policy{},
		breaker.New(breaker.Config{}), middleware.NewBulkhead(1, 0), middleware.Timeout(20 * time.Second),
	}
}

func serveStreams() {
	lambdatest.Serve("stream bare", func() { lambda.StartHandlerFunc(readStream) })
	lambdatest.Serve("stream", func() { lambda.StartHandlerFunc(middleware.Wrap(readStream, streamPolicies()...)) })
	lambdatest.Serve("stream of a type", func() { lambda.Start(middleware.Wrap(readFile, streamPolicies()...)) })
	lambdatest.Serve("stream, abandon", func() { lambda.StartHandlerFunc(middleware.Abandon(readStream, time.Second)) })
	lambdatest.Serve("stream, short timeout", func() {
		lambda.StartHandlerFunc(middleware.Wrap(readStream, middleware.Timeout(time.Second)))
	})
	lambdatest.Serve("stream, naive timeout", func() {
		lambda.StartHandlerFunc(func(ctx context.Context, do string) (io.Reader, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			return readStream(ctx, do)
		})
	})
	lambdatest.Serve("url", func() { lambda.StartHandlerFunc(middleware.Wrap(readSite, streamPolicies()...)) })
	lambdatest.Serve("gateway", func() { lambda.StartHandlerFunc(middleware.Wrap(readGateway, streamPolicies()...)) })
	lambdatest.Serve("lambdaurl", func() {
		lambda.StartHandlerFunc(middleware.Wrap(lambdaurl.Wrap(http.HandlerFunc(serveHTTP)), streamPolicies()...))
	})
}

func TestStream(t *testing.T) {
	const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00"
	for _, tt := range []struct{ function, contentType, prelude string }{
		{"stream bare", "text/event-stream", ""},
		{"stream", "text/event-stream", ""},
		{"stream of a type", "text/event-stream", ""},
		{"stream, abandon", "text/event-stream", ""},
		{"url", httpIntegration, `{"statusCode":201,"headers":{"Content-Type":"text/plain"},"cookies":["a=b"]}` + zeros},
		{"gateway", httpIntegration, `{"statusCode":200}` + zeros},
		{"lambdaurl", httpIntegration, `{"statusCode":202,"headers":{"Content-Type":"text/plain"}}` + zeros},
	} {
		t.Run(tt.function, func(t *testing.T) {
			f := newFunction(t, tt.function, lambdatest.Config{})
			want := []string{"chunk 1;", "chunk 2;", "chunk 3;", "chunk 4;", "chunk 5;"}
			if tt.prelude != "" {
				want = append([]string{tt.prelude}, want...)
			}
			var event any = "go"
			if tt.contentType == httpIntegration {
				event = struct{}{}
			}
			for range 2 {
				result := invoke(t, f, event)
				if result.Err != nil || result.ContentType != tt.contentType {
					t.Errorf("Err = %v, ContentType = %q", result.Err, result.ContentType)
				}
				if got := chunks(result); !slices.Equal(got, want) {
					t.Errorf("Chunks = %q, want %q", got, want)
				}
			}
		})
	}
}

const httpIntegration = "application/vnd.awslambda.http-integration-response"

func chunks(result lambdatest.Result) []string {
	var all []string
	for _, chunk := range result.Chunks {
		all = append(all, string(chunk))
	}
	return all
}

// TestRegression_TimeoutEndsStream: a timeout that cancels its context when the handler returns cuts off the stream
// that the handler returned.
func TestRegression_TimeoutEndsStream(t *testing.T) {
	result := invoke(t, newFunction(t, "stream, naive timeout", lambdatest.Config{}), "go")
	if result.Err == nil || result.Err.Message != "context canceled" || len(result.Chunks) != 0 {
		t.Errorf("Err = %v, Chunks = %q: the naive timeout does no harm, and TestStream proves nothing", result.Err, result.Chunks)
	}
}

func TestStreamOverItsTime(t *testing.T) {
	result := invoke(t, newFunction(t, "stream, short timeout", lambdatest.Config{}), "wait")
	if got, want := chunks(result), []string{"chunk 1;", "chunk 2;"}; !slices.Equal(got, want) {
		t.Errorf("Chunks = %q, want %q", got, want)
	}
	if result.Err == nil || result.Err.Type != "streamError" || result.Err.Message != "context deadline exceeded" {
		t.Errorf("Err = %v, want the stream's", result.Err)
	}
}

// An http.Handler under lambdaurl panics where no policy is, and the process ends. Its caller may have got a 200 by then.
func TestPanicInLambdaURL(t *testing.T) {
	f := newFunction(t, "lambdaurl", lambdatest.Config{})
	result := invoke(t, f, events.LambdaFunctionURLRequest{RawPath: "/panic"})
	if result.Exit == nil || result.Exit.ExitCode() != 2 {
		t.Errorf("Exit = %v, want code 2", result.Exit)
	}
	if e := result.Err; e != nil && e.Type != lambdatest.Exited {
		t.Errorf("Err = %v", e)
	}
}
