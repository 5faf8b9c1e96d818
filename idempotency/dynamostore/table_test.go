package dynamostore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seawall-go/seawall/idempotency/dynamostore"
	"github.com/seawall-go/seawall/internal/fakedynamo"
)

func TestCreateTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakedynamo.Server{Creating: 10 * time.Second}
		c := client("http://dynamodb.invalid", fake)
		start := time.Now()
		for range 2 { // it may be there already
			if err := dynamostore.CreateTable(t.Context(), c, tableName); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 10*time.Second || took > 12*time.Second {
			t.Errorf("took %v, want until the table is ready", took)
		}
		out, err := c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: new(tableName)})
		if err != nil || out.Table.BillingModeSummary.BillingMode != types.BillingModePayPerRequest {
			t.Errorf("got %+v, %v; want it billed on demand", out, err)
		}
		ttl, err := c.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: new(tableName)})
		if err != nil || ttl.TimeToLiveDescription.TimeToLiveStatus != types.TimeToLiveStatusEnabled || *ttl.TimeToLiveDescription.AttributeName != "expiration" {
			t.Errorf("got %+v, %v; want its time to live on", ttl, err)
		}
	})
}

func TestCreateTableEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client("http://dynamodb.invalid", &fakedynamo.Server{Creating: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := dynamostore.CreateTable(ctx, c, tableName); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want DeadlineExceeded", err)
		}
	})
}

func TestCreateTableWhereAnotherIs(t *testing.T) {
	c := client("http://dynamodb.invalid", &fakedynamo.Server{})
	if err := dynamostore.CreateTable(t.Context(), c, tableName); err != nil {
		t.Fatal(err)
	}
	err := dynamostore.CreateTable(t.Context(), c, tableName, dynamostore.SortKey("sort", "p"))
	if err == nil || !strings.Contains(err.Error(), `want partition key "id", sort key "sort"`) {
		t.Errorf("got %v", err)
	}
}

func TestCreateTableThatFails(t *testing.T) {
	for _, op := range []string{"CreateTable", "DescribeTable", "DescribeTimeToLive", "UpdateTimeToLive"} {
		fake := &fakedynamo.Server{}
		fake.Fail(op, fakedynamo.Fault{Code: fakedynamo.Denied})
		if err := dynamostore.CreateTable(t.Context(), client("http://dynamodb.invalid", fake), tableName); err == nil {
			t.Errorf("%s is denied, and nobody says so", op)
		}
	}
}

// Emulators know no time to live, and development can do without.
func TestCreateTableWithoutTimeToLive(t *testing.T) {
	fake := &fakedynamo.Server{}
	fake.Fail("UpdateTimeToLive", fakedynamo.Fault{Code: "UnknownOperationException"})
	if err := dynamostore.CreateTable(t.Context(), client("http://dynamodb.invalid", fake), tableName); err != nil {
		t.Error(err)
	}
}
