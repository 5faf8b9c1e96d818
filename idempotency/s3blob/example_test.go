package s3blob_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/s3blob"
)

func ExampleNew() {
	bucket := new(fakeS3)
	client := client("https://s3.invalid", bucket) // s3.NewFromConfig(cfg) in a program
	once := idempotency.Config{
		Store: smallStore{new(idempotency.Memory)},
		Scope: "make report",
		Blobs: s3blob.New(client, "results", "idempotency/"),
	}
	for range 2 {
		report, err := idempotency.Do(context.Background(), once, "2026", func(context.Context) (string, error) {
			fmt.Println("making the report")
			return allRunes(), nil
		})
		fmt.Println(strings.Count(report, "")-1, "letters", err)
	}
	fmt.Println(len(bucket.keys()), "object")
	// Output:
	// making the report
	// 1000 letters <nil>
	// 1000 letters <nil>
	// 1 object
}

// allRunes is a text that does not get smaller than a record.
func allRunes() string {
	var b strings.Builder
	for r := range 1000 {
		b.WriteRune(rune(0x4e00 + r*7))
	}
	return b.String()
}
