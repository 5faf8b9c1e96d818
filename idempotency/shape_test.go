package idempotency_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"
)

type stamped struct {
	time.Time

	Amount int
}

type listening struct {
	netip.Addr

	Port int
}

type onlyTime struct{ time.Time }

type onlyRaw struct{ json.RawMessage }

type twoTimes struct {
	time.Time
	Other
}

type Other struct{ time.Time }

// A dated embeds a time, and says for itself what its JSON is.
type dated struct {
	time.Time

	Zone string
}

func (d dated) MarshalJSON() ([]byte, error) { return json.Marshal([]any{d.Time, d.Zone}) }

func (d *dated) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[...]any{&d.Time, &d.Zone})
}

// A halfDated does so in one direction.
type halfDated struct {
	time.Time

	Zone string
}

func (d halfDated) MarshalJSON() ([]byte, error) { return json.Marshal([]any{d.Time, d.Zone}) }

// A halfRead does so in the other one.
type halfRead struct {
	time.Time

	Zone string
}

func (d *halfRead) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[...]any{&d.Time, &d.Zone})
}

// A nothing takes no room, and writes itself.
type nothing struct{}

func (nothing) MarshalJSON() ([]byte, error) { return []byte("0"), nil }

func (*nothing) UnmarshalJSON([]byte) error { return nil }

type bothWays interface {
	json.Marshaler
	json.Unmarshaler
}

// An optional is generic, and its methods are wrapped by the compiler.
type optional[T any] struct {
	V  T
	OK bool
}

func (o optional[T]) MarshalJSON() ([]byte, error) {
	if !o.OK {
		return []byte("null"), nil
	}
	return json.Marshal(o.V)
}

func (o *optional[T]) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	o.OK = true
	return json.Unmarshal(text, &o.V)
}

// byPointer has methods that a value without an address has not.
type byPointer struct{ N int }

func (b *byPointer) MarshalJSON() ([]byte, error) { return json.Marshal([]int{b.N}) }

func (b *byPointer) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &[...]*int{&b.N}) }

type Shadowed struct{ X, Y int }

// A money embeds a pointer, whose methods are called before it points to anything.
type money struct {
	*big.Int

	Currency string
}

type onlyMoney struct{ *big.Int }

type host struct {
	*netip.Addr

	Port int
}

// A lenient reads more than it writes.
type lenient struct{ N int }

func (l *lenient) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &l.N) }

type halfLenient struct {
	lenient

	Other int
}

// A reader reads what it does not write.
type reader struct{ N int }

func (r *reader) UnmarshalText(text []byte) error { return json.Unmarshal(text, &r.N) }

// A marked one has a field that takes no room, beside the one that is embedded.
type markedTime struct {
	time.Time

	mark struct{} //nolint:unused // it is there to be left out
}

// Some types lost a part of their values on the way, or gained one, and no replay told of it.
func TestRegression_TypesWhoseReplaysWereNotEqualAreRefused(t *testing.T) {
	for _, check := range []func(*testing.T){
		refuses[stamped]("stamped has the MarshalJSON of a field that is embedded, which leaves out the others"),
		refuses[listening]("listening has the MarshalText of a field that is embedded, which leaves out the others"),
		refuses[[]*stamped]("stamped has the MarshalJSON of a field that is embedded, which leaves out the others"),
		refuses[halfDated]("halfDated has the MarshalJSON of a field that is embedded, which leaves out the others"),
		refuses[halfRead]("halfRead has the MarshalJSON of a field that is embedded, which leaves out the others"),
		refuses[struct {
			nothing

			Zone string
		}]("has the MarshalJSON of a field that is embedded, which leaves out the others"),
		refuses[struct {
			bothWays

			Zone string
		}]("has the MarshalJSON of a field that is embedded, which leaves out the others"),
		refuses[struct{ bothWays }]("bothWays is an interface with methods, idempotency_test.bothWays"),
		refuses[struct {
			onlyTime

			Zone string
		}]("has the MarshalJSON of a field that is embedded, which leaves out the others"),
		refuses[struct {
			time.Time `json:"at"`

			Zone string
		}]("has the MarshalJSON of a field that is embedded, which leaves out the others"),
		refuses[struct {
			time.Time
			net.IP
		}]("which leaves out the others"),
		refuses[twoTimes]("twoTimes has the MarshalJSON of a field that is embedded, which leaves out the others"),
		refuses[struct {
			A int `json:"B"`
			B int
		}](`.B are both "B" in JSON`),
		refuses[struct {
			Shadowed

			X int
		}](`.X are both "X" in JSON`),
		refuses[struct {
			X int
			*Shadowed
		}](`.Shadowed.X are both "X" in JSON`),
		refuses[struct{ Raw json.RawMessage }]("Raw is a json.RawMessage, of which nil would be replayed as null: tag it omitempty"),
		refuses[[]json.RawMessage]("is a json.RawMessage, of which nil would be replayed as null: tag it omitempty"),
		refuses[onlyRaw]("onlyRaw.RawMessage is a json.RawMessage, of which nil would be replayed as null: tag it omitempty"),
		refuses[*json.RawMessage]("*json.RawMessage points to what can be nil, json.RawMessage"),
		refuses[*[]int]("*[]int points to what can be nil, []int"),
		refuses[**int]("**int points to what can be nil, *int"),
		refuses[struct{ M *map[string]int }]("M points to what can be nil, map[string]int"),
		refuses[[]*any]("[]*interface {} points to what can be nil, interface {}"),
		refuses[map[string]byPointer]("map[string]idempotency_test.byPointer is in a map, where its MarshalJSON is not called, for it wants a pointer"),
		refuses[map[string]struct{ B byPointer }]("B is in a map, where its MarshalJSON is not called, for it wants a pointer"),
		refuses[map[string]struct {
			*Shadowed

			B byPointer
		}]("B is in a map, where its MarshalJSON is not called, for it wants a pointer"),
		refuses[map[string][1]big.Int]("is in a map, where its MarshalJSON is not called, for it wants a pointer"),
	} {
		check(t)
	}
}

// A pointer that is embedded lent its methods to the struct around it: some replays panicked, for nothing is at that pointer
// before it is decoded, and others left out the fields beside it.
func TestRegression_MethodsOfAnEmbeddedPointerAreRefused(t *testing.T) {
	for _, check := range []func(*testing.T){
		refuses[money]("money has the MarshalJSON of a field that is embedded, which leaves out the others"),
		refuses[[]host]("host has the MarshalText of a field that is embedded, which leaves out the others"),
		refuses[onlyMoney]("onlyMoney.Int is an embedded pointer, whose methods are called before it points to anything"),
		refuses[*onlyMoney]("onlyMoney.Int is an embedded pointer, whose methods are called before it points to anything"),
		refuses[struct{ onlyMoney }]("onlyMoney.Int is an embedded pointer, whose methods are called before it points to anything"),
		refuses[struct{ *netip.Addr }]("Addr is an embedded pointer, whose methods are called before it points to anything"),
		refuses[halfLenient]("halfLenient has the UnmarshalJSON of a field that is embedded, and no MarshalJSON"),
		refuses[struct{ *lenient }]("has the UnmarshalJSON of a field that is embedded, and no MarshalJSON"),
		refuses[reader]("reader has an UnmarshalText and no MarshalText"),
	} {
		check(t)
	}
}

// A gatewayResponse is what handlers of API Gateway return.
type gatewayResponse struct {
	StatusCode        int                 `json:"statusCode"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded,omitempty"`
	Cookies           []string            `json:"cookies"`
}

type document struct {
	Deleted *time.Time
	Updated *time.Time      `json:",omitempty"`
	Raw     json.RawMessage `json:",omitempty"`
	Zero    json.RawMessage `json:",omitzero"`
	IP      *net.IP
	Parent  *document
	Name    optional[string]
	Names   map[string]optional[int]
	Big     map[string]*big.Int
	List    []byPointer
	Table   map[string][]byPointer
	At      onlyTime
	Dated   dated
	OnlyBig []big.Int
	Shadowed
}

// What is common must not be refused for what is not.
func TestCommonResultsAreReplayed(t *testing.T) {
	at := time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC)
	for _, check := range []func(*testing.T){
		replays("an answer of API Gateway", gatewayResponse{}),
		replays("an answer with everything", gatewayResponse{201, map[string]string{"a": "b"}, map[string][]string{"c": {"d"}}, "{}", true, []string{}}),
		replays("a pointer to one", &gatewayResponse{StatusCode: 200}),
		replays("a time in a struct", onlyTime{at}),
		replays("a time in a struct, with a mark", markedTime{Time: at}),
		replays("methods of one's own", dated{at, "UTC"}),
		replays("generic methods", optional[int]{0, true}),
		replays("no document", document{}),
		replays("a document", document{
			Deleted: &at, Updated: &at, Raw: json.RawMessage(`{"a":1}`), Zero: json.RawMessage(`null`), IP: new(net.IPv4(127, 0, 0, 1)), Parent: &document{},
			Name: optional[string]{"", true}, Names: map[string]optional[int]{"a": {}, "b": {1, true}}, Big: map[string]*big.Int{"a": big.NewInt(1), "b": nil},
			List: []byPointer{{1}}, Table: map[string][]byPointer{"a": {{1}}}, At: onlyTime{at}, Dated: dated{at, "x"}, OnlyBig: []big.Int{*big.NewInt(7)}, Shadowed: Shadowed{1, 2},
		}),
	} {
		check(t)
	}
}
