package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall-go/seawall/idempotency"
)

const model = "does what the model does"

// followsModel sends what several owners may send, in any order, and holds every reply and every record against the
// contract, written down as a model. An owner that is never heard from again has crashed, one that is heard from late
// was paused, and a request that comes twice had its reply lost.
func followsModel(k *kit, rt *rapid.T) {
	m := &reference{kit: k, rt: rt, is: map[string]idempotency.Record{}, seen: map[string]idempotency.Record{}}
	m.keys = []string{k.key(), k.key()}
	k.at = time.Now().Truncate(time.Second)
	actions := map[string]func(*rapid.T){
		"claim":       m.claim,
		"claim, too":  m.claim, // it is what most begins with
		"complete":    m.complete,
		"release":     m.release,
		"extend":      m.extend,
		"repeat":      m.repeat,
		"time passes": m.timePasses,
		"sweep":       m.sweep,
	}
	if k.vague() {
		delete(actions, "time passes")
	}
	if k.Sweep == nil {
		delete(actions, "sweep")
	}
	rt.Repeat(actions)
}

type reference struct {
	*kit
	rt   *rapid.T
	keys []string
	is   map[string]idempotency.Record // what the store has to hold
	seen map[string]idempotency.Record // what it was last seen to hold
	runs []idempotency.Claim           // all there ever were
	sent []request
}

// A request is a verb with its arguments, as it goes over the wire, maybe more than once.
type request struct {
	text       string
	key, owner string
	claim      idempotency.Claim // zero if it is not one
	send       func() (idempotency.Record, error)
	outcomes   func(is idempotency.Record) []outcome
}

// An outcome is one way to carry a request out.
type outcome struct {
	reply idempotency.Record
	err   error
	left  idempotency.Record
}

func (m *reference) claim(rt *rapid.T) {
	c := m.ask(rapid.SampledFrom(m.keys).Draw(rt, "key"), strconv.Itoa(len(m.runs)))
	if len(m.runs) > 0 && rapid.IntRange(0, 3).Draw(rt, "owner") == 0 {
		old := rapid.SampledFrom(m.runs).Draw(rt, "run")
		c.Key, c.Owner = old.Key, old.Owner
	}
	if !m.OwnClock {
		c.Now = c.Now.Add(pick(rt, "clock is wrong by", 0, 0, 0, -2*time.Second, 2*time.Second))
	}
	c.Lease = c.Now.Add(m.lease(rt))
	c.Skew = pick(rt, "skew", 0, 4*time.Second)
	c.TakeOver = m.dead(rt, c.Key)
	if !m.vague() {
		c.Expires = c.Now.Add(pick(rt, "expires in", 24*time.Hour, 24*time.Hour, time.Minute, 0)).Truncate(time.Second)
	}
	m.runs = append(m.runs, c)
	m.send(request{
		text: describe(c), key: c.Key, owner: c.Owner, claim: c,
		send:     func() (idempotency.Record, error) { return m.Store.Claim(m.Context(), c) },
		outcomes: func(is idempotency.Record) []outcome { return m.claimed(is, c) },
	})
}

// dead is who is to be followed: most often whose run there is, and now and then nobody, or who was looked at before.
func (m *reference) dead(rt *rapid.T, key string) *idempotency.Run {
	is := m.is[key].Run()
	switch rapid.IntRange(0, 5).Draw(rt, "take over") {
	case 0:
		return nil
	case 1:
		if len(m.runs) > 0 {
			is.Owner = rapid.SampledFrom(m.runs).Draw(rt, "from the run").Owner
		}
	case 2:
		is.Attempt += rapid.Int64Range(-1, 1).Draw(rt, "another attempt")
	}
	return &is
}

func describe(c idempotency.Claim) string {
	takeOver := "nobody"
	if c.TakeOver != nil {
		takeOver = fmt.Sprintf("%+v", *c.TakeOver)
	}
	c.TakeOver = nil
	return fmt.Sprintf("Claim %+v from %s", c, takeOver)
}

func (m *reference) lease(rt *rapid.T) time.Duration {
	if m.vague() {
		return pick(rt, "lease", 2*time.Hour, 4*time.Hour, -2*time.Hour)
	}
	return pick(rt, "lease", 10*time.Second, time.Minute, time.Millisecond, 0, -time.Hour)
}

func (m *reference) claimed(is idempotency.Record, c idempotency.Claim) []outcome {
	granted := claimed(c, is.Attempt+1)
	keep, grant := outcome{is, nil, is}, outcome{granted, nil, granted}
	free, sure := m.isFree(is, c)
	switch {
	case is.Owner == c.Owner && is.Status == idempotency.InProgress:
		is.Lease = later(is.Lease, c.Lease)
		is.Expires = later(is.Expires, is.Lease)
		return []outcome{{is, nil, is}}
	case is.Owner == c.Owner && free, !sure: // its own result, but expired
		return []outcome{keep, grant}
	case is.Owner == c.Owner || !free:
		return []outcome{keep}
	}
	return []outcome{grant}
}

// isFree reports whether is makes way for c, and whether that can be told.
func (m *reference) isFree(is idempotency.Record, c idempotency.Claim) (free, sure bool) {
	switch is.Status {
	case "":
		return true, true
	case idempotency.Completed:
		late := m.judgedAt(c).Sub(m.expires(is))
		return late > 0, !m.WholeSeconds || late <= 0 || late >= time.Second
	}
	return m.follows(is, c), true
}

// follows reports whether c may take over from is, a record in progress.
func (m *reference) follows(is idempotency.Record, c idempotency.Claim) bool {
	return c.TakeOver != nil && *c.TakeOver == is.Run() && is.Lease.Before(m.judgedAt(c).Add(-c.Skew))
}

func (m *reference) judgedAt(c idempotency.Claim) time.Time {
	if m.OwnClock {
		return m.now()
	}
	return c.Now
}

func (m *reference) expires(r idempotency.Record) time.Time {
	if m.WholeSeconds {
		return wholeSecond(r.Expires)
	}
	return r.Expires
}

func (m *reference) complete(rt *rapid.T) {
	end := m.end(m.run(rt))
	end.Result = idempotency.Result{
		Encoding: rapid.SampledFrom([]idempotency.Encoding{idempotency.JSON, idempotency.None}).Draw(rt, "encoding"),
		Data:     rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(rt, "data"),
		Failed:   rapid.Bool().Draw(rt, "failed"),
	}
	soon := 10 * time.Second
	if m.vague() {
		soon = -2 * time.Hour
	}
	end.Expires = m.now().Add(pick(rt, "expires in", 24*time.Hour, soon))
	m.send(request{
		text: fmt.Sprintf("Complete %+v", end), key: end.Key, owner: end.Owner,
		send: func() (idempotency.Record, error) { return idempotency.Record{}, m.Store.Complete(m.Context(), end) },
		outcomes: func(is idempotency.Record) []outcome {
			switch {
			case is.Owner != end.Owner:
				return []outcome{{err: idempotency.ErrLost, left: is}}
			case is.Status == idempotency.Completed:
				return []outcome{{left: is}}
			}
			return []outcome{{left: completed(is, end)}}
		},
	})
}

func (m *reference) release(rt *rapid.T) {
	c := m.run(rt)
	m.send(request{
		text: "Release for " + c.Owner, key: c.Key, owner: c.Owner,
		send: func() (idempotency.Record, error) {
			return idempotency.Record{}, m.Store.Release(m.Context(), c.Key, c.Owner)
		},
		outcomes: func(is idempotency.Record) []outcome {
			if is.Owner == c.Owner && is.Status == idempotency.InProgress {
				is = idempotency.Record{}
			}
			return []outcome{{left: is}}
		},
	})
}

func (m *reference) extend(rt *rapid.T) {
	c := m.run(rt)
	lease := m.now().Add(m.lease(rt))
	m.send(request{
		text: fmt.Sprintf("Extend for %s to %s", c.Owner, clock(lease)), key: c.Key, owner: c.Owner,
		send: func() (idempotency.Record, error) {
			return idempotency.Record{}, m.Store.Extend(m.Context(), c.Key, c.Owner, lease)
		},
		outcomes: func(is idempotency.Record) []outcome {
			if is.Owner != c.Owner || is.Status != idempotency.InProgress {
				return []outcome{{err: idempotency.ErrLost, left: is}}
			}
			is.Lease, is.Expires = lease, later(is.Expires, lease)
			return []outcome{{left: is}}
		},
	})
}

// repeat sends a request once more: at once, as is done when its reply was lost, or late, after all that came between.
func (m *reference) repeat(rt *rapid.T) {
	if len(m.sent) == 0 {
		rt.Skip("nothing was sent")
	}
	q := m.sent[len(m.sent)-1]
	if rapid.Bool().Draw(rt, "late") {
		q = rapid.SampledFrom(m.sent).Draw(rt, "request")
	}
	if m.OwnClock && !q.claim.Now.IsZero() && !q.claim.Now.Equal(m.now()) {
		rt.Skip("how long its lease is now is the affair of the store")
	}
	m.send(q)
}

func (m *reference) timePasses(rt *rapid.T) {
	d := pick(rt, "time", time.Millisecond, time.Second, 5*time.Second, time.Minute, time.Hour)
	is := m.is[rapid.SampledFrom(m.keys).Draw(rt, "key")]
	end := is.Lease
	if is.Status == idempotency.Completed {
		end = is.Expires
	}
	if left := end.Sub(m.now()); left > 0 && rapid.Bool().Draw(rt, "to the end") {
		d = left + pick(rt, "and", 0, time.Millisecond, 4*time.Second, 4*time.Second+time.Millisecond)
	}
	m.pass(d)
	for _, key := range m.keys {
		m.look(request{text: "time passed", key: key})
	}
}

func (m *reference) sweep(rt *rapid.T) {
	key := rapid.SampledFrom(m.keys).Draw(rt, "key")
	m.Sweep(key)
	delete(m.is, key)
	delete(m.seen, key)
	m.look(request{text: "sweep", key: key})
}

func (m *reference) run(rt *rapid.T) idempotency.Claim {
	if len(m.runs) == 0 {
		rt.Skip("nothing runs")
	}
	return rapid.SampledFrom(m.runs).Draw(rt, "run")
}

// send sends q, and fails the check unless what comes of it is one of its outcomes.
func (m *reference) send(q request) {
	m.sent = append(m.sent, q)
	reply, err := q.send()
	is := m.is[q.key]
	m.rt.Logf("%s\n of %s\n -> %s, error %v", q.text, show(is), show(reply), err)
	allowed := q.outcomes(is)
	if m.forgettable(is) {
		allowed = append(allowed, q.outcomes(idempotency.Record{})...)
	}
	i := slices.IndexFunc(allowed, func(o outcome) bool { return errors.Is(err, o.err) && m.same(reply, o.reply) })
	if i < 0 {
		m.rt.Fatalf("%s\nof %s:\n got %s, error %v\nwant %s, error %v",
			q.text, show(is), show(reply), err, show(allowed[0].reply), allowed[0].err)
	}
	m.is[q.key] = allowed[i].left
	m.look(q)
}

// forgettable reports whether the store may have forgotten r by now, as seen by a clock that is wrong.
func (m *reference) forgettable(r idempotency.Record) bool {
	return r.Status != "" && m.expires(r).Before(m.now().Add(2*time.Second))
}

// look fails the check unless the record of q.key is what the model says, and has become that in a lawful way.
func (m *reference) look(q request) {
	got, err := m.Store.Load(m.Context(), q.key)
	is := m.is[q.key]
	age := m.now().Sub(m.expires(is))
	expired := is.Status == idempotency.Completed && age > 0
	gone := expired && m.bubble && (age >= time.Second || !m.WholeSeconds)
	switch {
	case err != nil:
		m.rt.Fatalf("Load: %v", err)
	case m.same(got, is) && !gone:
	case m.same(got, idempotency.Record{}) && (expired || m.forgettable(is)):
	default:
		m.rt.Fatalf("after %s\nLoad:\n got %s\nwant %s", q.text, show(got), show(is))
	}
	m.lawful(m.seen[q.key], got, q)
	m.seen[q.key] = got
}

// lawful does without the model: whatever the store does, this holds.
func (m *reference) lawful(was, is idempotency.Record, q request) {
	if was.Status == "" || m.forgettable(was) || m.same(is, was) {
		return
	}
	switch {
	case was.Status == idempotency.Completed:
		m.rt.Fatalf("%s\nchanged a completed record\nfrom %s\n  to %s", q.text, show(was), show(is))
	case q.owner == was.Owner: // it does with its own what it likes
	case !m.follows(was, q.claim):
		m.rt.Fatalf("%s\ndisplaced an owner that lives, or was not looked at\nfrom %s\n  to %s", q.text, show(was), show(is))
	case is.Owner != q.owner || is.Attempt <= was.Attempt:
		m.rt.Fatalf("%s\ndid not count the attempt\nfrom %s\n  to %s", q.text, show(was), show(is))
	}
}

func pick(rt *rapid.T, label string, of ...time.Duration) time.Duration {
	return rapid.SampledFrom(of).Draw(rt, label)
}
