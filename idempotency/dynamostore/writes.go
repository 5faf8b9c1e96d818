package dynamostore

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"maps"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seawall-go/seawall/idempotency"
)

// A sum tells transactions of one run apart, by all that is in them.
type sum [sha256.Size]byte

func sumOf(result idempotency.Result, writes []types.TransactWriteItem) sum {
	h := sha256.New()
	spell(h, reflect.ValueOf(result))
	spell(h, reflect.ValueOf(writes))
	return sum(h.Sum(nil))
}

// spell writes v to h so that no two values have one spelling: what has parts says how many, and what stands behind an
// interface says of which type it is.
func spell(h hash.Hash, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			fmt.Fprint(h, "nil,")
			return
		}
		fmt.Fprint(h, v.Elem().Type(), ",")
		spell(h, v.Elem())
	case reflect.Struct:
		for _, field := range v.Fields() {
			spell(h, field)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			fmt.Fprintf(h, "%q", v.Bytes())
			return
		}
		fmt.Fprint(h, v.Len(), ",")
		for _, element := range v.Seq2() {
			spell(h, element)
		}
	case reflect.Map: // its keys are names
		names := make(map[string]reflect.Value, v.Len())
		for name, element := range v.Seq2() {
			names[name.String()] = element
		}
		fmt.Fprint(h, len(names), ",")
		for _, name := range slices.Sorted(maps.Keys(names)) {
			fmt.Fprintf(h, "%q", name)
			spell(h, names[name])
		}
	case reflect.String:
		fmt.Fprintf(h, "%q", v.String())
	default:
		fmt.Fprint(h, v, ",")
	}
}
