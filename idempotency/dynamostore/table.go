package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// A TableClient is what [CreateTable] calls. A *dynamodb.Client is one.
type TableClient interface {
	CreateTable(ctx context.Context, in *dynamodb.CreateTableInput, options ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
	DescribeTable(ctx context.Context, in *dynamodb.DescribeTableInput, options ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	DescribeTimeToLive(ctx context.Context, in *dynamodb.DescribeTimeToLiveInput, options ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error)
	UpdateTimeToLive(ctx context.Context, in *dynamodb.UpdateTimeToLiveInput, options ...func(*dynamodb.Options)) (*dynamodb.UpdateTimeToLiveOutput, error)
}

// CreateTable makes a table for a [Store] with the same options, billed on demand and with its time to live on, and
// returns when it is ready. A table that is there already is left as it is, but for its time to live. It is for
// development and tests: what is in production belongs into a template, see the README.
func CreateTable(ctx context.Context, client TableClient, table string, options ...Option) error {
	l := newLayout("CreateTable", options)
	key := []types.KeySchemaElement{{AttributeName: &l.names.Key, KeyType: types.KeyTypeHash}}
	if l.sort != "" {
		key = append(key, types.KeySchemaElement{AttributeName: &l.sort, KeyType: types.KeyTypeRange})
	}
	attributes := make([]types.AttributeDefinition, 0, len(key))
	for _, k := range key {
		attributes = append(attributes, types.AttributeDefinition{AttributeName: k.AttributeName, AttributeType: types.ScalarAttributeTypeS})
	}
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            &table,
		KeySchema:            key,
		AttributeDefinitions: attributes,
		BillingMode:          types.BillingModePayPerRequest,
	})
	if _, there := errors.AsType[*types.ResourceInUseException](err); err != nil && !there {
		return err
	}
	if err := awaitTable(ctx, client, table, key); err != nil {
		return err
	}
	return expire(ctx, client, table, l.names.Expires)
}

// awaitTable returns when the table is ready, if it has that key.
func awaitTable(ctx context.Context, client TableClient, table string, key []types.KeySchemaElement) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		out, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
		if err != nil {
			return err
		}
		if !slices.EqualFunc(out.Table.KeySchema, key, sameElement) {
			return fmt.Errorf("dynamostore: table %q is there and has another key: want %s", table, describe(key))
		}
		if out.Table.TableStatus == types.TableStatusActive {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

func sameElement(a, b types.KeySchemaElement) bool {
	return a.KeyType == b.KeyType && deref(a.AttributeName) == deref(b.AttributeName)
}

func describe(key []types.KeySchemaElement) string {
	d := fmt.Sprintf("partition key %q", deref(key[0].AttributeName))
	if len(key) > 1 {
		d += fmt.Sprintf(", sort key %q", deref(key[1].AttributeName))
	}
	return d
}

// expire turns the time to live on.
func expire(ctx context.Context, client TableClient, table, attribute string) error {
	out, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &table})
	if err != nil {
		return err
	}
	switch d := out.TimeToLiveDescription; {
	case d == nil:
	case d.TimeToLiveStatus == types.TimeToLiveStatusEnabled, d.TimeToLiveStatus == types.TimeToLiveStatusEnabling:
		return nil
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &attribute, Enabled: new(true)},
	})
	// Emulators that do not know it do not expire anything, which development can bear.
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "UnknownOperationException" {
		return nil
	}
	return err
}
