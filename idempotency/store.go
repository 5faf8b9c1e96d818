package idempotency

import (
	"context"
	"time"
)

// A Store keeps records, one for each key. What it promises, in whatever order callers, crashes and lost replies come:
// a record in progress has one owner, only its owner changes it before its lease is over, and nobody but its owner
// completes, releases or extends it, ever. Package storetest proves that for any Store.
//
// Every verb is one atomic step in the store, decided there and not by what a caller read before. The time is the
// caller's, Now, unless the store has a clock of its own, which is better. Instants are precise to the millisecond.
//
// A verb that the store may have carried out though its reply was lost can be sent again with the same arguments, and
// does then what it would have reported the first time: an Owner is made for one run and names nobody else.
//
// A record that is there and cannot be read is an error in which errors.Is finds ErrCorrupt: it is not free. Any other
// error but ErrLost says nothing about the record; one in which errors.Is finds ErrRejected says that it will not pass.
//
// A Store is safe for concurrent use, and knows nothing of operations: the configuration of one never reaches another.
type Store interface {
	// Claim makes the record of c.Key the claimer's, in progress, if it is free, and returns the record as it is now.
	// The claim has succeeded if and only if that record's Owner is c.Owner and its Status is InProgress. Otherwise it is
	// the record that stands in the way.
	//
	// A record is free if there is none, if it is completed and its Expires is before c.Now, or if it is in progress, its
	// Lease is before c.Now less c.Skew, and its run is the one that c.TakeOver names: any other has not been looked at.
	// A record in progress is never judged by its Expires, but for one that has no Lease, which other libraries write. A
	// record that c.Owner has claimed, or completed, before is its own: it is returned as it is, with a Lease not earlier
	// than c.Lease if it is in progress.
	//
	// The Attempt of a claimed record is one more than that of the record it replaces, and 1 if there was none.
	Claim(ctx context.Context, c Claim) (Record, error)

	// Complete makes the record of c.Key completed, with the result in c and without a Lease, if c.Owner has claimed it
	// and nobody took it over. That is still so when the Lease is over, as long as no one else came. If c.Owner has
	// completed it before, nothing changes and the error is nil. Otherwise nothing changes and the error is ErrLost. An
	// error in which errors.Is finds ErrTooLarge says that the record will never hold the Data, though MaxData let it.
	Complete(ctx context.Context, c Completion) error

	// Release deletes the record of key, which is then free, if owner has claimed it and it is in progress. A record
	// that is gone, completed or somebody else's is left alone, and the error is nil: there is nothing left to release.
	Release(ctx context.Context, key, owner string) error

	// Extend moves the Lease of the record of key to lease, if owner has claimed it and it is in progress, whether the
	// old one is over or not; Expires moves with it if it would come first. Otherwise nothing changes and the error is
	// ErrLost.
	Extend(ctx context.Context, key, owner string, lease time.Time) error

	// Load returns the record of key, as of the last write to it. A record that is not there, or is completed and has
	// expired, is the zero Record, with a nil error.
	Load(ctx context.Context, key string) (Record, error)

	// MaxData is how many bytes of Data a record of key can hold, or 0 if there is no limit worth naming.
	MaxData(key string) int
}

// A Claim asks for a key.
type Claim struct {
	Key         string    // of the record, scope included; not empty
	Owner       string    // made for this run, at random
	Fingerprint string    // of the payload; empty if it has none
	Now         time.Time // the claimer's time
	Lease       time.Time // until when the run is taken to be alive; may be before Now
	Expires     time.Time // when the record may be forgotten; the store keeps it at least as long as Lease
	Skew        time.Duration
	TakeOver    *Run // the run that may be followed if its lease is over; nil if none may
}

// A Run is what tells the run of a record from others of the same key. The attempt alone does not: it begins again when
// a record is released.
type Run struct {
	Owner   string
	Attempt int64
}

// A Completion is how a run ended.
type Completion struct {
	Key         string
	Owner       string
	Fingerprint string    // as in the Claim, so that a record written anew is whole
	Expires     time.Time // when the record may be forgotten
	Result      Result
}

// A Status says whether the run of a record has ended. The words are those that Powertools for AWS Lambda stores.
type Status string

// The statuses of records.
const (
	InProgress Status = "INPROGRESS"
	Completed  Status = "COMPLETED"
)

// A Record is what a store knows of a key. The zero Record is that of a key which is free.
type Record struct {
	Key         string
	Status      Status
	Owner       string // empty in records that other libraries wrote
	Attempt     int64  // how many runs there were, this one included
	Fingerprint string
	Lease       time.Time // zero if the record is completed, or has none
	Expires     time.Time
	Result      Result // of a completed record
}

// Run names the run of the record. All those of other libraries have one name, the zero Run.
func (r Record) Run() Run { return Run{r.Owner, r.Attempt} }

// A Result is what a run left to be replayed.
type Result struct {
	Encoding Encoding
	Data     []byte
	Failed   bool // whether Data is an error's
}

// An Encoding says how a Result is kept. Stores keep it as a word and do not look at it.
type Encoding string

// The encodings of results.
const (
	JSON    Encoding = "json"     // Data is the value
	Gzip    Encoding = "gzip"     // Data is its JSON, compressed
	Blob    Encoding = "blob"     // Data says where its JSON is
	Raw     Encoding = "raw"      // Data is the value as a Codec has it, any bytes; so is what is compressed or elsewhere then
	None    Encoding = "none"     // there is no value: the run had none to give
	NotKept Encoding = "not_kept" // there was a value, too large to be kept
)
