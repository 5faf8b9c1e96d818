package dynamostore_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/dynamostore"
	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// cfg is what config.LoadDefaultConfig returns, but for a DynamoDB that forgets everything.
var cfg = aws.Config{
	Region:       "eu-central-1",
	HTTPClient:   &fakedynamo.Server{},
	BaseEndpoint: aws.String("http://localhost:8000"),
	Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
	}),
}

func Example() {
	ctx := context.Background()
	ddb := dynamodb.NewFromConfig(cfg)
	if err := dynamostore.CreateTable(ctx, ddb, "idempotency"); err != nil { // in production, a template does that
		fmt.Println(err)
		return
	}
	once := idempotency.Config{Store: dynamostore.New(ddb, "idempotency"), Scope: "charge"}
	for range 2 {
		receipt, err := idempotency.Do(ctx, once, "order 7", func(context.Context) (string, error) {
			fmt.Println("charging")
			return "receipt 1", nil
		})
		fmt.Println(receipt, err)
	}
	// Output:
	// charging
	// receipt 1 <nil>
	// receipt 1 <nil>
}

func ExampleStore_CompleteTx() {
	ctx := context.Background()
	ddb := dynamodb.NewFromConfig(cfg)
	if err := dynamostore.CreateTable(ctx, ddb, "stock"); err != nil {
		fmt.Println(err)
		return
	}
	store := dynamostore.New(ddb, "stock") // a table that holds other things as well
	once := idempotency.Config{Store: store, Scope: "sell"}

	for range 2 {
		sold, err := idempotency.Do(ctx, once, "order 7", func(ctx context.Context) (string, error) {
			const sold = "one tulip"
			return sold, store.CompleteTx(ctx, sold, types.TransactWriteItem{Update: &types.Update{
				TableName:                 aws.String("stock"),
				Key:                       map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "tulips"}},
				UpdateExpression:          aws.String("ADD sold :one"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
			}})
		})
		fmt.Println(sold, err)
	}
	tulips, err := ddb.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String("stock"),
		Key:       map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "tulips"}},
	})
	fmt.Println(tulips.Item["sold"].(*types.AttributeValueMemberN).Value, err)
	// Output:
	// one tulip <nil>
	// one tulip <nil>
	// 1 <nil>
}

func ExampleSortKey() {
	ddb := dynamodb.NewFromConfig(cfg)
	composite := dynamostore.SortKey("sk", "idempotency")
	if err := dynamostore.CreateTable(context.Background(), ddb, "everything", composite); err != nil {
		fmt.Println(err)
		return
	}
	store := dynamostore.New(ddb, "everything", composite)
	once := idempotency.Config{Store: store, Scope: "charge"}
	fmt.Println(idempotency.Do(context.Background(), once, "order 7", func(context.Context) (string, error) {
		return "receipt 1", nil
	}))
	// Output:
	// receipt 1 <nil>
}

func ExampleNames() {
	ddb := dynamodb.NewFromConfig(cfg)
	names := dynamostore.Names(dynamostore.Attributes{Key: "pk", Expires: "ttl"})
	if err := dynamostore.CreateTable(context.Background(), ddb, "sessions", names); err != nil {
		fmt.Println(err)
		return
	}
	store := dynamostore.New(ddb, "sessions", names)
	record, err := store.Load(context.Background(), "charge#7")
	fmt.Println(record.Status == "", err)
	// Output:
	// true <nil>
}
