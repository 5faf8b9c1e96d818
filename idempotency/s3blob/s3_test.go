package s3blob_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A fakeS3 is what S3 does with the bucket "results", without a network.
type fakeS3 struct {
	mu       sync.Mutex
	objects  map[string]object
	requests []*http.Request
	faults   []fault // of the next requests
}

type object struct {
	data []byte
	sum  string
}

// A fault is what goes wrong with one request. The zero fault is nothing.
type fault struct {
	status    int // is answered, with the code; the request is not carried out
	code      string
	dropReply bool
	harm      bool // to a byte of the body, on the way there or back
}

// Do is the answer to one request of the SDK's.
func (f *fakeS3) Do(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var wrong fault
	if f.requests = append(f.requests, r); len(f.faults) > 0 {
		wrong, f.faults = f.faults[0], f.faults[1:]
	}
	w := httptest.NewRecorder()
	switch {
	case wrong.status != 0:
		fail(w, wrong.status, wrong.code)
	case r.Method == http.MethodPut:
		f.put(w, r, wrong.harm)
	case r.Method == http.MethodGet:
		f.get(w, r, wrong.harm)
	default:
		fail(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
	if wrong.dropReply {
		return nil, io.ErrUnexpectedEOF
	}
	return w.Result(), r.Context().Err()
}

func (f *fakeS3) put(w *httptest.ResponseRecorder, r *http.Request, harm bool) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	if harm {
		data[0] ^= 1
	}
	sum := sha256.Sum256(data)
	encoded := base64.StdEncoding.EncodeToString(sum[:])
	if r.Header.Get("X-Amz-Checksum-Sha256") != encoded {
		fail(w, http.StatusBadRequest, "BadDigest")
		return
	}
	if f.objects == nil {
		f.objects = map[string]object{}
	}
	f.objects[r.URL.Path] = object{data, encoded}
}

func (f *fakeS3) get(w *httptest.ResponseRecorder, r *http.Request, harm bool) {
	o, ok := f.objects[r.URL.Path]
	if !ok {
		fail(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	if strings.EqualFold(r.Header.Get("X-Amz-Checksum-Mode"), "enabled") {
		w.Header().Set("X-Amz-Checksum-Sha256", o.sum)
	}
	data := append([]byte(nil), o.data...)
	if harm {
		data[0] ^= 1
	}
	w.Write(data)
}

func fail(w *httptest.ResponseRecorder, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, code)
}

// keys are those of the objects there are, bucket included.
func (f *fakeS3) keys() (keys []string) {
	for key := range f.objects {
		keys = append(keys, key)
	}
	return keys
}

// client is the SDK's, with its own retries, for an S3 at endpoint.
func client(endpoint string, transport s3.HTTPClient) *s3.Client {
	return s3.New(s3.Options{
		Region:       "us-east-1",
		BaseEndpoint: &endpoint,
		UsePathStyle: true,
		HTTPClient:   transport,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	})
}
