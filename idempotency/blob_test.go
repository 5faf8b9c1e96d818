package idempotency_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/idempotency"
)

// The names of blobs had the caller's key in them, where it was written to the bucket's logs.
func TestRegression_ARawKeyIsNotInTheNamesOfBlobs(t *testing.T) {
	s := newStage()
	b := &blobs{}
	s.Store, s.config.Blobs, s.config.RawKey = limited{&s.memory, 200}, b, true
	want := make([]byte, 500)
	_, _ = rand.NewChaCha8([32]byte{}).Read(want)
	for range 2 {
		got, err := idempotency.Do(t.Context(), s.config, "secret-7", func(context.Context) ([]byte, error) { return want, nil })
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	}
	if len(b.kept) != 1 {
		t.Errorf("%d blobs", len(b.kept))
	}
	for name := range b.kept {
		if strings.Contains(name, "secret") || !strings.HasPrefix(name, "orders#") {
			t.Errorf("the blob is called %q", name)
		}
	}
}

// What is gone for good is not the fault of the record: the call is done, and the caller is told so.
func TestResultWhoseBlobIsGoneIsAConflict(t *testing.T) {
	s := newStage()
	b := &blobs{}
	s.Store, s.config.Blobs = limited{&s.memory, 200}, b
	call := func() error {
		_, err := idempotency.Do(t.Context(), s.config, "7", func(context.Context) ([]byte, error) {
			noise := make([]byte, 500)
			_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
			return noise, nil
		})
		return err
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	clear(b.kept)
	err := call()
	if gone, ok := errors.AsType[*idempotency.NotKeptError](err); !ok || gone.HTTPStatus() != 409 || errors.Is(err, idempotency.ErrCorrupt) {
		t.Errorf("got %T: %v", err, err)
	}
}

// A handler handed one result to its transaction and returned another, whose blob was written over that of the first.
func TestRegression_ABlobIsNotWrittenOver(t *testing.T) {
	s := newStage()
	b := &blobs{}
	s.Store, s.config.Blobs = limited{&s.memory, 200}, b
	handed, returned := make([]byte, 500), make([]byte, 500)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(handed)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(returned)
	call := func() ([]byte, error) {
		return idempotency.Do(t.Context(), s.config, "7", func(ctx context.Context) ([]byte, error) {
			c, err := idempotency.CompletionOf(ctx, handed)
			if err != nil {
				return nil, err
			}
			return returned, s.memory.Complete(ctx, c)
		})
	}
	if got, err := call(); err != nil || !bytes.Equal(got, returned) {
		t.Errorf("first: %d bytes, %v", len(got), err)
	}
	if got, err := call(); err != nil || !bytes.Equal(got, handed) {
		t.Errorf("replay: %d bytes, %v; want what the record was completed with", len(got), err)
	}
}
