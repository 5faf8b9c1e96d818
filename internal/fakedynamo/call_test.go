package fakedynamo_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// An end is a DynamoDB behind HTTP.
type end struct {
	url    string
	client *http.Client
}

// A reply is what it answered. Its Body is JSON with sorted keys.
type reply struct {
	Status  int
	Type    string
	Message string
	Body    map[string]any
}

func (r reply) String() string {
	text, _ := json.Marshal(r)
	return string(text)
}

// serve starts a server for a test.
func serve(t *testing.T, s *fakedynamo.Server) end {
	t.Helper()
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	return end{ts.URL, ts.Client()}
}

// dynalite is the one that is running, if the environment says where. Where CI is promised it must run.
func dynalite(t *testing.T) end {
	t.Helper()
	url := os.Getenv("SEAWALL_TEST_DYNAMODB")
	switch {
	case url != "":
	case os.Getenv("CI") == "true":
		t.Fatal("SEAWALL_TEST_DYNAMODB is not set: start dynalite and set it to the endpoint")
	default:
		t.Skip("SEAWALL_TEST_DYNAMODB is not set")
	}
	return end{url, http.DefaultClient}
}

func (e end) try(t testing.TB, op, body string) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	req.Header.Set("X-Amz-Date", "20260101T000000Z")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c")
	resp, err := e.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	r := reply{Status: resp.StatusCode}
	if err := json.Unmarshal(text, &r.Body); err != nil {
		t.Fatalf("%s %s: answer %q: %v", op, body, text, err)
	}
	r.Type, _ = r.Body["__type"].(string)
	_, r.Type, _ = strings.Cut(r.Type, "#")
	r.Message, _ = r.Body["message"].(string)
	delete(r.Body, "__type")
	delete(r.Body, "message")
	return r, nil
}

func (e end) call(t testing.TB, op, body string) reply {
	t.Helper()
	r, err := e.try(t, op, body)
	if err != nil {
		t.Fatalf("%s %s: %v", op, body, err)
	}
	return r
}

// must is a call that succeeds.
func (e end) must(t testing.TB, op, body string) reply {
	t.Helper()
	r := e.call(t, op, body)
	if r.Status != http.StatusOK {
		t.Fatalf("%s %s: %v", op, body, r)
	}
	return r
}

func (e end) createTable(t testing.TB, name string) {
	t.Helper()
	e.must(t, "CreateTable", `{"TableName":"`+name+`","BillingMode":"PAY_PER_REQUEST",
		"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}`)
	e.awaitTable(t, name)
}

func (e end) createSortedTable(t testing.TB, name, sort, kind string) {
	t.Helper()
	e.must(t, "CreateTable", `{"TableName":"`+name+`","BillingMode":"PAY_PER_REQUEST",
		"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"},{"AttributeName":"`+sort+`","AttributeType":"`+kind+`"}],
		"KeySchema":[{"AttributeName":"id","KeyType":"HASH"},{"AttributeName":"`+sort+`","KeyType":"RANGE"}]}`)
	e.awaitTable(t, name)
}

func (e end) awaitTable(t testing.TB, name string) {
	t.Helper()
	for {
		r := e.must(t, "DescribeTable", `{"TableName":"`+name+`"}`)
		if r.Body["Table"].(map[string]any)["TableStatus"] == "ACTIVE" {
			return
		}
	}
}
