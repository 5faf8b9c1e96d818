package storetest_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/storetest"
)

// A book is a store as straightforward as can be, which may have one flaw.
type book struct {
	flaw     string
	ownClock bool
	seconds  bool // Expires is kept to the second
	limit    int

	mu      sync.Mutex
	records map[string]idempotency.Record
	before  map[string]idempotency.Record // the last but one
	late    map[string]bool               // what is to be loaded as it was once more
	ages    []string                      // keys in the order of their first writes
}

const model = "does what the model does"

// flaws are what can be wrong with a book, and the checks that have to say so.
var flaws = map[string][]string{
	"completes unconditionally":                         {"refuses stale owners", "completes for the owner only", model},
	"completes what is not there":                       {"brings nothing back after a sweep", "completes for the owner only", "releases", model},
	"releases unconditionally":                          {"refuses stale owners", "releases for the owner only", model},
	"releases results":                                  {"releases for the owner only", model},
	"says of a release that it is lost":                 {"takes every request twice", "releases for the owner only", model},
	"extends unconditionally":                           {"refuses stale owners", "extends for the owner only", model},
	"extends what is not there":                         {"brings nothing back after a sweep", "extends for the owner only", "releases", model},
	"extends results":                                   {"extends for the owner only", model},
	"extends live leases only":                          {"extends", model},
	"extends, but not Expires":                          {"extends", model},
	"extends forwards only":                             {"extends", model},
	"judges runs by Expires":                            {"judges a run by nothing else", model},
	"keeps Expires before Lease":                        {"claims a free key"},
	"knows no owner":                                    {"recognises its owner", model},
	"runs again after a result of its own":              {"recognises its owner", model},
	"takes over from oneself":                           {"recognises its owner", model},
	"counts a claim twice":                              {"recognises its owner", model},
	"cuts the lease when asked again":                   {"recognises its owner", model},
	"keeps the lease when asked again":                  {"recognises its owner", model},
	"lease ends too early":                              {"judges a run by its lease and the skew", "extends", model},
	"lease ends too late":                               {"judges a run by its lease and the skew", "extends", model},
	"leases to the second":                              {"judges a run by its lease and the skew"},
	"result expires too early":                          {"forgets results that have expired", model},
	"result expires too late":                           {"forgets results that have expired", model},
	"knows no skew":                                     {"judges a run by its lease and the skew", "judges by the claimer's time", model},
	"adds the skew":                                     {"judges a run by its lease and the skew", "judges by the claimer's time", model},
	"takes over always":                                 {"takes over only if told", model},
	"takes over never":                                  {"takes over only if told", "judges a run by its lease and the skew", model},
	"takes over from anybody":                           {"takes over from whom it is told only", "reads records of others", model},
	"takes over by attempt":                             {"takes over from whom it is told only", "reads records of others", model},
	"takes over by owner":                               {"takes over from whom it is told only", "reads records of others", model},
	"takes over from nobody of another library":         {"reads records of others"},
	"replaces results if told":                          {"forgets results that have expired", model},
	"judges by its own time":                            {"judges by the claimer's time", model},
	"refuses leases that are over":                      {"gives out leases that are over", model},
	"completes live leases only":                        {"gives out leases that are over", "completes", model},
	"completes twice":                                   {"completes", model},
	"complains of completing twice":                     {"completes", "takes every request twice", model},
	"keeps the lease of a result":                       {"completes", model},
	"forgets the fingerprint":                           {"completes", model},
	"forgets attempts":                                  {"counts attempts", model},
	"keeps old results":                                 {"forgets results that have expired", model},
	"results expire to the second":                      {"forgets results that have expired", model},
	"loads what has expired":                            {"forgets results that have expired", model},
	"loads nothing with an error":                       {"claims a free key"},
	"shares what it returns":                            {"shares no memory"},
	"shares what it is given":                           {"shares no memory"},
	"is no good at bytes":                               {"keeps results as they are"},
	"forgets failures":                                  {"keeps results as they are", model},
	"knows some encodings":                              {"keeps results as they are"},
	"cuts what is too large":                            {"keeps as much as it says"},
	"loses what is too large":                           {"keeps as much as it says"},
	"says it keeps more than it does":                   {"keeps as much as it says"},
	"trims keys":                                        {"keeps keys apart"},
	"folds keys":                                        {"keeps keys apart"},
	"says nothing of an ended context":                  {"ends with its context"},
	"says lost of an ended context":                     {"ends with its context"},
	"reads, then claims":                                {"gives a key to one of many"},
	"reads, then completes":                             {"lets one of many end a run"},
	"tells losers that they won":                        {"refuses a key in progress", "gives a key to one of many", model},
	"frees records without a lease":                     {"reads records of others"},
	"keeps records without a lease":                     {"reads records of others"},
	"hides lost replies":                                {"survives lost replies"},
	"loads what was there before":                       {"claims a free key", "completes", "extends", model},
	"loads another's copy, a little later":              {"completes", "extends", model},
	"shows losers what was there before":                {"refuses a completed key", model},
	"keeps sixteen records":                             {"keeps keys apart"},
	"sweeps what has expired, alive or not":             {"judges a run by nothing else", model},
	"sweeps what is abandoned":                          {"takes over only if told", model},
	"claims without a fingerprint":                      {"claims a free key", model},
	"completes without a fingerprint, if there was one": {"completes", model},
	"keeps the Expires of the claim":                    {"completes", model},
	"takes 0 for nothing":                               {"keeps results as they are"},
	"adds a line break to data":                         {"keeps results as they are", model},
	"cuts at 64 KiB":                                    {"keeps as much as it says"},
	"forgets encodings":                                 {"keeps results as they are", "completes", model},
	"releases live leases only":                         {"releases", model},
	"completes once, whoever asks then":                 {"completes for the owner only", "refuses stale owners", model},
	"lets an owner reopen its result":                   {"extends for the owner only", model},
}

func (b *book) is(flaw string) bool { return b.flaw == flaw }

func (b *book) ended(ctx context.Context) (bool, error) {
	switch {
	case ctx.Err() == nil:
		return false, nil
	case b.is("says nothing of an ended context"):
		return true, nil
	case b.is("says lost of an ended context"):
		return true, idempotency.ErrLost
	}
	return true, ctx.Err()
}

func (b *book) key(key string) string {
	switch {
	case b.is("trims keys"):
		return strings.TrimSpace(key)
	case b.is("folds keys"):
		return strings.ToLower(key)
	}
	return key
}

func (b *book) get(key string) idempotency.Record {
	r := b.records[b.key(key)]
	if !b.is("shares what it returns") {
		r.Result.Data = bytes.Clone(r.Result.Data)
	}
	return r
}

func (b *book) put(r idempotency.Record) idempotency.Record {
	if b.records == nil {
		b.records = make(map[string]idempotency.Record)
	}
	if b.is("leases to the second") {
		r.Lease = r.Lease.Truncate(time.Second)
	}
	if b.seconds || b.is("results expire to the second") && r.Status == idempotency.Completed {
		r.Expires = r.Expires.Add(time.Second - 1).Truncate(time.Second)
	}
	key := b.key(r.Key)
	if b.before == nil {
		b.before, b.late = make(map[string]idempotency.Record), make(map[string]bool)
	}
	old, there := b.records[key]
	b.before[key], b.late[key] = old, true
	b.records[key] = r
	if !there {
		b.ages = append(b.ages, key)
	}
	if b.is("keeps sixteen records") && len(b.records) > 16 {
		delete(b.records, b.ages[0])
		b.ages = b.ages[1:]
	}
	return r
}

// other lets others in where a careless store would.
func (b *book) other(flaw string) {
	if b.is(flaw) {
		b.mu.Unlock()
		for range 8 {
			runtime.Gosched()
		}
		b.mu.Lock()
	}
}

//nolint:gocyclo // each flaw is a branch
func (b *book) Claim(ctx context.Context, c idempotency.Claim) (idempotency.Record, error) {
	if ended, err := b.ended(ctx); ended {
		return idempotency.Record{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ownClock || b.is("judges by its own time") {
		c.Now = time.Now()
	}
	r := b.get(c.Key)
	switch {
	case b.is("sweeps what has expired, alive or not") && r.Status == idempotency.InProgress && c.Expires.Sub(c.Now) > 0 && r.Expires.Before(c.Now):
		r = idempotency.Record{}
	case b.is("sweeps what is abandoned") && r.Status == idempotency.InProgress && r.Lease.Before(c.Now.Add(-time.Minute)):
		r = idempotency.Record{}
	}
	mine := r.Owner == c.Owner && !b.is("knows no owner")
	if mine && r.Status == idempotency.Completed && b.is("runs again after a result of its own") {
		mine, r = false, idempotency.Record{}
	}
	if mine && r.Status == idempotency.InProgress && b.is("takes over from oneself") && r.Lease.Before(c.Now) {
		mine = false
	}
	switch {
	case mine && r.Status == idempotency.Completed:
		return r, nil
	case mine && r.Status == idempotency.InProgress:
		if (r.Lease.Before(c.Lease) || b.is("cuts the lease when asked again")) && !b.is("keeps the lease when asked again") {
			r.Lease = c.Lease
		}
		if r.Expires.Before(r.Lease) {
			r.Expires = r.Lease
		}
		if b.is("counts a claim twice") {
			r.Attempt++
		}
		return b.put(r), nil
	case !b.free(r, c):
		if b.is("tells losers that they won") && r.Status == idempotency.InProgress {
			r.Owner = c.Owner
		}
		if b.is("shows losers what was there before") {
			r = b.before[b.key(c.Key)]
		}
		return r, nil
	case b.is("refuses leases that are over") && c.Lease.Before(c.Now):
		return r, nil
	}
	b.other("reads, then claims")
	if b.is("forgets attempts") {
		r.Attempt = 0
	}
	if !b.is("keeps old results") {
		r.Result = idempotency.Result{}
	}
	r.Key, r.Status, r.Owner, r.Attempt = c.Key, idempotency.InProgress, c.Owner, r.Attempt+1
	r.Fingerprint, r.Lease, r.Expires = c.Fingerprint, c.Lease, c.Expires
	if b.is("claims without a fingerprint") {
		r.Fingerprint = ""
	}
	if r.Expires.Before(r.Lease) && !b.is("keeps Expires before Lease") && !b.is("judges runs by Expires") && !b.is("sweeps what has expired, alive or not") {
		r.Expires = r.Lease
	}
	return b.put(r), nil
}

func (b *book) free(r idempotency.Record, c idempotency.Claim) bool {
	now := c.Now.Truncate(time.Millisecond)
	switch r.Status {
	case idempotency.Completed:
		switch {
		case b.seconds:
			return r.Expires.Before(now.Truncate(time.Second))
		case b.is("replaces results if told") && c.TakeOver == nil:
			return false
		case b.is("result expires too early"):
			return !r.Expires.After(now)
		case b.is("result expires too late"):
			return r.Expires.Before(now.Add(-time.Millisecond))
		}
		return r.Expires.Before(now)
	case idempotency.InProgress:
		end := r.Lease
		switch {
		case b.is("judges runs by Expires") && r.Expires.Before(now):
			return true
		case end.IsZero() && b.is("frees records without a lease"):
			return true
		case end.IsZero() && b.is("keeps records without a lease"):
			return false
		case end.IsZero():
			end = r.Expires
		}
		if !b.follows(r, c) {
			return false
		}
		switch {
		case b.is("knows no skew"):
		case b.is("adds the skew"):
			now = now.Add(c.Skew)
		default:
			now = now.Add(-c.Skew)
		}
		switch {
		case b.is("lease ends too early"):
			return !end.After(now)
		case b.is("lease ends too late"):
			return end.Before(now.Add(-time.Millisecond))
		}
		return end.Before(now)
	}
	return true
}

// follows reports whether c names the run of r, as far as a careless store looks.
func (b *book) follows(r idempotency.Record, c idempotency.Claim) bool {
	switch {
	case b.is("takes over always"):
		return true
	case b.is("takes over never"), c.TakeOver == nil:
		return false
	case b.is("takes over from anybody"):
		return true
	case b.is("takes over by attempt"):
		return c.TakeOver.Attempt == r.Attempt
	case b.is("takes over by owner"):
		return c.TakeOver.Owner == r.Owner
	case b.is("takes over from nobody of another library") && r.Owner == "":
		return false
	}
	return *c.TakeOver == r.Run()
}

//nolint:gocyclo // each flaw is a branch
func (b *book) Complete(ctx context.Context, c idempotency.Completion) error {
	if ended, err := b.ended(ctx); ended {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.get(c.Key)
	switch {
	case r.Status == "" && b.is("completes what is not there"):
		r.Key, r.Owner, r.Attempt = c.Key, c.Owner, 1
	case r.Status == "":
		return idempotency.ErrLost
	case b.is("completes unconditionally"):
		r.Owner = c.Owner
	case r.Status == idempotency.Completed && b.is("completes once, whoever asks then"):
		return nil
	case r.Owner != c.Owner:
		return idempotency.ErrLost
	case r.Status == idempotency.Completed && b.is("complains of completing twice"):
		return idempotency.ErrLost
	case r.Status == idempotency.Completed && !b.is("completes twice"):
		return nil
	case b.is("completes live leases only") && r.Lease.Before(time.Now()):
		return idempotency.ErrLost
	}
	b.other("reads, then completes")
	switch limit := b.limit; {
	case limit == 0 || len(c.Result.Data) <= limit && !b.is("says it keeps more than it does"):
	case b.is("cuts what is too large"):
		c.Result.Data = c.Result.Data[:limit]
	case b.is("loses what is too large"):
		delete(b.records, b.key(c.Key))
		return os.ErrInvalid
	default:
		return os.ErrInvalid
	}
	switch {
	case b.is("is no good at bytes"):
		c.Result.Data = []byte(strings.ToValidUTF8(string(c.Result.Data), "?"))
	case b.is("forgets failures"):
		c.Result.Failed = false
	case b.is("takes 0 for nothing") && string(c.Result.Data) == "0":
		c.Result.Data = nil
	case b.is("adds a line break to data"):
		c.Result.Data = append(bytes.Clone(c.Result.Data), '\n')
	case b.is("cuts at 64 KiB"):
		c.Result.Data = c.Result.Data[:min(len(c.Result.Data), 64<<10)]
	case b.is("forgets encodings"):
		c.Result.Encoding = ""
	case b.is("keeps the Expires of the claim"):
		c.Expires = r.Expires
	case b.is("knows some encodings") && !slices.Contains([]idempotency.Encoding{"json", "gzip", "blob"}, c.Result.Encoding):
		c.Result.Encoding = "json"
	}
	if !b.is("shares what it is given") {
		c.Result.Data = bytes.Clone(c.Result.Data)
	}
	if !b.is("keeps the lease of a result") {
		r.Lease = time.Time{}
	}
	switch {
	case b.is("forgets the fingerprint"), b.is("completes without a fingerprint, if there was one") && r.Fingerprint != "":
		r.Fingerprint = ""
	default:
		r.Fingerprint = c.Fingerprint
	}
	r.Status, r.Expires, r.Result = idempotency.Completed, c.Expires, c.Result
	b.put(r)
	return nil
}

func (b *book) Release(ctx context.Context, key, owner string) error {
	if ended, err := b.ended(ctx); ended {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.get(key)
	switch {
	case b.is("releases unconditionally") && r.Status == idempotency.InProgress:
	case b.is("releases results") && r.Owner == owner:
	case b.is("releases live leases only") && r.Lease.Before(time.Now()):
		return nil
	case r.Owner == owner && r.Status == idempotency.InProgress:
	case b.is("says of a release that it is lost"):
		return idempotency.ErrLost
	default:
		return nil
	}
	delete(b.records, b.key(key))
	return nil
}

func (b *book) Extend(ctx context.Context, key, owner string, lease time.Time) error {
	if ended, err := b.ended(ctx); ended {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.get(key)
	switch {
	case r.Status == "" && b.is("extends what is not there"):
		r = idempotency.Record{Key: key, Status: idempotency.InProgress, Owner: owner}
	case r.Status == idempotency.InProgress && b.is("extends unconditionally"):
	case r.Status == idempotency.Completed && r.Owner == owner && b.is("extends results"):
	case r.Status == idempotency.Completed && r.Owner == owner && b.is("lets an owner reopen its result"):
		r.Status = idempotency.InProgress
	case r.Status == idempotency.InProgress && r.Lease.Before(time.Now()) && b.is("extends live leases only"):
		return idempotency.ErrLost
	case r.Status != idempotency.InProgress || r.Owner != owner:
		return idempotency.ErrLost
	}
	if !b.is("extends forwards only") || r.Lease.Before(lease) {
		r.Lease = lease
	}
	if r.Expires.Before(r.Lease) && !b.is("extends, but not Expires") {
		r.Expires = r.Lease
	}
	b.put(r)
	return nil
}

func (b *book) Load(ctx context.Context, key string) (idempotency.Record, error) {
	if ended, err := b.ended(ctx); ended {
		return idempotency.Record{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.get(key)
	switch late := b.late[b.key(key)]; {
	case b.is("loads what was there before"):
		return b.before[b.key(key)], nil
	case late && b.is("loads another's copy, a little later"):
		b.late[b.key(key)] = false
		return b.before[b.key(key)], nil
	case r.Status == "" && b.is("loads nothing with an error"):
		return r, os.ErrNotExist
	case r.Status == idempotency.Completed && r.Expires.Before(time.Now()) && !b.is("loads what has expired"):
		return idempotency.Record{}, nil
	}
	return r, nil
}

func (b *book) MaxData(string) int {
	if b.is("says it keeps more than it does") {
		return b.limit + 1
	}
	return b.limit
}

// harness is all that the checks can ask for.
func (b *book) harness() storetest.Harness {
	flaky := &storetest.Flaky{Store: b}
	h := storetest.Harness{
		Store:        flaky,
		OwnClock:     b.ownClock,
		WholeSeconds: b.seconds,
		Sweep: func(key string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			delete(b.records, b.key(key))
		},
		Foreign: func(r idempotency.Record) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.put(r)
		},
		LoseReply: func() { flaky.Next(storetest.Any, storetest.Fault{Lost: true}) },
	}
	if b.is("hides lost replies") {
		h.LoseReply = func() { flaky.Next(storetest.Any, storetest.Fault{Lost: true, Err: idempotency.ErrLost}) }
	}
	return h
}

const flawEnv = "STORETEST_FLAW"

// TestFlawedStore runs in a child process of TestRunFindsFlaws, where it has to fail.
func TestFlawedStore(t *testing.T) {
	flaw, ok := os.LookupEnv(flawEnv)
	if !ok {
		t.Skip("a part of TestRunFindsFlaws")
	}
	storetest.Run(t, func(*testing.T) storetest.Harness {
		limit := 1000
		if flaw == "cuts at 64 KiB" {
			limit = 0
		}
		return (&book{flaw: flaw, limit: limit}).harness()
	})
}

func TestRunFindsFlaws(t *testing.T) {
	for _, flaw := range slices.Sorted(maps.Keys(flaws)) {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			only := strings.ReplaceAll(strings.Join(flaws[flaw], "|"), " ", "_")
			cmd := exec.CommandContext(t.Context(), os.Args[0],
				"-test.run=^TestFlawedStore$/^("+only+")$", "-test.v", "-rapid.nofailfile", "-rapid.checks=1000")
			cmd.Env = append(os.Environ(), flawEnv+"="+flaw)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("Run finds nothing wrong:\n%s", out)
			}
			for check := range strings.SplitSeq(only, "|") {
				if !strings.Contains(string(out), "--- FAIL: TestFlawedStore/"+check+" (") {
					t.Errorf("%s has nothing against it:\n%s", check, out)
				}
			}
		})
	}
}

func TestRunPassesGoodStores(t *testing.T) {
	for name, open := range map[string]func(*testing.T) storetest.Harness{
		"good":          func(*testing.T) storetest.Harness { return (&book{limit: 1000}).harness() },
		"bare":          func(*testing.T) storetest.Harness { return storetest.Harness{Store: new(book)} },
		"Memory":        func(*testing.T) storetest.Harness { return storetest.Harness{Store: new(idempotency.Memory)} },
		"whole seconds": func(*testing.T) storetest.Harness { return (&book{seconds: true}).harness() },
		"own clock":     func(*testing.T) storetest.Harness { return (&book{ownClock: true}).harness() },
	} {
		t.Run(name, func(t *testing.T) { storetest.Run(t, open) })
		t.Run(name+", as a server", func(t *testing.T) { storetest.RunServer(t, open) })
	}
}
