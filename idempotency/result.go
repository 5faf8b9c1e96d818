package idempotency

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
)

// A Codec turns results into bytes and back. What Unmarshal makes of the bytes of a value must be equal to the value. A
// Codec is safe for concurrent use.
//
// Without one results are JSON, and types whose values that does not carry there and back are refused when they are
// wrapped. What a type has chosen for itself is left to it: what its MarshalJSON leaves out is lost, what it has tagged
// omitempty is nil if it was empty, a [json.RawMessage] in it comes back without its white space, and a number in an
// interface comes back as a [json.Number]. A [time.Time] is the same instant, without its monotonic reading.
type Codec interface {
	Marshal(v any) ([]byte, error) // v is a pointer to a result
	Unmarshal(data []byte, v any) error
}

// Blobs keeps what is too large for a record. A name is made of the Scope, '#', '/', digests and the owner, tells
// nothing of the key, and is never used twice for different data. Blobs is safe for concurrent use.
type Blobs interface {
	// Put keeps data under name, for at least as long as the records that name it.
	Put(ctx context.Context, name string, data []byte) error

	// Get returns what was put under name. If there is nothing, and never will be, errors.Is finds [io/fs.ErrNotExist] in
	// the error, and the result counts as not kept; with any other error the call can be made again later.
	Get(ctx context.Context, name string) ([]byte, error)
}

var errNotEqual = errors.New("what is decoded is not what was encoded: there is a string in it that is not UTF-8")

// encode makes bytes of the result that v points to. A panic on the way is an error, for the call is done and must not be
// made again.
func (op *operation) encode(v any) (result Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if op.Codec != nil {
		data, err := op.Codec.Marshal(v)
		return Result{Encoding: Raw, Data: bytes.Clone(data)}, err // it may be the result's own
	}
	if op.shape.empty || op.shape.nilable && reflect.ValueOf(v).Elem().IsNil() {
		return Result{Encoding: None}, nil
	}
	if raw, ok := v.(*json.RawMessage); ok {
		if !json.Valid(*raw) {
			return Result{}, errors.New("the json.RawMessage is not JSON")
		}
		return Result{Encoding: JSON, Data: bytes.Clone(*raw)}, nil
	}
	data, err := json.Marshal(v)
	if err == nil && bytes.Contains(data, replacement) && !isUTF8(reflect.ValueOf(v)) {
		err = op.again(data)
	}
	return Result{Encoding: JSON, Data: data}, err
}

// again is why what is decoded of data is not written like that once more.
func (op *operation) again(data []byte) error {
	v := reflect.New(op.out).Interface()
	if err := op.decode(data, JSON, v); err != nil {
		return err
	}
	if second, err := json.Marshal(v); err != nil || !bytes.Equal(second, data) {
		return errNotEqual
	}
	return nil
}

// decode makes the value that v points to of data, which is what a Result of that encoding says, unpacked. A panic on the
// way is an error, as it is for encode.
func (op *operation) decode(data []byte, encoding Encoding, v any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	switch {
	case encoding == None && (op.Codec != nil || op.shape.empty || op.shape.nilable):
		return nil // v points to the zero value
	case encoding == None:
		return fmt.Errorf("there is no result, want %v", op.out)
	case op.Codec != nil && encoding != JSON:
		return op.Codec.Unmarshal(bytes.Clone(data), v)
	}
	if raw, ok := v.(*json.RawMessage); ok && json.Valid(data) {
		*raw = bytes.Clone(data)
		return nil
	}
	if !op.shape.numbers && op.Codec == nil {
		return json.Unmarshal(data, v)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one JSON value")
	}
	return nil
}

// fit makes result small enough for the record: as it is, or compressed, or elsewhere. If it cannot be kept, it is said
// why.
func (r *run) fit(ctx context.Context, result Result) (Result, error) {
	limit := r.op.Store.MaxData(r.key)
	if limit <= 0 || len(result.Data) <= limit {
		return result, nil
	}
	packed := result
	packed.Encoding, packed.Data = Gzip, pack(result.Data)
	if len(packed.Data) <= limit {
		return packed, nil
	}
	packed.Encoding, packed.Data = NotKept, nil
	if r.op.Blobs == nil {
		return packed, r.notKept(fmt.Errorf("%d bytes, the store takes %d, and the Config has no Blobs", len(result.Data), limit))
	}
	name := r.blob(result.Data)
	err := r.insist(ctx, half, func(ctx context.Context, _ bool) error {
		return r.op.Blobs.Put(ctx, name, result.Data)
	})
	if err != nil {
		return packed, r.notKept(r.storeError("put", err))
	}
	packed.Encoding, packed.Data = Blob, []byte(name)
	return packed, nil
}

// blob is the name of data, which tells nothing of the key, though r.key may: a transaction may have handed over one result,
// and the handler returned another, and neither may be written over the other.
func (r *run) blob(data []byte) string {
	return scoped(r.op.Scope, r.name) + "/" + r.owner + "/" + digest(data)[:16]
}

// unpack undoes fit.
func (r *run) unpack(ctx context.Context, result Result) ([]byte, error) {
	switch result.Encoding {
	case JSON, None:
		return result.Data, nil
	case Raw:
		if r.op.Codec == nil {
			return nil, errors.New("a Codec made the result, and the Config has none")
		}
		return result.Data, nil
	case Gzip:
		return unpack(result.Data)
	case Blob:
		if r.op.Blobs == nil {
			return nil, errors.New("the result is in Blobs, and the Config has none")
		}
		data, err := r.op.Blobs.Get(ctx, string(result.Data))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &NotKeptError{r.subject(), err}
		}
		if err != nil {
			return nil, r.storeError("get", err)
		}
		return data, nil
	}
	return nil, fmt.Errorf("unknown encoding %q", result.Encoding)
}

// unpacked is the encoding of what unpack makes of result.
func (op *operation) unpacked(result Result) Encoding {
	switch {
	case result.Encoding != Gzip && result.Encoding != Blob:
		return result.Encoding
	case op.Codec == nil:
		return JSON
	}
	return Raw
}

func pack(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

func unpack(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
