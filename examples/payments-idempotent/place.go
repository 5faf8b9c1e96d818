package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/dynamostore"
	"github.com/seawall-go/seawall/idempotency/redisstore"
)

// A place is where the records are.
type place struct {
	store    string
	endpoint string // of DynamoDB
	addr     string // of Redis
}

func parse(args []string, out io.Writer) (place, error) {
	var p place
	flags := flag.NewFlagSet("payments-idempotent", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&p.store, "store", "memory", "where the records are: memory, dynamodb or redis")
	flags.StringVar(&p.endpoint, "endpoint", "", "the `URL` of DynamoDB for -store dynamodb, such as http://localhost:8000")
	flags.StringVar(&p.addr, "addr", "", "the `HOST:PORT` of Redis for -store redis, such as localhost:6379")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(out)
		flags.Usage()
		return p, err
	case err != nil:
		return p, err
	case flags.NArg() > 0:
		return p, fmt.Errorf("unexpected argument %q: it takes only flags, see -help", flags.Arg(0))
	}
	return p, p.check()
}

func (p place) check() error {
	endpoint, err := url.Parse(p.endpoint)
	switch {
	case p.store != "memory" && p.store != "dynamodb" && p.store != "redis":
		return fmt.Errorf("-store %q: want memory, dynamodb or redis", p.store)
	case p.endpoint != "" && p.store != "dynamodb":
		return errors.New("-endpoint goes with -store dynamodb")
	case p.addr != "" && p.store != "redis":
		return errors.New("-addr goes with -store redis")
	case p.store == "dynamodb" && (err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https"):
		return fmt.Errorf("-endpoint %q: want a URL with -store dynamodb, such as http://localhost:8000", p.endpoint)
	}
	if host, port, err := net.SplitHostPort(p.addr); p.store == "redis" && (err != nil || host == "" || port == "") {
		return fmt.Errorf("-addr %q: want HOST:PORT with -store redis, such as localhost:6379", p.addr)
	}
	return nil
}

func (p place) String() string {
	switch p.store {
	case "dynamodb":
		return "DynamoDB at " + p.endpoint
	case "redis":
		return "Redis at " + p.addr
	}
	return "in memory"
}

func (p place) open(ctx context.Context) (store idempotency.Store, closeStore func(), err error) {
	switch p.store {
	case "dynamodb":
		transport := new(http.Client)
		client := dynamodb.New(dynamodb.Options{
			HTTPClient:   transport,
			Region:       "us-east-1",
			BaseEndpoint: &p.endpoint,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil // an emulator takes any
			}),
		})
		const table = "payments-idempotent"
		return dynamostore.New(client, table), transport.CloseIdleConnections, dynamostore.CreateTable(ctx, client, table)
	case "redis":
		logging.Disable() // the error says it all
		client := redis.NewClient(&redis.Options{Addr: p.addr, ContextTimeoutEnabled: true})
		return redisstore.New(client, "payments-idempotent:"), func() { client.Close() }, client.Ping(ctx).Err()
	}
	return &idempotency.Memory{}, func() {}, nil
}
