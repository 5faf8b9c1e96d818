package s3blob_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"go.uber.org/goleak"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/s3blob"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const name = "place order#6b86b273ff34fce19d6b804eff5a3f57/0f1e2d3c"

// onFake runs check in a bubble, where the SDK's pauses take no time.
func onFake(t *testing.T, check func(t *testing.T, fake *fakeS3, b *s3blob.Blobs)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fake := new(fakeS3)
		check(t, fake, s3blob.New(client("https://s3.invalid", fake), "results", "idempotency/"))
	})
}

// keeps is what any S3 has to do.
func keeps(t *testing.T, b *s3blob.Blobs) {
	large := make([]byte, 6<<20)
	rand.Read(large)
	for what, data := range map[string][]byte{
		"nothing":              {},
		"JSON":                 []byte(`{"id": "6b86b273"}`),
		"bytes of any kind":    {0, 1, '\r', '\n', 0xff},
		"several megabytes":    large,
		"what was there, over": []byte("again"),
	} {
		name := name + "/" + strings.ReplaceAll(what, " ", "+")
		for range 2 {
			if err := b.Put(t.Context(), name, data); err != nil {
				t.Fatalf("Put %s: %v", what, err)
			}
		}
		got, err := b.Get(t.Context(), name)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("Get %s: %d bytes, %v; want the %d that were put", what, len(got), err, len(data))
		}
	}
	_, err := b.Get(t.Context(), name+"/never put")
	if _, ok := errors.AsType[*types.NoSuchKey](err); !ok || !strings.Contains(err.Error(), "lifecycle rule") {
		t.Errorf("Get what was never put: %v; want a NoSuchKey that speaks of the lifecycle rule", err)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get what was never put: %v; want an fs.ErrNotExist, by which the engine knows that it is gone", err)
	}
}

func TestBlobsKeepWhatIsPut(t *testing.T) {
	onFake(t, func(t *testing.T, _ *fakeS3, b *s3blob.Blobs) { keeps(t, b) })
}

func TestBlobsKeepWhatIsPutOnAServer(t *testing.T) {
	endpoint := os.Getenv("SEAWALL_TEST_S3")
	if endpoint == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("SEAWALL_TEST_S3 has to be the endpoint of an S3")
		}
		t.Skip("SEAWALL_TEST_S3 is not the endpoint of an S3")
	}
	transport := new(http.Client)
	defer transport.CloseIdleConnections()
	c := client(endpoint, transport)
	bucket := fmt.Sprintf("seawall-test-%d", os.Getpid())
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	keeps(t, s3blob.New(c, bucket, "idempotency/"))

	_, err := s3blob.New(c, bucket+"-never-made", "").Get(t.Context(), name)
	if err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("Get from a bucket that is not there: %v; want NoSuchBucket", err)
	}
}

func TestObjectsAreUnderThePrefix(t *testing.T) {
	onFake(t, func(t *testing.T, fake *fakeS3, b *s3blob.Blobs) {
		if err := b.Put(t.Context(), name, []byte("data")); err != nil {
			t.Fatal(err)
		}
		if keys := fake.keys(); len(keys) != 1 || keys[0] != "/results/idempotency/"+name {
			t.Errorf("the bucket has %q, want one object", keys)
		}
	})
}

func TestOneRequestEach(t *testing.T) {
	onFake(t, func(t *testing.T, fake *fakeS3, b *s3blob.Blobs) {
		err := b.Put(t.Context(), name, []byte("data"))
		if _, err := b.Get(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if err != nil || len(fake.requests) != 2 {
			t.Errorf("Put and Get made %d requests, %v; want 2", len(fake.requests), err)
		}
	})
}

// A blob is written before the record that names it: a Put that harmed the data would be found out when it is too late.
func TestHarmedDataIsRefused(t *testing.T) {
	onFake(t, func(t *testing.T, fake *fakeS3, b *s3blob.Blobs) {
		fake.faults = []fault{{harm: true}}
		err := b.Put(t.Context(), name, []byte("data"))
		if err == nil || !strings.Contains(err.Error(), "BadDigest") || len(fake.keys()) > 0 {
			t.Errorf("Put that was harmed on its way: %v, the bucket has %q; want BadDigest and nothing", err, fake.keys())
		}
		if err := b.Put(t.Context(), name, []byte("data")); err != nil {
			t.Fatal(err)
		}
		fake.faults = []fault{{harm: true}}
		if data, err := b.Get(t.Context(), name); err == nil || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("Get of what is harmed on its way: %q, %v; want an error that speaks of the checksum", data, err)
		}
	})
}

func TestAPutWhoseAnswerIsLostIsMadeAgain(t *testing.T) {
	onFake(t, func(t *testing.T, fake *fakeS3, b *s3blob.Blobs) {
		fake.faults = []fault{{dropReply: true}, {status: 503, code: "SlowDown"}}
		if err := b.Put(t.Context(), name, []byte("data")); err != nil || len(fake.requests) != 3 {
			t.Errorf("Put: %v after %d requests; want 3, as the SDK makes the request again", err, len(fake.requests))
		}
		if data, err := b.Get(t.Context(), name); string(data) != "data" {
			t.Errorf("Get: %q, %v", data, err)
		}
	})
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		want   string
	}{
		{403, "AccessDenied", "s3blob: get from bucket results: s3:GetObject is missing, or it is gone"},
		{404, "NoSuchKey", "s3blob: get from bucket results: it is gone, so the lifecycle rule"},
		{404, "NoSuchBucket", "s3blob: get from bucket results: operation error S3: GetObject"},
	} {
		onFake(t, func(t *testing.T, fake *fakeS3, b *s3blob.Blobs) {
			fake.faults = []fault{{status: test.status, code: test.code}, {status: test.status, code: test.code}}
			_, err := b.Get(t.Context(), name)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || !strings.Contains(err.Error(), test.code) {
				t.Errorf("Get: %v; want %s ... %s", err, test.want, test.code)
			}
			err = b.Put(t.Context(), name, nil)
			if err == nil || !strings.HasPrefix(err.Error(), "s3blob: put into bucket results: ") || !strings.Contains(err.Error(), test.code) {
				t.Errorf("Put: %v; want s3blob: put into bucket results: ... %s", err, test.code)
			}
		})
	}
}

func TestNothingIsSentWhenTheContextIsOver(t *testing.T) {
	onFake(t, func(t *testing.T, fake *fakeS3, b *s3blob.Blobs) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Put(ctx, name, []byte("data")); !errors.Is(err, context.Canceled) {
			t.Errorf("Put: %v, want context canceled", err)
		}
		if _, err := b.Get(ctx, name); !errors.Is(err, context.Canceled) {
			t.Errorf("Get: %v, want context canceled", err)
		}
		if len(fake.keys()) > 0 {
			t.Errorf("the bucket has %q, want nothing", fake.keys())
		}
	})
}

// A cut body is one whose connection broke off. It must not pass for the whole.
type cutBody struct{ s3blob.Client }

func (c cutBody) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	body := io.MultiReader(strings.NewReader("da"), errReader{io.ErrUnexpectedEOF})
	return &s3.GetObjectOutput{Body: io.NopCloser(body)}, nil
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestABodyThatBreaksOffIsAnError(t *testing.T) {
	data, err := s3blob.New(cutBody{}, "results", "").Get(t.Context(), name)
	if !errors.Is(err, io.ErrUnexpectedEOF) || data != nil {
		t.Errorf("Get: %q, %v; want no data and io.ErrUnexpectedEOF", data, err)
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	for want, make := range map[string]func(){
		"s3blob: New: the client is nil": func() { s3blob.New(nil, "results", "") },
		"s3blob: New: the bucket has no": func() { s3blob.New(cutBody{}, "", "") },
	} {
		func() {
			defer func() {
				if p, _ := recover().(string); !strings.HasPrefix(p, want) {
					t.Errorf("panicked with %q, want %s", p, want)
				}
			}()
			make()
		}()
	}
}

func TestBlobsAreSafeForConcurrentUse(t *testing.T) {
	onFake(t, func(t *testing.T, fake *fakeS3, b *s3blob.Blobs) {
		var wg sync.WaitGroup
		for n := range 16 {
			wg.Go(func() {
				name, data := fmt.Sprint(name, n), fmt.Append(nil, n)
				if err := b.Put(t.Context(), name, data); err != nil {
					t.Error(err)
				}
				if got, err := b.Get(t.Context(), name); !bytes.Equal(got, data) {
					t.Errorf("Get: %q, %v; want %q", got, err, data)
				}
			})
		}
		wg.Wait()
	})
}

// A small store is one whose records hold next to nothing.
type smallStore struct{ *idempotency.Memory }

func (smallStore) MaxData(string) int { return 100 }

// Random letters do not get smaller by compression.
func TestAResultThatDoesNotFitIsReplayedFromTheBucket(t *testing.T) {
	onFake(t, func(t *testing.T, fake *fakeS3, b *s3blob.Blobs) {
		once := idempotency.Config{Store: smallStore{new(idempotency.Memory)}, Scope: "place order", Blobs: b}
		want, runs := rand.Text()+rand.Text()+rand.Text()+rand.Text()+rand.Text(), 0
		for range 2 {
			got, err := idempotency.Do(t.Context(), once, "7", func(context.Context) (string, error) {
				runs++
				return want, nil
			})
			if err != nil || got != want {
				t.Errorf("Do = %q, %v; want %q", got, err, want)
			}
		}
		if runs != 1 || len(fake.keys()) != 1 {
			t.Errorf("%d runs and %q in the bucket, want one and one", runs, fake.keys())
		}
		fake.objects = nil
		_, err := idempotency.Do(t.Context(), once, "7", func(context.Context) (string, error) { return "again", nil })
		if !errors.Is(err, idempotency.ErrNotKept) || errors.Is(err, idempotency.ErrStore) || !strings.Contains(err.Error(), "lifecycle rule") {
			t.Errorf("Do without the object: %v; want ErrNotKept, and why", err)
		}
	})
}

// The SDK makes checksums of its own, unless it is told not to, and S3 verifies them. They do not depend on that here.
func TestChecksumsDoNotDependOnTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := new(fakeS3)
		c := s3.New(client("https://s3.invalid", fake).Options(), func(o *s3.Options) {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		})
		b := s3blob.New(c, "results", "")
		if err := b.Put(t.Context(), name, []byte("data")); err != nil {
			t.Fatal(err)
		}
		fake.faults = []fault{{harm: true}}
		if data, err := b.Get(t.Context(), name); err == nil {
			t.Errorf("Get of what is harmed on its way: %q, want an error", data)
		}
	})
}
