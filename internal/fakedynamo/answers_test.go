package fakedynamo_test

import (
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// What both the fake and dynalite answer, word for word. Cases run in order: later ones see what earlier ones wrote. In
// a body T is a table with the key id, a string, U one with the keys id and n, a number, and V one with id and sk, a string.
var answers = []struct {
	op, body string
	want     string // the error's message or, with a brace, the body
}{
	// Values.
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"a"},"s":{"S":"<x> & y"},"b":{"B":"AQI="},"n":{"N":"1.50e1"},"t":{"BOOL":false},"z":{"NULL":true},"ss":{"SS":["x","y"]},"l":{"L":[{"N":"0010"}]},"m":{"M":{"k":{"S":""}}}}}`, `{}`},
	{"GetItem", `{"TableName":T,"Key":{"id":{"S":"a"}},"ConsistentRead":true,"ReturnConsumedCapacity":"TOTAL"}`, `{"ConsumedCapacity":{"CapacityUnits":1,"TableName":"T"},"Item":{"b":{"B":"AQI="},"id":{"S":"a"},"l":{"L":[{"N":"10"}]},"m":{"M":{"k":{"S":""}}},"n":{"N":"15"},"s":{"S":"<x> & y"},"ss":{"SS":["x","y"]},"t":{"BOOL":false},"z":{"NULL":true}}}`},
	{"GetItem", `{"TableName":T,"Key":{"id":{"S":"none"}},"ReturnConsumedCapacity":"INDEXES"}`, `{"ConsumedCapacity":{"CapacityUnits":0.5,"Table":{"CapacityUnits":0.5},"TableName":"T"}}`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"a"},"n":{"N":"x"}}}`, `The parameter cannot be converted to a numeric value: x`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"a"},"n":{"N":""}}}`, `The parameter cannot be converted to a numeric value`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"a"},"n":{"N":"1e126"}}}`, `Number overflow. Attempting to store a number with magnitude larger than supported range`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"a"},"n":{"N":"-1e-131"}}}`, `Number underflow. Attempting to store a number with magnitude smaller than supported range`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"a"},"n":{"N":"0.123456789012345678901234567890123456789"}}}`, `Attempting to store more than 38 significant digits in a Number`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"a"},"n":{}}}`, `Supplied AttributeValue is empty, must contain exactly one of the supported datatypes`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"a"},"n":{"S":"x","N":"1"}}}`, `Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"a"},"n":{"NULL":false}}}`, `One or more parameter values were invalid: Null attribute value types must have the value of true`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"a"},"n":{"SS":[]}}}`, `One or more parameter values were invalid: An string set  may not be empty`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"a"},"n":{"NS":["1","1.0"]}}}`, `Input collection contains duplicates`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"a"}},"ReturnValues":"ALL_NEW"}`, `ReturnValues can only be ALL_OLD or NONE`},

	// Keys.
	{"PutItem", `{"TableName":"nosuchtable","Item":{"id":{"S":"a"}}}`, `Requested resource not found`},
	{"DescribeTable", `{"TableName":"nosuchtable"}`, `Requested resource not found: Table: nosuchtable not found`},
	{"PutItem", `{"TableName":T,"Item":{"x":{"S":"a"}}}`, `One or more parameter values were invalid: Missing the key id in the item`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"N":"1"}}}`, `One or more parameter values were invalid: Type mismatch for key id expected: S actual: N`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":""}}}`, `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: id`},
	{"GetItem", `{"TableName":T,"Key":{"id":{"S":""}}}`, `One or more parameter values were invalid: The AttributeValue for a key attribute cannot contain an empty string value. Key: id`},
	{"GetItem", `{"TableName":T,"Key":{"x":{"S":"a"}}}`, `The provided key element does not match the schema`},
	{"GetItem", `{"TableName":T,"Key":{"id":{"S":"a"},"n":{"N":"1"}}}`, `The provided key element does not match the schema`},
	{"GetItem", `{"TableName":U,"Key":{"id":{"S":"a"}}}`, `The provided key element does not match the schema`},
	{"PutItem", `{"TableName":U,"Item":{"id":{"S":"a"},"n":{"N":"1"},"x":{"S":"one"}}}`, `{}`},
	{"GetItem", `{"TableName":U,"Key":{"id":{"S":"a"},"n":{"N":"1.0"}}}`, `{"Item":{"id":{"S":"a"},"n":{"N":"1"},"x":{"S":"one"}}}`},

	// Updates.
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"ReturnValues":"ALL_NEW"}`, `{"Attributes":{"id":{"S":"u"}}}`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"set attempt = if_not_exists(attempt, :z) + :o, #s=:o ADD n :o remove gone","ExpressionAttributeNames":{"#s":"status"},"ExpressionAttributeValues":{":z":{"N":"0"},":o":{"N":"1"}},"ReturnValues":"UPDATED_NEW"}`, `{"Attributes":{"attempt":{"N":"1"},"n":{"N":"1"},"status":{"N":"1"}}}`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET attempt = attempt - :o, was = attempt REMOVE n","ExpressionAttributeValues":{":o":{"N":"0.5"}},"ReturnValues":"UPDATED_OLD"}`, `{"Attributes":{"attempt":{"N":"1"},"n":{"N":"1"}}}`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"ADD tags :t, attempt :o","ExpressionAttributeValues":{":o":{"N":"-0.5"},":t":{"SS":["a","b"]}},"ReturnValues":"ALL_OLD"}`, `{"Attributes":{"attempt":{"N":"0.5"},"id":{"S":"u"},"status":{"N":"1"},"was":{"N":"1"}}}`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"ADD tags :t","ExpressionAttributeValues":{":t":{"SS":["b","c"]}},"ReturnValues":"ALL_NEW","ReturnConsumedCapacity":"TOTAL"}`, `{"Attributes":{"attempt":{"N":"0"},"id":{"S":"u"},"status":{"N":"1"},"tags":{"SS":["a","b","c"]},"was":{"N":"1"}},"ConsumedCapacity":{"CapacityUnits":1,"TableName":"T"}}`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET x = nothing"}`, `The provided expression refers to an attribute that does not exist in the item`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET x = id + attempt"}`, `An operand in the update expression has an incorrect data type`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"ADD tags :o","ExpressionAttributeValues":{":o":{"N":"1"}}}`, `An operand in the update expression has an incorrect data type`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"ADD x :o","ExpressionAttributeValues":{":o":{"S":"1"}}}`, `Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET x = attempt + :o","ExpressionAttributeValues":{":o":{"S":"1"}}}`, `Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +, operand type: S`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET id = attempt"}`, `One or more parameter values were invalid: Cannot update attribute id. This attribute is part of the key`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET x = attempt, x = was"}`, `Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [x], path two: [x]`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET x = attempt SET y = was"}`, `Invalid UpdateExpression: The "SET" section can only be used once in an update expression;`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET x = if_not_exists(x)"}`, `Invalid UpdateExpression: Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET x = if_not_exists(:o, x)","ExpressionAttributeValues":{":o":{"S":"1"}}}`, `Invalid UpdateExpression: Operator or function requires a document path; operator or function: if_not_exists`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET x = unheard(x)"}`, `Invalid UpdateExpression: Invalid function name; function: unheard`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET status = was"}`, `Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: status`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":" "}`, `Invalid UpdateExpression: Syntax error;`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":""}`, `Invalid UpdateExpression: The expression can not be empty;`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET x"}`, `Invalid UpdateExpression: Syntax error;`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"u"}},"UpdateExpression":"SET x = was y"}`, `Invalid UpdateExpression: Syntax error;`},

	// Conditions.
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"c"},"a":{"N":"10"},"b":{"S":"ten"}},"ConditionExpression":"attribute_not_exists(id)","ReturnValues":"ALL_OLD"}`, `{}`},
	{"PutItem", `{"TableName":T,"Item":{"id":{"S":"c"}},"ConditionExpression":"attribute_not_exists(id)"}`, `The conditional request failed`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"NOT a >= :v","ExpressionAttributeValues":{":v":{"N":"9"}}}`, `The conditional request failed`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"a < :v","ExpressionAttributeValues":{":v":{"S":"9"}}}`, `The conditional request failed`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"gone <= :v OR gone >= :v OR gone = :v","ExpressionAttributeValues":{":v":{"N":"9"}}}`, `The conditional request failed`},
	{"UpdateItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"gone <> :v AND (size(b) = :three) AND a > :v","ExpressionAttributeValues":{":v":{"N":"9"},":three":{"N":"3"}}}`, `{}`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"attribute_exists(b) AND b <= :b","ExpressionAttributeValues":{":b":{"S":"ten"}},"ReturnValues":"ALL_OLD"}`, `{"Attributes":{"a":{"N":"10"},"b":{"S":"ten"},"id":{"S":"c"}}}`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ReturnValues":"ALL_OLD"}`, `{}`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"attribute_exists(a) aNd attribute_exists(b) oR nOt attribute_exists(a)"}`, `{}`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"((a = :v))","ExpressionAttributeValues":{":v":{"N":"9"}}}`, `Invalid ConditionExpression: The expression has redundant parentheses;`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"a = a"}`, `Invalid ConditionExpression: The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"a = :v"}`, `Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :v`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"attribute_exists(#a)"}`, `Invalid ConditionExpression: An expression attribute name used in the document path is not defined; attribute name: #a`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"attribute_exists(owner)"}`, `Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: owner`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"attribute_exists(:v)","ExpressionAttributeValues":{":v":{"N":"9"}}}`, `Invalid ConditionExpression: Operator or function requires a document path; operator or function: attribute_exists`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"attribute_exists(a, b)"}`, `Invalid ConditionExpression: Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"unheard(a)"}`, `Invalid ConditionExpression: Invalid function name; function: unheard`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"a = attribute_exists(b)"}`, `Invalid ConditionExpression: The function is not allowed to be used this way in an expression; function: attribute_exists`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"size(:v) = a","ExpressionAttributeValues":{":v":{"N":"9"}}}`, `Invalid ConditionExpression: Incorrect operand type for operator or function; operator or function: size, operand type: N`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"a ="}`, `Invalid ConditionExpression: Syntax error;`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"attribute_exists(a) b"}`, `Invalid ConditionExpression: Syntax error;`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"(attribute_exists(a)"}`, `Invalid ConditionExpression: Syntax error;`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":""}`, `Invalid ConditionExpression: The expression can not be empty;`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"attribute_exists(a)","ExpressionAttributeNames":{"#b":"b"}}`, `Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"attribute_exists(a)","ExpressionAttributeValues":{":b":{"S":"b"}}}`, `Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"a = :b","ExpressionAttributeValues":{":b":{"N":"b"}}}`, `ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: b for key :b`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"a = :b","ExpressionAttributeValues":{"b":{"S":"b"}}}`, `ExpressionAttributeValues contains invalid key: Syntax error; key: "b"`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"attribute_exists(#b)","ExpressionAttributeNames":{"b":"b"}}`, `ExpressionAttributeNames contains invalid key: Syntax error; key: "b"`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"attribute_exists(a)","ExpressionAttributeNames":{}}`, `ExpressionAttributeNames must not be empty`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ConditionExpression":"attribute_exists(a)","ExpressionAttributeValues":{}}`, `ExpressionAttributeValues must not be empty`},
	{"DeleteItem", `{"TableName":T,"Key":{"id":{"S":"c"}},"ExpressionAttributeNames":{"#b":"b"}}`, `ExpressionAttributeNames can only be specified when using expressions`},
	{"Unheard", `{}`, ``},
}

// Sizes at the limit and one byte over it, for the tests of both.
func sizes() (cases []struct{ op, body, want string }) {
	add := func(op, body, want string) { cases = append(cases, struct{ op, body, want string }{op, body, want}) }
	x := func(n int) string { return strings.Repeat("x", n) }
	add("PutItem", `{"TableName":T,"Item":{"id":{"S":"`+x(2048)+`"}}}`, `{}`)
	add("PutItem", `{"TableName":T,"Item":{"id":{"S":"`+x(2049)+`"}}}`, "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes")
	const most = 409600
	base := len("id") + len("k") + len("data")
	add("PutItem", `{"TableName":T,"Item":{"id":{"S":"k"},"data":{"S":"`+x(most-base)+`"}},"ReturnConsumedCapacity":"TOTAL"}`, `{"ConsumedCapacity":{"CapacityUnits":400,"TableName":"T"}}`)
	add("GetItem", `{"TableName":T,"Key":{"id":{"S":"none"}},"ConsistentRead":true}`, `{}`)
	add("PutItem", `{"TableName":T,"Item":{"id":{"S":"k"},"data":{"S":"`+x(most-base+1)+`"}}}`, "Item size has exceeded the maximum allowed size")
	add("UpdateItem", `{"TableName":T,"Key":{"id":{"S":"k"}},"UpdateExpression":"SET #d = :d","ExpressionAttributeNames":{"#d":"data"},"ExpressionAttributeValues":{":d":{"S":"`+x(most-base)+`"}}}`, `{}`)
	add("UpdateItem", `{"TableName":T,"Key":{"id":{"S":"k"}},"UpdateExpression":"SET #d = :d","ExpressionAttributeNames":{"#d":"data"},"ExpressionAttributeValues":{":d":{"S":"`+x(most-base+1)+`"}}}`, "Item size to update has exceeded the maximum allowed size")
	add("PutItem", `{"TableName":V,"Item":{"id":{"S":"k"},"sk":{"S":"`+x(1024)+`"}}}`, `{}`)
	add("PutItem", `{"TableName":V,"Item":{"id":{"S":"k"},"sk":{"S":"`+x(1025)+`"}}}`, "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	add("UpdateItem", `{"TableName":T,"Key":{"id":{"S":"k"}},"UpdateExpression":"SET n = :n","ExpressionAttributeValues":{":n":{"N":"1"}}}`, "Item size to update has exceeded the maximum allowed size")
	return cases
}

// In the cases a table is its letter; at the ends it has a name of its own.
func tables(e end, t *testing.T) (names func(string) string) {
	run := fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano())
	e.createTable(t, "t-"+run)
	e.createSortedTable(t, "u-"+run, "n", "N")
	e.createSortedTable(t, "v-"+run, "sk", "S")
	return strings.NewReplacer(`"TableName":T`, `"TableName":"t-`+run+`"`, `"TableName":U`, `"TableName":"u-`+run+`"`, `"TableName":V`, `"TableName":"v-`+run+`"`).Replace
}

func (r reply) short() string {
	text := r.String()
	if len(text) > 300 {
		text = text[:300] + "..."
	}
	return text
}

func TestAnswers(t *testing.T) {
	e := serve(t, &fakedynamo.Server{})
	named := tables(e, t)
	for _, tt := range append(answers, sizes()...) {
		r := e.call(t, tt.op, named(tt.body))
		got := r.Message
		if strings.HasPrefix(tt.want, "{") && r.Status == 200 {
			text := reply{Body: anonymous(r.Body)}.String()
			got = strings.TrimSuffix(strings.TrimPrefix(text, `{"Status":0,"Type":"","Message":"","Body":`), `}`)
			tt.want = strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(tt.want)
		}
		inOwnWords := strings.HasSuffix(tt.want, "Syntax error;") && strings.HasPrefix(got, tt.want)
		if got != tt.want && !inOwnWords {
			t.Errorf("%s %.200s\n got %s\nwant %s", tt.op, tt.body, got, tt.want)
		}
	}
}

// anonymous gives the table its letter back.
func anonymous(body map[string]any) map[string]any {
	if c, ok := body["ConsumedCapacity"].(map[string]any); ok {
		c["TableName"] = "T"
	}
	if a, ok := body["Attributes"].(map[string]any); ok && len(a) == 0 {
		delete(body, "Attributes")
	}
	return body
}

func TestAnswersAreDynalites(t *testing.T) {
	real, fake := dynalite(t), serve(t, &fakedynamo.Server{})
	atReal, atFake := tables(real, t), tables(fake, t)
	for _, tt := range append(answers, sizes()...) {
		same(t, tt.op, tt.body, real.call(t, tt.op, atReal(tt.body)), fake.call(t, tt.op, atFake(tt.body)))
	}
}

// What a value adds to an item is seen at the limit.
func TestSizesAreDynalites(t *testing.T) {
	real, fake := dynalite(t), serve(t, &fakedynamo.Server{})
	atReal, atFake := tables(real, t), tables(fake, t)
	for _, v := range []string{
		`{"N":"0"}`, `{"N":"1"}`, `{"N":"12"}`, `{"N":"120"}`, `{"N":"1200"}`, `{"N":"-12345"}`, `{"N":"0.1"}`, `{"N":"0.12"}`,
		`{"N":"1700000000"}`, `{"N":"1700000000123"}`, `{"N":"99999999999999999999999999999999999999"}`, `{"NS":["1","22","-333"]}`,
		`{"BOOL":true}`, `{"NULL":true}`, `{"B":"AQID"}`, `{"BS":["AQID","AQ=="]}`, `{"SS":["abc","d"]}`, `{"S":""}`,
		`{"L":[]}`, `{"L":[{"N":"1"},{"S":"ab"}]}`, `{"M":{}}`, `{"M":{"k":{"S":"v"},"kk":{"L":[]}}}`,
	} {
		body := func(room int) string {
			return `{"TableName":T,"Item":{"id":{"S":"k"},"data":{"S":"` + strings.Repeat("x", 409600-7-room) + `"},"v":` + v + `}}`
		}
		room := sort.Search(64, func(room int) bool { return fake.call(t, "PutItem", atFake(body(room))).Status == 200 })
		for _, room := range []int{room - 1, room} {
			same(t, "PutItem", body(room), real.call(t, "PutItem", atReal(body(room))), fake.call(t, "PutItem", atFake(body(room))))
		}
	}
}

// same compares two answers. Where a syntax error is, each says in its own words.
func same(t rapid.TB, op, body string, real, fake reply) {
	t.Helper()
	for _, r := range []*reply{&real, &fake} {
		r.Body = anonymous(r.Body)
		if before, _, ok := strings.Cut(r.Message, "Syntax error; "); ok && !strings.Contains(r.Message, "key:") {
			r.Message = before + "Syntax error"
		}
		if strings.Contains(r.Message, "contains duplicates") {
			r.Message = "contains duplicates"
		}
	}
	if !reflect.DeepEqual(real, fake) {
		t.Fatalf("%s %.500s\nreal %s\nfake %s", op, body, real.short(), fake.short())
	}
}
