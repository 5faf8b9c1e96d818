package lambdatest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"go.uber.org/goleak"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func TestMain(m *testing.M) {
	lambdatest.Serve("greet", func() { lambda.Start(greet) })
	lambdatest.Serve("seen", func() { lambda.Start(seen) })
	lambdatest.Serve("act", func() { lambda.Start(act) })
	lambdatest.Serve("meet", func() { lambda.Start(meet) })
	lambdatest.Serve("stream", func() { lambda.Start(stream) })
	lambdatest.Serve("site", func() { lambda.Start(site) })
	lambdatest.Serve("brief", func() {})
	lambdatest.Serve("brood", func() { lambda.Start(brood) })
	lambdatest.Serve("parent of a frozen one", func() { parent("greet", `{}`, lambdatest.Config{Freeze: true}) })
	lambdatest.Serve("parent of a deaf one", func() {
		parent("act", `"tell"`, lambdatest.Config{Command: deaf, Timeout: time.Hour, Log: os.Stdout})
	})
	lambdatest.Serve("farewell", func() {
		lambda.StartWithOptions(act, lambda.WithEnableSIGTERM(func() { fmt.Println("farewell") }))
	})
	lambdatest.Serve("mortal", func() { lambda.StartWithOptions(act, lambda.WithEnableSIGTERM()) })
	lambdatest.Serve("stuck", func() { select {} })
	lambdatest.Serve("stillborn", func() {
		fmt.Println("no database")
		os.Exit(7)
	})
	lambdatest.Serve("sorry", func() {
		api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/init/error"
		response, err := http.Post(api, "application/json", strings.NewReader(`{"errorType":"Config.Missing","errorMessage":"no table"}`))
		if err != nil || response.StatusCode != http.StatusAccepted {
			os.Exit(8)
		}
		os.Exit(1)
	})
	lambdatest.Serve("other runtime", otherRuntime)
	goleak.VerifyTestMain(m)
}

func greet(_ context.Context, event struct{ Name string }) (string, error) {
	return "hello " + event.Name, nil
}

// seen answers what the function sees of its invocation.
func seen(ctx context.Context, event json.RawMessage) (map[string]any, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return map[string]any{
		"event": event, "id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "tenant": lc.TenantID,
		"client": lc.ClientContext.Custom["k"], "cognito": lc.Identity.CognitoIdentityID,
		"trace": ctx.Value("x-amzn-trace-id"), "deadline": deadline.UnixMilli(),
		"function": lambdacontext.FunctionName, "version": lambdacontext.FunctionVersion,
		"group": lambdacontext.LogGroupName, "stream": lambdacontext.LogStreamName, "memory": lambdacontext.MemoryLimitInMB,
		"concurrency": lambdacontext.MaxConcurrency(), "color": os.Getenv("COLOR"), "region": os.Getenv("AWS_REGION"),
	}, nil
}

// brood starts a process and tells its id, one way or another.
func brood(_ context.Context, quit bool) (int, error) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if quit {
		fmt.Println(cmd.Process.Pid)
		os.Exit(1)
	}
	return cmd.Process.Pid, nil
}

// parent is a process with a function of its own.
func parent(name, event string, config lambdatest.Config) {
	_ = os.Unsetenv("SEAWALL_LAMBDATEST")
	result, err := lambdatest.New(name, config).Invoke(context.Background(), []byte(event))
	if err != nil {
		panic(err)
	}
	fmt.Println(result.PID)
	select {}
}

// deaf makes a function that notices nothing of its parent's end: its stdin is its grandparent's.
func deaf() *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SEAWALL_LAMBDATEST=act")
	cmd.Stdin = os.Stdin
	return cmd
}

type mineError struct{ reason string }

func (e *mineError) Error() string { return e.reason }

// act does what the event says.
func act(ctx context.Context, do string) (string, error) {
	switch do {
	case "fail":
		return "", &mineError{"no stock"}
	case "panic":
		panic(&mineError{"no hope"})
	case "crash":
		go func() { panic("elsewhere") }()
		select {}
	case "quit":
		os.Exit(0)
	case "tell":
		fmt.Println(os.Getpid())
		select {}
	case "hang":
		select {}
	case "wait":
		<-ctx.Done()
		return "too late", nil
	case "shout":
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 64<<10)+"end")
		panic("after the shout")
	}
	return do, nil
}

// meet answers when the server at the event's URL does.
func meet(_ context.Context, url string) (string, error) {
	response, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if string(body) == "panic" {
		panic("told so")
	}
	return string(body), err
}

// pieces is a reader that reads one piece at a time, and fails if it comes upon an empty one.
type pieces []string

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	piece := (*p)[0]
	*p = (*p)[1:]
	if piece == "" {
		return 0, &mineError{"torn"}
	}
	return copy(b, piece), nil
}

func (p *pieces) ContentType() string          { return "text/plain" }
func (p *pieces) MarshalJSON() ([]byte, error) { return nil, errors.New("not json") }

func stream(_ context.Context, event []string) (io.Reader, error) {
	p := pieces(event)
	return &p, nil
}

func site(context.Context, json.RawMessage) (*events.LambdaFunctionURLStreamingResponse, error) {
	body := pieces{"one", "two"}
	return &events.LambdaFunctionURLStreamingResponse{StatusCode: 201, Body: &body}, nil
}

// otherRuntime does what aws-lambda-go does not: it sends its response with its length.
func otherRuntime() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/"
	if response, err := http.Post(api+"nothing/here", "", strings.NewReader("x")); err != nil || response.StatusCode != http.StatusNotFound {
		os.Exit(9)
	}
	for {
		event, err := http.Get(api + "runtime/invocation/next")
		if err != nil {
			os.Exit(1)
		}
		_, _ = io.Copy(io.Discard, event.Body)
		id := event.Header.Get("Lambda-Runtime-Aws-Request-Id")
		for _, id := range []string{"unknown", id} {
			_, err = http.Post(api+"runtime/invocation/"+id+"/response", "text/html", strings.NewReader("<p>"))
			if err != nil {
				os.Exit(1)
			}
		}
	}
}

func newFunction(t *testing.T, name string, config lambdatest.Config) *lambdatest.Function {
	f := lambdatest.New(name, config)
	t.Cleanup(func() { f.Close() })
	return f
}

func invoke(t *testing.T, f *lambdatest.Function, event any) lambdatest.Result {
	t.Helper()
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	result, err := f.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// otherProgram is a command that is not this program.
func otherProgram(name string, args ...string) func() *exec.Cmd {
	return func() *exec.Cmd { return exec.Command(name, args...) }
}

const soon = time.Second // for what has to time out, among others that must not
