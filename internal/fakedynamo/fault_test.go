package fakedynamo_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/internal/fakedynamo"
)

const (
	put    = `{"TableName":"tab","Item":{"id":{"S":"a"},"v":{"N":"1"}}}`
	get    = `{"TableName":"tab","Key":{"id":{"S":"a"}},"ConsistentRead":true}`
	update = `{"TableName":"tab","Key":{"id":{"S":"a"}},"UpdateExpression":"ADD v :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`
)

// memory is an end without a network.
func memory(t *testing.T, s *fakedynamo.Server) end {
	t.Helper()
	e := end{"http://dynamodb.invalid", &http.Client{Transport: direct{s}}}
	e.createTable(t, "tab")
	return e
}

type direct struct{ *fakedynamo.Server }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) { return d.Do(r) }

// ends runs a test with a network and without one.
func ends(t *testing.T, f func(t *testing.T, s *fakedynamo.Server, e end)) {
	t.Run("network", func(t *testing.T) {
		var s fakedynamo.Server
		e := serve(t, &s)
		e.createTable(t, "tab")
		f(t, &s, e)
	})
	t.Run("memory", func(t *testing.T) {
		var s fakedynamo.Server
		f(t, &s, memory(t, &s))
	})
}

func TestErrorsOnCommand(t *testing.T) {
	for code, status := range map[string]int{
		fakedynamo.Throttled: 400, fakedynamo.RequestLimit: 400, fakedynamo.Conflict: 400, fakedynamo.Denied: 400, fakedynamo.Internal: 500,
	} {
		t.Run(code, func(t *testing.T) {
			ends(t, func(t *testing.T, s *fakedynamo.Server, e end) {
				s.Fail("PutItem", fakedynamo.Fault{Code: code}, fakedynamo.Fault{}, fakedynamo.Fault{Code: code})
				for n, want := range []int{status, 200, status, 200} {
					r := e.call(t, "PutItem", put)
					if r.Status != want || want != 200 && r.Type != code {
						t.Errorf("call %d: %v, want %d %s", n+1, r, want, code)
					}
				}
				if got := s.Calls("PutItem"); got != 4 {
					t.Errorf("%d calls, want 4", got)
				}
			})
		})
	}
}

func TestFaultsForAnyOperation(t *testing.T) {
	var s fakedynamo.Server
	e := memory(t, &s)
	s.Fail("", fakedynamo.Fault{Code: fakedynamo.Internal}, fakedynamo.Fault{Code: fakedynamo.Denied})
	s.Fail("GetItem", fakedynamo.Fault{Code: fakedynamo.Throttled})
	for _, want := range []struct{ op, body, code string }{
		{"PutItem", put, fakedynamo.Internal},
		{"GetItem", get, fakedynamo.Throttled},
		{"GetItem", get, fakedynamo.Denied},
		{"GetItem", get, ""},
	} {
		if r := e.call(t, want.op, want.body); r.Type != want.code {
			t.Errorf("%s: %v, want %q", want.op, r, want.code)
		}
	}
}

func TestAFailedCallIsNotCarriedOut(t *testing.T) {
	ends(t, func(t *testing.T, s *fakedynamo.Server, e end) {
		s.Fail("PutItem", fakedynamo.Fault{Code: fakedynamo.Internal}, fakedynamo.Fault{DropRequest: true})
		e.call(t, "PutItem", put)
		if _, err := e.try(t, "PutItem", put); err == nil {
			t.Error("the connection stayed open")
		}
		if got := s.Len("tab"); got != 0 {
			t.Errorf("%d items, want none", got)
		}
	})
}

func TestADroppedReplyIsCarriedOut(t *testing.T) {
	ends(t, func(t *testing.T, s *fakedynamo.Server, e end) {
		s.Fail("UpdateItem", fakedynamo.Fault{DropReply: true})
		if r, err := e.try(t, "UpdateItem", update); err == nil {
			t.Errorf("got an answer: %v", r)
		}
		if got := e.must(t, "GetItem", get).String(); !strings.Contains(got, `"v":{"N":"1"}`) {
			t.Errorf("got %s, want the update to be there", got)
		}
	})
}

func TestBefore(t *testing.T) {
	ends(t, func(t *testing.T, s *fakedynamo.Server, e end) {
		s.Fail("GetItem", fakedynamo.Fault{Before: func() { e.must(t, "PutItem", put) }})
		if got := e.must(t, "GetItem", get).Body["Item"]; got == nil {
			t.Error("the call did not see what came before it")
		}
	})
}

func TestAfter(t *testing.T) {
	ends(t, func(t *testing.T, s *fakedynamo.Server, e end) {
		seen := false
		s.Fail("PutItem", fakedynamo.Fault{After: func() { seen = e.must(t, "GetItem", get).Body["Item"] != nil }})
		e.must(t, "PutItem", put)
		if !seen {
			t.Error("the call was not carried out yet")
		}
	})
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s fakedynamo.Server
		e := memory(t, &s)
		s.Fail("PutItem", fakedynamo.Fault{Delay: time.Minute})
		start := time.Now()
		e.must(t, "PutItem", put)
		if got := time.Since(start); got != time.Minute {
			t.Errorf("took %v, want 1m", got)
		}
	})
}

func TestACallerThatGoesAwayEndsTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s fakedynamo.Server
		e := memory(t, &s)
		s.Fail("PutItem", fakedynamo.Fault{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, strings.NewReader(put))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Target", "DynamoDB_20120810.PutItem")
		if _, err := s.Do(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want DeadlineExceeded", err)
		}
		if got := s.Len("tab"); got != 0 {
			t.Errorf("%d items, want none", got)
		}
	})
}

func TestUnheardParametersAreRefused(t *testing.T) {
	e := memory(t, &fakedynamo.Server{})
	for op, body := range map[string]string{
		"GetItem":            `{"TableName":"tab","Key":{"id":{"S":"a"}},"ProjectionExpression":"id"}`,
		"PutItem":            `{"TableName":"tab","Item":{"id":{"S":"a"}},"Expected":{}}`,
		"UpdateItem":         `{"TableName":"tab","Key":{"id":{"S":"a"}},"UpdateExpression":"SET a.b = c"}`,
		"DeleteItem":         `{"TableName":"tab","Key":{"id":{"S":"a"}},"UpdateExpression":"REMOVE a"}`,
		"TransactWriteItems": `{"TransactItems":[{"Get":{}}]}`,
		"Scan":               `{"TableName":"tab"}`,
	} {
		if r := e.call(t, op, body); r.Status != 400 {
			t.Errorf("%s %s: %v, want an error", op, body, r)
		}
	}
}

func TestUnitsCountRefusedWrites(t *testing.T) {
	var s fakedynamo.Server
	e := memory(t, &s)
	large := `{"TableName":"tab","Item":{"id":{"S":"a"},"data":{"S":"` + strings.Repeat("x", 10_000) + `"}}}`
	refused := `{"TableName":"tab","Item":{"id":{"S":"a"}},"ConditionExpression":"attribute_not_exists(id)"}`
	for _, step := range []struct {
		op, body      string
		reads, writes float64
	}{
		{"PutItem", large, 0, 10},
		{"PutItem", refused, 0, 10},
		{"GetItem", get, 3, 0},
		{"GetItem", strings.Replace(get, "true", "false", 1), 1.5, 0},
		{"DeleteItem", `{"TableName":"tab","Key":{"id":{"S":"a"}}}`, 0, 10},
		{"PutItem", put, 0, 1},
	} {
		r0, w0 := s.Units()
		e.call(t, step.op, step.body)
		if r1, w1 := s.Units(); r1-r0 != step.reads || w1-w0 != step.writes {
			t.Errorf("%s %.60s: %v reads and %v writes, want %v and %v", step.op, step.body, r1-r0, w1-w0, step.reads, step.writes)
		}
	}
}

func TestActions(t *testing.T) {
	var s fakedynamo.Server
	e := memory(t, &s)
	e.must(t, "GetItem", get)
	e.must(t, "TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"tab","Item":{"id":{"S":"a"}}}},
		{"ConditionCheck":{"TableName":"tab","Key":{"id":{"S":"b"}},"ConditionExpression":"attribute_not_exists(id)"}}]}`)
	want := []string{"dynamodb:ConditionCheckItem", "dynamodb:CreateTable", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem"}
	if got := s.Actions(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := s.Calls(); got != 4 {
		t.Errorf("%d calls, want 4", got)
	}
}
