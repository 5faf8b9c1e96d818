package fakedynamo_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/internal/fakedynamo"
)

const claim = `{"TableName":"tab","Key":{"id":{"S":"a"}},"UpdateExpression":"SET v = :v","ConditionExpression":"attribute_not_exists(id)",
	"ExpressionAttributeValues":{":v":{"N":"2"}},"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`

func TestTheOldItemOfARefusedWrite(t *testing.T) {
	for _, hide := range []bool{false, true} {
		s := fakedynamo.Server{HideOld: hide}
		e := memory(t, &s)
		e.must(t, "PutItem", put)
		for op, body := range map[string]string{
			"UpdateItem": claim,
			"PutItem":    strings.Replace(put, `}}}`, `}},"ConditionExpression":"attribute_not_exists(id)","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`, 1),
			"DeleteItem": `{"TableName":"tab","Key":{"id":{"S":"a"}},"ConditionExpression":"attribute_not_exists(id)","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`,
		} {
			r := e.call(t, op, body)
			if r.Type != "ConditionalCheckFailedException" || strings.Contains(r.String(), `"Item":{"id":{"S":"a"},"v":{"N":"1"}}`) == hide {
				t.Errorf("HideOld %v: %s: %v", hide, op, r)
			}
		}
		if r := e.call(t, "UpdateItem", strings.Replace(claim, "ALL_OLD", "NONE", 1)); r.Body["Item"] != nil {
			t.Errorf("nobody asked: %v", r)
		}
	}
}

func transaction(token string, actions ...string) string {
	return fmt.Sprintf(`{"ClientRequestToken":%q,"TransactItems":[%s]}`, token, strings.Join(actions, ","))
}

func TestTransactionsAreAllOrNothing(t *testing.T) {
	var s fakedynamo.Server
	e := memory(t, &s)
	e.must(t, "PutItem", put)
	other := `{"Put":{"TableName":"tab","Item":{"id":{"S":"b"}}}}`
	r := e.call(t, "TransactWriteItems", transaction("x", other, `{"Update":`+claim+`}`))
	want := `"Message":"Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]",` +
		`"Body":{"CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed","Item":{"id":{"S":"a"},"v":{"N":"1"}},"Message":"The conditional request failed"}]}`
	if r.Type != "TransactionCanceledException" || !strings.Contains(r.String(), want) {
		t.Errorf("got %v\nwant %s", r, want)
	}
	if got := s.Len("tab"); got != 1 {
		t.Errorf("%d items, want 1: the other action was carried out", got)
	}
	e.must(t, "TransactWriteItems", transaction("x", other, `{"Delete":{"TableName":"tab","Key":{"id":{"S":"a"}}}}`))
	if got := e.must(t, "GetItem", get).Body["Item"]; got != nil || s.Len("tab") != 1 {
		t.Errorf("got %v and %d items, want b alone", got, s.Len("tab"))
	}
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s fakedynamo.Server
		e := memory(t, &s)
		add := `{"Update":` + update + `}`
		value := func() string {
			return e.must(t, "GetItem", get).Body["Item"].(map[string]any)["v"].(map[string]any)["N"].(string)
		}
		for range 3 {
			e.must(t, "TransactWriteItems", transaction("token", add))
		}
		if got := value(); got != "1" {
			t.Errorf("v = %s, want 1: a token was carried out again", got)
		}
		if r := e.call(t, "TransactWriteItems", transaction("token", strings.Replace(add, `"1"`, `"2"`, 1))); r.Type != "IdempotentParameterMismatchException" {
			t.Errorf("other parameters: %v", r)
		}
		e.must(t, "TransactWriteItems", transaction("other", add))
		time.Sleep(10 * time.Minute)
		e.must(t, "TransactWriteItems", transaction("token", add))
		if got := value(); got != "3" {
			t.Errorf("v = %s, want 3: a token lives ten minutes", got)
		}
	})
}

func TestTransactionsThatAreRefused(t *testing.T) {
	var s fakedynamo.Server
	e := memory(t, &s)
	item := `{"Put":{"TableName":"tab","Item":{"id":{"S":"b"}}}}`
	large := `{"Update":{"TableName":"tab","Key":{"id":{"S":"a"}},"UpdateExpression":"SET d = :d","ExpressionAttributeValues":{":d":{"S":"` + strings.Repeat("x", 410_000) + `"}}}}`
	for _, tt := range []struct{ body, want string }{
		{transaction("x"), "length between 1 and 100"},
		{transaction(strings.Repeat("x", 37), item), "less than or equal to 36"},
		{transaction("x", item, item), "Transaction request cannot include multiple operations on one item"},
		{transaction("x", `{}`), "should contain"},
		{transaction("x", strings.Replace(item, "tab", "nosuchtable", 1)), "Requested resource not found"},
		{transaction("x", large), "[ValidationError]"},
	} {
		if r := e.call(t, "TransactWriteItems", tt.body); r.Status != 400 || !strings.Contains(r.Message, tt.want) {
			t.Errorf("%.200s: %s, want %q", tt.body, r.short(), tt.want)
		}
	}
	s.Fail("TransactWriteItems", fakedynamo.Fault{Code: fakedynamo.Conflict})
	if r := e.call(t, "TransactWriteItems", transaction("x", item)); r.Type != "TransactionCanceledException" || !strings.Contains(r.Message, "[TransactionConflict]") {
		t.Errorf("a conflict: %v", r)
	}
	if got := s.Len("tab"); got != 0 {
		t.Errorf("%d items, want none", got)
	}
}

// Dynalite finds no two lists and no two maps equal, DynamoDB does.
func TestListsAndMapsAreEqual(t *testing.T) {
	e := memory(t, &fakedynamo.Server{})
	for _, tt := range []struct {
		is, other string
		equal     bool
	}{
		{`{"L":[{"N":"1"},{"S":"x"}]}`, `{"L":[{"N":"1.0"},{"S":"x"}]}`, true},
		{`{"L":[{"N":"1"},{"S":"x"}]}`, `{"L":[{"S":"x"},{"N":"1"}]}`, false},
		{`{"M":{"k":{"L":[]},"l":{"NULL":true}}}`, `{"M":{"l":{"NULL":true},"k":{"L":[]}}}`, true},
		{`{"M":{"k":{"N":"1"}}}`, `{"M":{"k":{"N":"2"}}}`, false},
		{`{"M":{"k":{"N":"1"}}}`, `{"M":{}}`, false},
	} {
		e.must(t, "PutItem", `{"TableName":"tab","Item":{"id":{"S":"a"},"v":`+tt.is+`}}`)
		r := e.call(t, "UpdateItem", `{"TableName":"tab","Key":{"id":{"S":"a"}},"ConditionExpression":"v = :v","ExpressionAttributeValues":{":v":`+tt.other+`}}`)
		if (r.Status == 200) != tt.equal {
			t.Errorf("%s = %s: %v, want %v", tt.is, tt.other, r, tt.equal)
		}
	}
}
