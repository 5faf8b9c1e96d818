package dynamostore_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/dynamostore"
	"github.com/seawall-go/seawall/internal/fakedynamo"
)

const tableName = "idempotency"

// client is the SDK's, with its own retries, for a DynamoDB at endpoint.
func client(endpoint string, transport dynamodb.HTTPClient) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: &endpoint,
		HTTPClient:   transport,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	})
}

// open is a store in a table of a fake of its own, without a network.
func open(t testing.TB, fake *fakedynamo.Server, options ...dynamostore.Option) (*dynamostore.Store, *dynamodb.Client) {
	t.Helper()
	c := client("http://dynamodb.invalid", fake)
	if err := dynamostore.CreateTable(t.Context(), c, tableName, options...); err != nil {
		t.Fatal(err)
	}
	return dynamostore.New(c, tableName, options...), c
}

// dynalite is the endpoint of the one that is running, if the environment says where. Where CI is promised it must run.
func dynalite(t testing.TB) string {
	t.Helper()
	endpoint := os.Getenv("SEAWALL_TEST_DYNAMODB")
	switch {
	case endpoint != "":
	case os.Getenv("CI") == "true":
		t.Fatal("SEAWALL_TEST_DYNAMODB is not set: start dynalite and set it to the endpoint")
	default:
		t.Skip("SEAWALL_TEST_DYNAMODB is not set")
	}
	return endpoint
}

// openServer is a store in a new table of dynalite.
func openServer(t testing.TB, transport dynamodb.HTTPClient, options ...dynamostore.Option) (*dynamostore.Store, *dynamodb.Client, string) {
	t.Helper()
	c := client(dynalite(t), transport)
	table := fmt.Sprintf("store-%d-%d", os.Getpid(), tables.Add(1))
	if err := dynamostore.CreateTable(t.Context(), c, table, options...); err != nil {
		t.Fatal(err)
	}
	return dynamostore.New(c, table, options...), c, table
}

var tables atomic.Int64

// A lossy transport loses the reply to the next request when told to, after it was carried out.
type lossy struct {
	http.Client

	lose atomic.Bool
}

func (l *lossy) Do(r *http.Request) (*http.Response, error) {
	resp, err := l.Client.Do(r)
	if err == nil && l.lose.CompareAndSwap(true, false) {
		resp.Body.Close()
		return nil, fmt.Errorf("the connection is reset: %w", http.ErrServerClosed)
	}
	return resp, err
}

// ask is a claim of key by owner.
func ask(key, owner string) idempotency.Claim {
	now := time.Now()
	return idempotency.Claim{
		Key:     key,
		Owner:   owner,
		Now:     now,
		Lease:   now.Add(time.Minute),
		Expires: now.Add(time.Hour),
		Skew:    5 * time.Second,
	}
}

// follow is a claim by owner that takes over from the run of a token.
func follow(dead idempotency.FencingToken, owner string) idempotency.Claim {
	c := ask(dead.Key, owner)
	c.TakeOver = &idempotency.Run{Owner: dead.Owner, Attempt: dead.Attempt}
	return c
}

// end is how the run of c ends well.
func end(c idempotency.Claim, data string) idempotency.Completion {
	return idempotency.Completion{
		Key:     c.Key,
		Owner:   c.Owner,
		Expires: c.Expires,
		Result:  idempotency.Result{Encoding: idempotency.JSON, Data: []byte(data)},
	}
}

// win claims for the first time, and fails the test if that is refused.
func win(t testing.TB, s idempotency.Store, c idempotency.Claim) idempotency.Record {
	t.Helper()
	r, err := s.Claim(t.Context(), c)
	if err != nil || r.Owner != c.Owner || r.Status != idempotency.InProgress {
		t.Fatalf("Claim for %s: %+v, %v; want it granted", c.Owner, r, err)
	}
	return r
}

func complete(t testing.TB, s idempotency.Store, c idempotency.Completion) {
	t.Helper()
	if err := s.Complete(t.Context(), c); err != nil {
		t.Fatalf("Complete for %s: %v", c.Owner, err)
	}
}
