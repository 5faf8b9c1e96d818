package dynamostore

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seawall-go/seawall/idempotency"
)

// Attributes are the names of a record's attributes. Those that are empty have the names in the comments, of which the
// first six are those of Powertools for AWS Lambda.
type Attributes struct {
	Key         string // id
	Status      string // status
	Expires     string // expiration: seconds since 1970, the table's time to live
	Lease       string // in_progress_expiration: milliseconds since 1970
	Data        string // data
	Fingerprint string // validation
	Owner       string // owner
	Attempt     string // attempt
	Encoding    string // encoding
	Failed      string // failed
}

// An Option says how records lie in their table.
type Option func(*layout)

// Names gives the attributes other names.
func Names(a Attributes) Option {
	return func(l *layout) { l.names = a }
}

// SortKey is for a table with a sort key, called attribute: there a record's key is, and the partition key of all
// records is partition. One partition takes a thousand writes a second, and a claim and its completion are two, or more
// if the record is larger than a kilobyte.
func SortKey(attribute, partition string) Option {
	return func(l *layout) { l.sort, l.partition = attribute, partition }
}

type layout struct {
	names     Attributes
	sort      string // empty if there is none
	partition string
}

func newLayout(caller string, options []Option) layout {
	var l layout
	for _, option := range options {
		option(&l)
	}
	names := reflect.ValueOf(&l.names).Elem()
	taken := map[string]bool{l.sort: true}
	for i, name := range []string{
		"id", "status", "expiration", "in_progress_expiration", "data", "validation", "owner", "attempt", "encoding", "failed",
	} {
		field := names.Field(i)
		if field.String() == "" {
			field.SetString(name)
		}
		if taken[field.String()] {
			panic(fmt.Sprintf("dynamostore: %s: two attributes are called %q: give each a name of its own", caller, field))
		}
		taken[field.String()] = true
	}
	if (l.sort == "") != (l.partition == "") {
		panic("dynamostore: " + caller + ": SortKey: the attribute or the partition is empty: give both, or leave SortKey out")
	}
	return l
}

// key is where the record of key lies.
func (l layout) key(key string) map[string]types.AttributeValue {
	if l.sort == "" {
		return map[string]types.AttributeValue{l.names.Key: text(key)}
	}
	return map[string]types.AttributeValue{l.names.Key: text(l.partition), l.sort: text(key)}
}

// data is text where people may want to read it, as Powertools has it, and bytes otherwise.
func data(r idempotency.Result) types.AttributeValue {
	if r.Encoding == idempotency.JSON && utf8.Valid(r.Data) {
		return text(string(r.Data))
	}
	return &types.AttributeValueMemberB{Value: r.Data}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// decode reads a record, one of ours or one of Powertools'. An item that makes no sense is a record with a status that
// nobody knows, which stands in the way and stays as it is.
func (l layout) decode(key string, item map[string]types.AttributeValue) idempotency.Record {
	d := decoder{item: item}
	r := idempotency.Record{
		Key:     key,
		Status:  idempotency.Status(d.text(l.names.Status)),
		Owner:   d.text(l.names.Owner),
		Attempt: d.integer(l.names.Attempt),
		Expires: d.time(l.names.Expires, time.Second),
	}
	if r.Owner != "" {
		// Others compute their fingerprints in other ways: theirs say nothing to us.
		r.Fingerprint = d.text(l.names.Fingerprint)
	}
	switch r.Status {
	case idempotency.InProgress:
		r.Lease = d.time(l.names.Lease, time.Millisecond)
	case idempotency.Completed:
		r.Result = idempotency.Result{
			Encoding: idempotency.Encoding(d.text(l.names.Encoding)),
			Data:     d.bytes(l.names.Data),
			Failed:   d.bool(l.names.Failed),
		}
		if item[l.names.Encoding] == nil {
			r.Result.Encoding = idempotency.JSON
			if r.Result.Data == nil {
				r.Result.Encoding = idempotency.None
			}
		}
	}
	switch {
	case d.err != nil:
		r.Status = idempotency.Status("none: " + d.err.Error())
	case r.Status == "":
		r.Status = "none"
	}
	return r
}

// count is the attempt that a claim has become.
func (l layout) count(updated map[string]types.AttributeValue) (int64, error) {
	d := decoder{item: updated}
	n := d.integer(l.names.Attempt)
	if n == 0 {
		return 0, fmt.Errorf("dynamostore: the answer to a claim has no %q: %w", l.names.Attempt, idempotency.ErrCorrupt)
	}
	return n, nil
}

// A decoder reads attributes, and remembers the first that is not of the type it should be. Those that are missing are
// zero.
type decoder struct {
	item map[string]types.AttributeValue
	err  error
}

func (d *decoder) wrong(name string) {
	if d.err == nil {
		kind := strings.TrimPrefix(fmt.Sprintf("%T", d.item[name]), "*types.AttributeValueMember")
		d.err = fmt.Errorf("the attribute %s has the type %s", name, kind)
	}
}

func (d *decoder) text(name string) string {
	switch v := d.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberS:
		return v.Value
	default:
		d.wrong(name)
	}
	return ""
}

func (d *decoder) bytes(name string) []byte {
	switch v := d.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberS:
		return []byte(v.Value)
	case *types.AttributeValueMemberB:
		return v.Value
	default:
		d.wrong(name)
	}
	return nil
}

func (d *decoder) bool(name string) bool {
	switch v := d.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberBOOL:
		return v.Value
	default:
		d.wrong(name)
	}
	return false
}

func (d *decoder) integer(name string) int64 {
	switch v := d.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberN:
		if n, err := strconv.ParseInt(v.Value, 10, 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(v.Value, 64); err == nil {
			return int64(f) // Powertools for TypeScript has written such
		}
		d.wrong(name)
	default:
		d.wrong(name)
	}
	return 0
}

// time is the zero Time if it is missing.
func (d *decoder) time(name string, unit time.Duration) time.Time {
	n := d.integer(name)
	if d.item[name] == nil {
		return time.Time{}
	}
	return time.UnixMilli(n * unit.Milliseconds())
}

// milli is t as it is stored.
func milli(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()) }

// wholeSecond is t, rounded up.
func wholeSecond(t time.Time) time.Time {
	return milli(t).Add(time.Second - time.Millisecond).Truncate(time.Second)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// seconds is t in seconds since 1970, to the millisecond.
func seconds(t time.Time) string {
	if ms := t.UnixMilli(); ms%1000 != 0 {
		return strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64)
	}
	return strconv.FormatInt(t.Unix(), 10)
}
