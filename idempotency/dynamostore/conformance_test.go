package dynamostore_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/dynamostore"
	"github.com/seawall-go/seawall/idempotency/storetest"
	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// A layout is how records lie, in the store's words and in DynamoDB's.
type layout struct {
	options               []dynamostore.Option
	at                    func(key string) map[string]types.AttributeValue
	status, expires, data string
}

var plain = layout{
	at: func(key string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"id": str(key)}
	},
	status: "status", expires: "expiration", data: "data",
}

var optional = layout{
	options: []dynamostore.Option{
		dynamostore.SortKey("sort", "idempotency#orders"),
		dynamostore.Names(dynamostore.Attributes{
			Key: "pk", Status: "Status", Expires: "TTL", Lease: "lease.ms", Data: "body", Fingerprint: "hash",
			Owner: "#owner", Attempt: "n", Encoding: "size", Failed: "failed?",
		}),
	},
	at: func(key string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"pk": str("idempotency#orders"), "sort": str(key)}
	},
	status: "Status", expires: "TTL", data: "body",
}

func TestStore(t *testing.T) {
	for name, test := range map[string]struct {
		layout
		hideOld bool
	}{
		"as it comes":                {plain, false},
		"without the old item":       {plain, true},
		"a sort key and other names": {optional, false},
	} {
		t.Run(name, func(t *testing.T) {
			if raceEnabled && test.hideOld {
				t.Skip("what races is the same, and slow")
			}
			storetest.Run(t, func(t *testing.T) storetest.Harness {
				fake := &fakedynamo.Server{HideOld: test.hideOld, Lag: true}
				s, c := open(t, fake, test.options...)
				h := test.harness(s, c, tableName)
				h.LoseReply = func() { fake.Fail("", fakedynamo.Fault{DropReply: true}) }
				return h
			})
		})
	}
}

func TestStoreOnDynalite(t *testing.T) {
	storetest.RunServer(t, func(t *testing.T) storetest.Harness {
		transport := &lossy{}
		t.Cleanup(transport.CloseIdleConnections)
		s, c, table := openServer(t, transport)
		h := plain.harness(s, c, table)
		h.LoseReply = func() { transport.lose.Store(true) }
		return h
	})
}

func (l layout) harness(s *dynamostore.Store, c *dynamodb.Client, table string) storetest.Harness {
	return storetest.Harness{
		Store:        s,
		WholeSeconds: true,
		Sweep: func(key string) {
			if _, err := c.DeleteItem(context.Background(), &dynamodb.DeleteItemInput{TableName: &table, Key: l.at(key)}); err != nil {
				panic(err)
			}
		},
		Foreign: func(r idempotency.Record) {
			item := l.at(r.Key)
			item[l.status] = str(string(r.Status))
			item[l.expires] = num(r.Expires.Unix())
			if r.Status == idempotency.Completed {
				item[l.data] = str(string(r.Result.Data))
			}
			if _, err := c.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
				panic(err)
			}
		},
	}
}

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func num(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
