package fakedynamo_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// The fake and dynalite agree on whatever operations come in whatever order.
func TestRandomOperationsAreDynalites(t *testing.T) {
	real, fake := dynalite(t), serve(t, &fakedynamo.Server{})
	atReal, atFake := tables(real, t), tables(fake, t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		for range rapid.IntRange(1, 25).Draw(rt, "operations") {
			op, body := draw(rt, run)
			r, f := real.call(t, op, atReal(body)), fake.call(t, op, atFake(body))
			same(rt, op, body, r, f)
		}
	})
}

// A drawing is a request that is being made up.
type drawing struct {
	*rapid.T
	names, values map[string]any
}

func draw(t *rapid.T, run int) (op, body string) {
	d := drawing{T: t, names: map[string]any{}, values: map[string]any{}}
	req := map[string]any{"TableName": "T"}
	key := map[string]any{"id": map[string]any{"S": fmt.Sprintf("%d-%d", run, d.below(2, "key"))}}
	op = rapid.SampledFrom([]string{"GetItem", "PutItem", "UpdateItem", "UpdateItem", "UpdateItem", "DeleteItem"}).Draw(t, "op")
	returns := []string{"NONE", "ALL_OLD"}
	switch op {
	case "GetItem":
		req["ConsistentRead"] = d.coin("consistent")
	case "PutItem":
		item := map[string]any{"id": key["id"]}
		for range d.below(4, "attributes") {
			item[d.name()] = d.value()
		}
		req["Item"] = item
	case "UpdateItem":
		returns = append(returns, "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")
		if u := d.update(); u != "" {
			req["UpdateExpression"] = u
		}
	}
	if op != "PutItem" {
		req["Key"] = key
	}
	if op != "GetItem" {
		req["ReturnValues"] = rapid.SampledFrom(returns).Draw(t, "returns")
		if d.coin("conditional") {
			req["ConditionExpression"] = d.condition(3)
		}
	}
	if d.coin("units") {
		req["ReturnConsumedCapacity"] = "TOTAL"
	}
	if len(d.names) > 0 {
		req["ExpressionAttributeNames"] = d.names
	}
	if len(d.values) > 0 {
		req["ExpressionAttributeValues"] = d.values
	}
	text, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	return op, strings.Replace(string(text), `"TableName":"T"`, `"TableName":T`, 1)
}

func (d drawing) below(n int, what string) int { return rapid.IntRange(0, n-1).Draw(d.T, what) }

func (d drawing) coin(what string) bool { return rapid.Bool().Draw(d.T, what) }

func (d drawing) name() string {
	return rapid.SampledFrom([]string{"a", "b", "c", "status"}).Draw(d.T, "name")
}

// To dynalite an empty string has no size, so there is none.
var kinds = []string{
	`{"N":"0"}`, `{"N":"1"}`, `{"N":"-1.5"}`, `{"N":"1e3"}`, `{"N":"999"}`, `{"N":"0.000001"}`, `{"N":"12345678901234567890"}`,
	`{"S":"a"}`, `{"S":"aa"}`, `{"S":"b"}`, `{"S":"ab"}`, `{"B":"AQI="}`, `{"B":"AQID"}`, `{"B":"Ag=="}`,
	`{"BOOL":true}`, `{"BOOL":false}`, `{"NULL":true}`, `{"SS":["a","b"]}`, `{"SS":["b","a"]}`, `{"SS":["c"]}`,
	`{"NS":["1","2"]}`, `{"NS":["2.0","3"]}`, `{"BS":["AQ=="]}`,
}

// Dynalite finds no two lists and no two maps equal, so there are none in conditions.
var nested = []string{`{"L":[]}`, `{"L":[{"N":"1"},{"S":"x"}]}`, `{"M":{"k":{"BOOL":true}}}`}

func (d drawing) value() any {
	return json.RawMessage(rapid.SampledFrom(append(nested, kinds...)).Draw(d.T, "value"))
}

// path is an attribute in an expression.
func (d drawing) path() string {
	name := d.name()
	if name != "status" && d.coin("bare") {
		return name
	}
	d.names["#"+name] = name
	return "#" + name
}

// operand is a value in an expression.
func (d drawing) operand(of ...string) string {
	name := fmt.Sprintf(":v%d", len(d.values))
	d.values[name] = json.RawMessage(rapid.SampledFrom(of).Draw(d.T, "operand"))
	return name
}

func (d drawing) condition(depth int) string {
	kind := rapid.SampledFrom([]string{"exists", "missing", "equal", "order", "size", "and", "or", "not"}).Draw(d.T, "condition")
	if depth == 0 && (kind == "and" || kind == "or" || kind == "not") {
		kind = "equal"
	}
	switch kind {
	case "exists":
		return "attribute_exists(" + d.path() + ")"
	case "missing":
		return "attribute_not_exists ( " + d.path() + " )"
	case "equal":
		sign := rapid.SampledFrom([]string{"=", "<>"}).Draw(d.T, "sign")
		if d.coin("turned") {
			return d.operand(kinds...) + sign + d.path()
		}
		return d.path() + sign + d.operand(kinds...)
	case "order":
		sign := rapid.SampledFrom([]string{"<", "<=", ">", ">="}).Draw(d.T, "sign")
		return d.path() + " " + sign + " " + d.operand(kinds[:14]...)
	case "size":
		sign := rapid.SampledFrom([]string{"=", "<>", "<", ">="}).Draw(d.T, "sign")
		return "size(" + d.path() + ") " + sign + d.operand(kinds[:5]...)
	case "and":
		return d.group(depth) + " AND " + d.group(depth)
	case "or":
		return d.group(depth) + "\nor " + d.group(depth)
	}
	return "NOT " + d.group(depth)
}

func (d drawing) group(depth int) string {
	c := d.condition(depth - 1)
	if d.coin("parentheses") {
		return "(" + c + ")"
	}
	return c
}

func (d drawing) update() string {
	sections := map[string][]string{}
	seen := map[string]bool{}
	sorts := []string{"SET", "SET", "REMOVE"}
	// What is copied and added to at once, dynalite adds to both.
	copies := d.coin("copies")
	if !copies {
		sorts = append(sorts, "ADD")
	}
	for range d.below(4, "actions") {
		path := d.path()
		if name := strings.TrimPrefix(path, "#"); seen[name] {
			path = "x" + fmt.Sprint(len(seen))
			seen[path] = true
		} else {
			seen[name] = true
		}
		section := rapid.SampledFrom(sorts).Draw(d.T, "section")
		switch section {
		case "SET":
			path += " = " + d.term(copies)
		case "ADD":
			path += " " + d.operand(`{"N":"1"}`, `{"N":"-0.25"}`, `{"SS":["b","d"]}`, `{"NS":["2","7"]}`)
		}
		sections[section] = append(sections[section], path)
	}
	var u []string
	for _, section := range []string{"SET", "REMOVE", "ADD"} {
		if s := sections[section]; s != nil {
			u = append(u, section+" "+strings.Join(s, ", "))
		}
	}
	return strings.Join(u, " ")
}

func (d drawing) term(copies bool) string {
	switch kind := d.below(4, "term"); {
	case kind == 0:
		return d.path() + rapid.SampledFrom([]string{" + ", "-"}).Draw(d.T, "sign") + d.operand(kinds[:6]...)
	case kind == 1 && copies:
		return "if_not_exists(" + d.path() + ", " + d.operand(kinds...) + ")"
	case kind == 2 && copies:
		return d.path()
	}
	return d.operand(kinds...)
}
