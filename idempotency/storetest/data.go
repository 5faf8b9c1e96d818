package storetest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/seawall-go/seawall/idempotency"
)

// keeps fails the check unless a run that ends with result leaves it to others as it is.
func (k *kit) keeps(key string, result idempotency.Result) {
	k.Helper()
	a := k.ask(key, "A")
	end := k.end(a)
	end.Result = result
	r := k.completes(end, k.wins(a, 1))
	k.loses(k.ask(key, "B"), r)
}

func keepsResults(k *kit) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, data := range [][]byte{
		nil,
		{},
		[]byte("0"),
		[]byte("null"),
		[]byte(`""`),
		[]byte(" "),
		[]byte("\n"),
		{0},
		[]byte(`{"html":"<&>","n":9007199254740993,"é":"\u2028"}`),
		[]byte("12345678901234567890.0"),
		[]byte("\xff\xfe not UTF-8"),
		every,
		noise(40_000),
	} {
		for _, failed := range []bool{false, true} {
			key := k.key()
			if limit := k.Store.MaxData(key); limit == 0 || len(data) <= limit {
				k.keeps(key, idempotency.Result{Encoding: idempotency.JSON, Data: data, Failed: failed})
			}
		}
	}
	for _, encoding := range []idempotency.Encoding{
		idempotency.JSON, idempotency.Gzip, idempotency.Blob, idempotency.None, idempotency.NotKept, "one of tomorrow's", "",
	} {
		k.keeps(k.key(), idempotency.Result{Encoding: encoding, Data: []byte("{}")})
		k.keeps(k.key(), idempotency.Result{Encoding: encoding, Failed: true})
	}
}

// noise is n bytes that nothing makes smaller.
func noise(n int) []byte {
	data := make([]byte, n)
	for i, source := 0, rand.New(rand.NewPCG(1, 2)); i < n; i++ {
		data[i] = byte(source.Uint32())
	}
	return data
}

// keepsMaxData gives a record all that counts against a limit: a long key, owner and fingerprint.
func keepsMaxData(k *kit) {
	key := k.key() + "#" + strings.Repeat("0123456789abcdef", 16)
	limit := k.Store.MaxData(key)
	if limit < 0 {
		k.Fatalf("MaxData = %d", limit)
	}
	big := noise(1 << 20)
	if limit > 0 {
		big = noise(limit + 1)
	}
	a := k.ask(key, strings.Repeat("A", 26))
	a.Fingerprint = strings.Repeat("f", 64)
	end := k.end(a)
	end.Result = idempotency.Result{Encoding: idempotency.NotKept, Failed: true, Data: big}
	r := k.wins(a, 1)

	if limit > 0 { // it may be more careful than it has to, but keeps all or nothing
		switch err := k.Store.Complete(k.Context(), end); {
		case err == nil:
			k.holds(completed(r, end))
			k.Skip("MaxData leaves some room")
		case errors.Is(err, idempotency.ErrLost):
			k.Fatalf("Complete with a byte too many: %v, but it is still the owner's", err)
		}
		k.holds(r)
		end.Result.Data = big[:limit]
	}
	k.loses(k.ask(key, "B"), k.completes(end, r))
}

func keepsKeysApart(k *kit) {
	odd := []string{
		"", " ", "a", "A", "a ", " a", "a/b", "a#b", "a:b", "{a}", "{a}b", "a*", "a?", "[a]", `a"b`, `a\b`, "a'b", "a%20b",
		"a\nb", "a\tb", "a\x00b", "é", "e\u0301", "\u65e5\u672c", "🔑", "a,b;c=d", "..", "$a", "@a", strings.Repeat("k", 512),
	}
	prefix := k.key() + "#"
	records := make([]idempotency.Record, 0, len(odd))
	for i, key := range odd {
		a := k.ask(prefix+key, "A")
		a.Lease = a.Lease.Add(time.Duration(i) * time.Hour)
		records = append(records, k.wins(a, 1))
	}
	for i, r := range records {
		if i%3 > 0 {
			k.holds(r)
			continue
		}
		end := k.end(k.ask(r.Key, "A"))
		end.Result.Data = []byte(r.Key)
		records[i] = k.completes(end, r)
	}
	for i, r := range records {
		if i%3 == 1 {
			k.ok("Release", k.Store.Release(k.Context(), r.Key, r.Owner))
			records[i] = idempotency.Record{Key: r.Key}
		}
	}
	for _, r := range records {
		if r.Status == "" {
			k.free(r.Key)
			continue
		}
		k.holds(r)
	}
}

func sharesNothing(k *kit) {
	a := k.ask(k.key(), "A")
	r := k.wins(a, 1)
	end := k.end(a)
	given := slices.Clone(end.Result.Data)
	end.Result.Data = given
	k.ok("Complete", k.Store.Complete(k.Context(), end))
	end.Result.Data = bytes.Clone(given)
	r = completed(r, end)
	spoil(given)
	k.holds(r)
	for range 2 {
		got, err := k.Store.Load(k.Context(), a.Key)
		k.ok("Load", err)
		spoil(got.Result.Data)
		k.holds(r)
		spoil(k.claim(k.ask(a.Key, "B")).Result.Data)
		k.holds(r)
		spoil(k.claim(a).Result.Data)
		k.holds(r)
	}
}

func spoil(data []byte) {
	for i := range data {
		data[i] = '!'
	}
}
