// Package s3blob keeps results that are too large for a record of package idempotency in an S3 bucket.
//
//	once := idempotency.Config{
//		Store: dynamostore.New(dynamodb.NewFromConfig(cfg), "idempotency"),
//		Blobs: s3blob.New(s3.NewFromConfig(cfg), "results", "idempotency/"),
//	}
//
// Nobody deletes an object here: it may be read as long as there is a record that names it. Give the bucket a lifecycle
// rule, by the prefix, that expires objects later than the longest TTL of the records. The README of the package has one
// in CloudFormation and Terraform, with the two permissions that a function needs: s3:PutObject and s3:GetObject.
package s3blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/seawall-go/seawall/idempotency"
)

// A Client is what Blobs calls. A *s3.Client is one.
type Client interface {
	PutObject(ctx context.Context, in *s3.PutObjectInput, options ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(ctx context.Context, in *s3.GetObjectInput, options ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// Blobs is an [idempotency.Blobs] in an S3 bucket. Its objects can be as large as one request takes, which is 5 GB, but
// each is in memory as a whole.
type Blobs struct {
	client Client
	bucket string
	prefix string
}

var _ idempotency.Blobs = (*Blobs)(nil)

// New returns Blobs in bucket, in objects whose keys are prefix and then the blob's name. A lifecycle rule goes by the
// prefix, which may be empty if nothing else is in the bucket. The bucket is not touched before the first call.
func New(client Client, bucket, prefix string) *Blobs {
	if client == nil {
		panic("s3blob: New: the client is nil: pass a *s3.Client")
	}
	if bucket == "" {
		panic("s3blob: New: the bucket has no name: pass the one that the stack gave it")
	}
	return &Blobs{client, bucket, prefix}
}

// Put implements [idempotency.Blobs]. S3 keeps data only if it arrives unharmed. Data that is there already is written
// over by the same data, so that a Put whose answer was lost can be made again.
func (b *Blobs) Put(ctx context.Context, name string, data []byte) error {
	sum := sha256.Sum256(data)
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:         &b.bucket,
		Key:            new(b.prefix + name),
		Body:           bytes.NewReader(data),
		ChecksumSHA256: new(base64.StdEncoding.EncodeToString(sum[:])),
	})
	if err != nil {
		return fmt.Errorf("s3blob: put into bucket %s: %w", b.bucket, err)
	}
	return nil
}

// Get implements [idempotency.Blobs]. What does not come as it was put is an error. That an object is gone S3 tells only
// those who have s3:ListBucket.
func (b *Blobs) Get(ctx context.Context, name string) ([]byte, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket:       &b.bucket,
		Key:          new(b.prefix + name),
		ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return nil, b.missed(err)
	}
	defer out.Body.Close() //nolint:errcheck // it was read
	data, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, fmt.Errorf("s3blob: get from bucket %s: %w", b.bucket, err)
	}
	return data, nil
}

// missed says what is behind an answer that does not.
func (b *Blobs) missed(err error) error {
	code := ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code = api.ErrorCode()
	}
	switch code {
	case "NoSuchKey":
		return fmt.Errorf("s3blob: get from bucket %s: it is gone, so the lifecycle rule expires objects before the TTL of their records is over: %w: %w", b.bucket, fs.ErrNotExist, err)
	case "AccessDenied":
		return fmt.Errorf("s3blob: get from bucket %s: s3:GetObject is missing, or it is gone, which S3 tells only those who have s3:ListBucket: %w", b.bucket, err)
	}
	return fmt.Errorf("s3blob: get from bucket %s: %w", b.bucket, err)
}
