//go:build unix

package endtoend_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/redis/go-redis/v9"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/dynamostore"
	"github.com/seawall-go/seawall/idempotency/redisstore"
	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// A store is where the records are, in words that a process can be told.
type store struct {
	Kind string // redis or dynamodb
	At   string // host:port, or the endpoint
}

const table = "endtoend"

// onEachStore runs check with each store, and a key that is new there.
func onEachStore(t *testing.T, check func(t *testing.T, s store, key string)) {
	for kind, at := range map[string]func(*testing.T) string{"redis": redisAt, "dynamodb": dynamoDBAt} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			check(t, store{kind, at(t)}, rand.Text())
		})
	}
}

// serverAt is where a server is, if the environment says so. Where CI is promised it must.
func serverAt(t *testing.T, variable string) string {
	t.Helper()
	at := os.Getenv(variable)
	if at == "" && os.Getenv("CI") == "true" {
		t.Fatal(variable + " is not set: run the test under internal/servers")
	}
	return at
}

func redisAt(t *testing.T) string {
	at := serverAt(t, "SEAWALL_TEST_REDIS")
	if at == "" {
		at = miniredis.RunT(t).Addr()
	}
	return at
}

func dynamoDBAt(t *testing.T) string {
	at := serverAt(t, "SEAWALL_TEST_DYNAMODB")
	if at == "" {
		fake := httptest.NewServer(new(fakedynamo.Server))
		t.Cleanup(fake.Close)
		at = fake.URL
	}
	client, closeIdle := dynamoDB(at, false)
	defer closeIdle()
	if err := dynamostore.CreateTable(t.Context(), client, table); err != nil {
		t.Fatal(err)
	}
	return at
}

func dynamoDB(endpoint string, impatient bool) (client *dynamodb.Client, closeIdle func()) {
	transport := &http.Client{Transport: new(http.Transport)}
	options := dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: &endpoint,
		HTTPClient:   transport,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	}
	if impatient {
		options.RetryMaxAttempts = 1
	}
	return dynamodb.New(options), transport.CloseIdleConnections
}

// open is the store as a program opens it.
func (s store) open(impatient bool) (opened idempotency.Store, closeStore func()) {
	if s.Kind == "dynamodb" {
		client, closeIdle := dynamoDB(s.At, impatient)
		return dynamostore.New(client, table), closeIdle
	}
	options := &redis.Options{Addr: s.At, ContextTimeoutEnabled: true}
	if impatient {
		options.MaxRetries, options.DialerRetries = -1, 1
	}
	client := redis.NewClient(options)
	return redisstore.New(client, "endtoend:"), func() { client.Close() }
}

// host is the store's host:port.
func (s store) host() string {
	if at, err := url.Parse(s.At); err == nil && at.Host != "" {
		return at.Host
	}
	return s.At
}

// through is the same store at the end of a line.
func (s store) through(l *line) store {
	s.At = strings.Replace(s.At, s.host(), l.addr(), 1)
	return s
}

// replays fails the test unless a call with the key gets this receipt and does not run.
func (s store) replays(t *testing.T, key, receipt string) {
	t.Helper()
	opened, closeStore := s.open(false)
	defer closeStore()
	got, err := idempotency.Do(t.Context(), operation(opened, ""), key, func(context.Context) (string, error) {
		return "by one too many", nil
	})
	if err != nil || got != receipt {
		t.Errorf("a later call got %q, %v; want %q", got, err, receipt)
	}
}
