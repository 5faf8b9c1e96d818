package fakedynamo_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/internal/fakedynamo"
)

func TestCreatingATableTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakedynamo.Server{}
		e := memory(t, s)
		s.Creating = 10 * time.Second
		create := `{"TableName":"slow","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}`
		if got := e.must(t, "CreateTable", create).Body["TableDescription"].(map[string]any)["TableStatus"]; got != "CREATING" {
			t.Errorf("status %v, want CREATING", got)
		}
		if r := e.call(t, "CreateTable", create); r.Type != "ResourceInUseException" {
			t.Errorf("created twice: %v", r)
		}
		if r := e.call(t, "PutItem", strings.Replace(put, "tab", "slow", 1)); r.Type != "ResourceNotFoundException" {
			t.Errorf("wrote before it was ready: %v", r)
		}
		time.Sleep(s.Creating)
		e.must(t, "PutItem", strings.Replace(put, "tab", "slow", 1))
	})
}

func TestTablesThatAreRefused(t *testing.T) {
	e := memory(t, &fakedynamo.Server{})
	for _, body := range []string{
		`{"TableName":"t","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}`,
		`{"TableName":"tbl","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}`,
		`{"TableName":"tbl","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}`,
		`{"TableName":"tbl","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"other","KeyType":"HASH"}]}`,
		`{"TableName":"tbl","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"RANGE"}]}`,
		`{"TableName":"tbl","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"},{"AttributeName":"id","KeyType":"RANGE"}]}`,
	} {
		if r := e.call(t, "CreateTable", body); r.Type != "ValidationException" {
			t.Errorf("%s: %v, want a ValidationException", body, r)
		}
	}
}

func TestSweep(t *testing.T) {
	var s fakedynamo.Server
	e := memory(t, &s)
	now := time.Unix(1_700_000_000, 0)
	for id, expires := range map[string]string{
		"before": `{"N":"1699999999"}`,
		"now":    `{"N":"1700000000"}`,
		"text":   `{"S":"1699999999"}`,
		"ages":   `{"N":"1"}`,
	} {
		e.must(t, "PutItem", fmt.Sprintf(`{"TableName":"tab","Item":{"id":{"S":%q},"until":%s}}`, id, expires))
	}
	if got := s.Sweep(now); got != 0 {
		t.Errorf("swept %d without a time to live", got)
	}
	on := `{"TableName":"tab","TimeToLiveSpecification":{"AttributeName":"until","Enabled":true}}`
	e.must(t, "UpdateTimeToLive", on)
	if r := e.call(t, "UpdateTimeToLive", on); r.Message != "TimeToLive is already enabled" {
		t.Errorf("enabled twice: %v", r)
	}
	if got := e.must(t, "DescribeTimeToLive", `{"TableName":"tab"}`).String(); !strings.Contains(got, `{"AttributeName":"until","TimeToLiveStatus":"ENABLED"}`) {
		t.Errorf("got %s", got)
	}
	if got := s.Sweep(now); got != 1 || s.Len("tab") != 3 {
		t.Errorf("swept %d and left %d, want 1 and 3", got, s.Len("tab"))
	}
	e.must(t, "UpdateTimeToLive", strings.Replace(on, "true", "false", 1))
	if got := e.must(t, "DescribeTimeToLive", `{"TableName":"tab"}`).String(); !strings.Contains(got, `"DISABLED"`) {
		t.Errorf("got %s", got)
	}
}

func TestLag(t *testing.T) {
	s := fakedynamo.Server{Lag: true}
	e := memory(t, &s)
	e.must(t, "PutItem", put)
	lagging := strings.Replace(get, "true", "false", 1)
	if got := e.must(t, "GetItem", lagging).Body["Item"]; got != nil {
		t.Errorf("an eventual read saw the last write: %v", got)
	}
	if got := e.must(t, "GetItem", get).Body["Item"]; got == nil {
		t.Error("a consistent read did not see the last write")
	}
	e.must(t, "UpdateItem", update)
	if got := e.must(t, "GetItem", lagging).String(); !strings.Contains(got, `"v":{"N":"1"}`) {
		t.Errorf("an eventual read saw %s, want the item before the last write", got)
	}
}
