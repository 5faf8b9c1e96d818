package dynamostore_test

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// Records as Powertools for AWS Lambda leaves them. In a bubble it is the first second of the year 2000.
func TestRecordsOfPowertools(t *testing.T) {
	const now = 946684800
	for _, tt := range []struct {
		name string
		item map[string]types.AttributeValue
		want string // the result, or a word for what comes instead
	}{
		{"Python, completed", map[string]types.AttributeValue{
			"status": str("COMPLETED"), "expiration": num(now + 60), "in_progress_expiration": num((now - 5) * 1000),
			"data": str(`{"id": 7}`), "validation": str("7b0e"),
		}, `{"id": 7}`},
		{"Python, completed, expires this second", map[string]types.AttributeValue{
			"status": str("COMPLETED"), "expiration": num(now), "data": str("0"),
		}, "0"},
		{"Python, completed without a result", map[string]types.AttributeValue{
			"status": str("COMPLETED"), "expiration": num(now + 60), "data": str("null"),
		}, "null"},
		{"completed without data", map[string]types.AttributeValue{
			"status": str("COMPLETED"), "expiration": num(now + 60),
		}, "none"},
		{"TypeScript, a fraction of a second", map[string]types.AttributeValue{
			"status": str("COMPLETED"), "expiration": &types.AttributeValueMemberN{Value: "946684860.5"}, "data": str("1"),
		}, "1"},
		{"expired", map[string]types.AttributeValue{
			"status": str("COMPLETED"), "expiration": num(now - 1), "data": str("0"),
		}, "free"},
		{"in progress", map[string]types.AttributeValue{
			"status": str("INPROGRESS"), "expiration": num(now + 3600), "in_progress_expiration": num((now + 60) * 1000),
		}, "in progress"},
		{"in progress, lease over", map[string]types.AttributeValue{
			"status": str("INPROGRESS"), "expiration": num(now + 3600), "in_progress_expiration": num((now - 6) * 1000),
		}, "free"},
		{"in progress, lease over but for the skew", map[string]types.AttributeValue{
			"status": str("INPROGRESS"), "expiration": num(now + 3600), "in_progress_expiration": num((now - 5) * 1000),
		}, "in progress"},
		{"in progress without a lease", map[string]types.AttributeValue{
			"status": str("INPROGRESS"), "expiration": num(now + 60),
		}, "in progress"},
		{"in progress without an end", map[string]types.AttributeValue{"status": str("INPROGRESS")}, "in progress"},
		{"completed without an end", map[string]types.AttributeValue{"status": str("COMPLETED"), "data": str("0")}, "0"},
		{"in progress without a lease, expired", map[string]types.AttributeValue{
			"status": str("INPROGRESS"), "expiration": num(now - 6),
		}, "free"},
		{"TypeScript, a map", map[string]types.AttributeValue{
			"status": str("COMPLETED"), "expiration": num(now + 60),
			"data": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"id": num(7)}},
		}, "unknown"},
		{"no record at all", map[string]types.AttributeValue{"balance": num(7)}, "unknown"},
		{"unknown status", map[string]types.AttributeValue{"status": str("PAUSED"), "expiration": num(now - 60)}, "unknown"},
		{"status of another type", map[string]types.AttributeValue{"status": num(1), "expiration": num(now - 60)}, "unknown"},
		{"times of another type", map[string]types.AttributeValue{"status": str("COMPLETED"), "expiration": str("soon")}, "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, hide := range map[string]bool{"with the old item": false, "without the old item": true} {
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s, c := open(t, &fakedynamo.Server{HideOld: hide})
						item := plain.at("fn#d41d8cd98f")
						maps.Copy(item, tt.item)
						if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new(tableName), Item: item}); err != nil {
							t.Fatal(err)
						}
						a := ask("fn#d41d8cd98f", "A")
						a.Fingerprint = "ours"
						a.TakeOver = &idempotency.Run{}
						r, err := s.Claim(t.Context(), a)
						var got string
						switch {
						case err != nil:
							got = "error"
						case r.Owner == "A":
							got = "free"
						case r.Status == idempotency.InProgress:
							got = "in progress"
						case r.Status != idempotency.Completed:
							got = "unknown"
						case r.Result.Encoding == idempotency.None:
							got = "none"
						case r.Result.Encoding == idempotency.JSON:
							got = string(r.Result.Data)
						}
						if got != tt.want {
							t.Errorf("got %s (%+v, %v), want %s", got, r, err, tt.want)
						}
						if r.Owner == "" && r.Fingerprint != "" {
							t.Errorf("their fingerprint %q is taken for one of ours", r.Fingerprint)
						}
						if is := raw(t, c, a.Key); tt.want != "free" && !reflect.DeepEqual(is, item) {
							t.Errorf("the record was touched: %v", is)
						}
					})
				})
			}
		})
	}
}

func TestWhatMakesNoSenseIsACorruptRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := open(t, &fakedynamo.Server{})
		item := plain.at("orders#key")
		item["status"], item["expiration"] = str("COMPLETED"), num(time.Now().Unix()+60)
		item["data"] = &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"id": num(7)}}
		if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new(tableName), Item: item}); err != nil {
			t.Fatal(err)
		}
		once := idempotency.Config{Store: s, Scope: "orders", RawKey: true, FailOpen: true}
		_, err := idempotency.Do(t.Context(), once, "key", func(context.Context) (int, error) {
			t.Error("the call was made")
			return 0, nil
		})
		if !errors.Is(err, idempotency.ErrCorrupt) || !strings.Contains(err.Error(), "the attribute data has the type M") {
			t.Errorf("got %v", err)
		}
	})
}

// Powertools for Python keeps what the function f of orders returned for {"id": 7} under orders.f#<MD5 of the payload>.
func TestAReplayOfPowertoolsPython(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := open(t, &fakedynamo.Server{})
		item := plain.at("orders.app.handler#3f1c2e")
		item["status"], item["expiration"], item["data"] = str("COMPLETED"), num(time.Now().Unix()+60), str(`{"statusCode": 200}`)
		if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new(tableName), Item: item}); err != nil {
			t.Fatal(err)
		}
		type response struct {
			StatusCode int `json:"statusCode"`
		}
		once := idempotency.Config{Store: s, Scope: "orders.app.handler", RawKey: true}
		got, err := idempotency.Do(t.Context(), once, "3f1c2e", func(context.Context) (response, error) {
			return response{}, errors.New("it runs again")
		})
		if err != nil || got.StatusCode != 200 {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}
