package httpkey_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/httpkey"
)

func Example() {
	charges := 0
	pay := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		charges++
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "charge %d", charges)
	})
	once := httpkey.Config{Once: idempotency.Config{Store: &idempotency.Memory{}, Scope: "payments"}}
	server := httptest.NewServer(httpkey.Middleware(once)(pay))
	defer server.Close()

	// A client that did not see the answer asks again.
	for range 2 {
		r, _ := http.NewRequest(http.MethodPost, server.URL, strings.NewReader(`{"amount":7}`))
		r.Header.Set(httpkey.Field, `"8e03978e-40d5-43dd-bc93-6894a57f9324"`)
		response, err := server.Client().Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		fmt.Printf("%d %s, replayed %q\n", response.StatusCode, body, response.Header.Get(httpkey.Replayed))
	}
	// Output:
	// 201 charge 1, replayed ""
	// 201 charge 1, replayed "true"
}

func ExampleMiddleware() {
	pay := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "paid") })
	once := httpkey.Middleware(httpkey.Config{
		Once: idempotency.Config{
			Store:      &idempotency.Memory{},
			Scope:      "payments",
			TTL:        48 * time.Hour,
			RequireKey: true,
		},
		Tenant: func(r *http.Request) string { return r.Header.Get("X-Account") }, // as the authentication around it says
	})
	mux := http.NewServeMux()
	mux.Handle("POST /payments", once(pay))

	send := func(account, key, body string) {
		r := httptest.NewRequest(http.MethodPost, "/payments", strings.NewReader(body))
		r.Header.Set("X-Account", account)
		if key != "" {
			r.Header.Set(httpkey.Field, key)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	send("anna", "k1", "7 EUR")
	send("anna", "k1", "7 EUR")
	send("anna", "k1", "8 EUR")
	send("berta", "k1", "8 EUR")
	send("berta", "", "8 EUR")
	// Output:
	// 200 paid
	// 200 paid
	// 422 {"type":"about:blank","title":"Idempotency-Key is already used","status":422}
	// 200 paid
	// 400 {"type":"about:blank","title":"Idempotency-Key is missing","status":400}
}

func ExampleProxy() {
	charges := 0
	pay := func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		charges++
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusCreated, Body: fmt.Sprint("charge ", charges)}, nil
	}
	once := httpkey.Config{Once: idempotency.Config{Store: &idempotency.Memory{}, Scope: "payments"}}
	h := httpkey.Proxy(pay, once) // lambda.Start(h)

	e := events.APIGatewayV2HTTPRequest{RawPath: "/payments", Headers: map[string]string{"host": "example.com", "idempotency-key": "k1"}, Body: "7 EUR"}
	e.RequestContext.HTTP.Method = http.MethodPost
	for range 2 {
		r, err := h(context.Background(), e)
		fmt.Println(r.StatusCode, r.Body, r.Headers, err)
	}

	// What a function has answered, a server answers with again.
	server := httpkey.Middleware(once)(http.NotFoundHandler())
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/payments", strings.NewReader("7 EUR"))
	r.Header.Set(httpkey.Field, "k1")
	server.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output:
	// 201 charge 1 map[] <nil>
	// 201 charge 1 map[Idempotent-Replayed:true] <nil>
	// 201 charge 1
}

func ExampleEvent() {
	once := httpkey.Config{
		Once: idempotency.Config{Store: &idempotency.Memory{}, Scope: "payments"},
		Tenant: func(r *http.Request) string {
			if e, ok := httpkey.Event(r).(events.APIGatewayProxyRequest); ok {
				tenant, _ := e.RequestContext.Authorizer["tenant"].(string)
				return tenant
			}
			return "" // nobody
		},
	}
	h := httpkey.Proxy(func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
		return events.APIGatewayProxyResponse{StatusCode: http.StatusOK}, nil
	}, once)

	e := events.APIGatewayProxyRequest{HTTPMethod: http.MethodPost, Path: "/payments", Headers: map[string]string{"Idempotency-Key": "k1"}}
	r, err := h(context.Background(), e)
	fmt.Println(r.StatusCode, err)
	e.RequestContext.Authorizer = map[string]any{"tenant": "anna"}
	r, err = h(context.Background(), e)
	fmt.Println(r.StatusCode, err)
	// Output:
	// 403 <nil>
	// 200 <nil>
}

func ExampleKey() {
	for _, line := range []string{`"order 7"`, `order 7`, `a, b`} {
		key, err := httpkey.Key(http.Header{httpkey.Field: {line}})
		fmt.Printf("%q %v\n", key, err)
	}
	// Output:
	// "order 7" <nil>
	// "order 7" <nil>
	// "" httpkey: the Idempotency-Key is malformed: it is a list, or has a quote in it
}

// A function that answers with something else than HTTP finds its key in the same header.
func ExampleHeader() {
	once := idempotency.Config{Store: &idempotency.Memory{}, Scope: "connections", RequireKey: true}
	h := idempotency.Wrap(
		func(_ context.Context, e events.APIGatewayWebsocketProxyRequest) (string, error) {
			return "connected", nil
		},
		func(e events.APIGatewayWebsocketProxyRequest) (string, error) {
			return httpkey.Key(httpkey.Header(e.Headers, e.MultiValueHeaders))
		},
		once,
	)
	fmt.Println(h(context.Background(), events.APIGatewayWebsocketProxyRequest{Headers: map[string]string{"IDEMPOTENCY-KEY": "k1"}}))
	fmt.Println(h(context.Background(), events.APIGatewayWebsocketProxyRequest{}))
	// Output:
	// connected <nil>
	//  idempotency connections: the call has no key
}

func ExampleResponse_UnmarshalJSON() {
	var r httpkey.Response
	err := json.Unmarshal([]byte(`{"statusCode":200,"multiValueHeaders":{"vary":["Accept","Origin"]},"body":"cGFpZA==","isBase64Encoded":true}`), &r)
	fmt.Println(r.Status, r.Header, string(r.Body), err)
	// Output: 200 map[Vary:[Accept, Origin]] paid <nil>
}

func ExampleResponse() {
	kept, _ := json.Marshal(httpkey.Response{
		Status: http.StatusCreated,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   []byte(`{"id":7}`),
	})
	fmt.Println(string(kept))
	// Output: {"statusCode":201,"headers":{"Content-Type":"application/json"},"body":"{\"id\":7}","isBase64Encoded":false}
}

func ExampleConfig() {
	once := httpkey.Config{
		Once: idempotency.Config{Store: &idempotency.Memory{}, Scope: "payments"},

		// The same JSON is the same request, however it is written.
		Fingerprint: func(r *http.Request, body []byte) (string, error) {
			payload, err := idempotency.Payload(json.RawMessage(body))
			return idempotency.Join(r.Host, r.URL.RawQuery, payload), err
		},

		// Only what succeeded is kept.
		Keep: func(status int) bool { return status < 400 },
	}
	runs := 0
	h := httpkey.Middleware(once)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if runs++; runs == 1 {
			http.Error(w, "no money", http.StatusPaymentRequired)
			return
		}
		fmt.Fprint(w, "paid")
	}))
	for _, body := range []string{`{"amount":7,"to":"anna"}`, `{"amount":7,"to":"anna"}`, `{ "to": "anna", "amount": 7.0 }`} {
		r := httptest.NewRequest(http.MethodPost, "/payments", strings.NewReader(body))
		r.Header.Set(httpkey.Field, "k1")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Printf("%d %s, replayed %q\n", w.Code, strings.TrimSpace(w.Body.String()), w.Header().Get(httpkey.Replayed))
	}
	// Output:
	// 402 no money, replayed ""
	// 200 paid, replayed ""
	// 200 paid, replayed "true"
}

// The bank did not answer in time, and nobody knows whether it has charged. The next request is not sent there blindly: it
// asks what became of the first.
func ExampleConfig_reconcile() {
	once := httpkey.Config{Once: idempotency.Config{
		Store: &idempotency.Memory{},
		Scope: "payments",
		Uncertain: func(err error) bool {
			var e interface{ HTTPStatus() int }
			return errors.As(err, &e) && e.HTTPStatus() == http.StatusGatewayTimeout
		},
		Reconcile: func(_ context.Context, run idempotency.Abandoned) (result any, done bool, err error) {
			r := run.In.(*http.Request) // with its body anew
			fmt.Println("what became of", r.Header.Get(httpkey.Field)+"?")
			return httpkey.Response{Status: http.StatusCreated, Body: []byte("charge 1")}, true, nil
		},
	}}
	pay := httpkey.Middleware(once)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the bank does not answer", http.StatusGatewayTimeout)
	}))
	for range 3 {
		r := httptest.NewRequest(http.MethodPost, "/payments", strings.NewReader("7 EUR"))
		r.Header.Set(httpkey.Field, "k1")
		w := httptest.NewRecorder()
		pay.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	}
	// Output:
	// 504 the bank does not answer
	// what became of k1?
	// 201 charge 1
	// 201 charge 1
}

// Who may have made the request yesterday may not have its response today.
func ExampleConfig_allow() {
	member := true
	once := httpkey.Config{
		Once: idempotency.Config{Store: &idempotency.Memory{}, Scope: "payments"},
		Allow: func(_ *http.Request, _ httpkey.Response) error {
			if !member {
				return errors.New("no member any more")
			}
			return nil
		},
	}
	pay := httpkey.Middleware(once)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "paid") }))
	for range 3 {
		r := httptest.NewRequest(http.MethodPost, "/payments", strings.NewReader("7 EUR"))
		r.Header.Set(httpkey.Field, "k1")
		w := httptest.NewRecorder()
		pay.ServeHTTP(w, r)
		fmt.Printf("%d, replayed %q\n", w.Code, w.Header().Get(httpkey.Replayed))
		member = w.Header().Get(httpkey.Replayed) == ""
	}
	// Output:
	// 200, replayed ""
	// 200, replayed "true"
	// 403, replayed ""
}

func ExampleErrMalformed() {
	_, err := httpkey.Key(http.Header{httpkey.Field: {"one", "two"}})
	fmt.Println(errors.Is(err, httpkey.ErrMalformed), err)
	_, err = httpkey.Key(http.Header{})
	fmt.Println(errors.Is(err, httpkey.ErrMalformed), err)
	// Output:
	// true httpkey: the Idempotency-Key is malformed: there is more than one
	// false idempotency: there is no key
}

// The messages of a batch run once each, though one comes twice and the whole batch comes again, and only the one that
// fails is reported.
func Example_batch() {
	charge := func(_ context.Context, m events.SQSMessage) error {
		if m.Body == "broken" {
			return errors.New("no such card")
		}
		fmt.Println("charging", m.Body)
		return nil
	}
	once := idempotency.WrapErr(charge,
		func(m events.SQSMessage) (string, error) {
			key := m.MessageAttributes[httpkey.Field].StringValue
			if key == nil {
				return m.MessageId, nil // the same when SQS delivers it again, another when it is sent again
			}
			return httpkey.Key(http.Header{httpkey.Field: {*key}})
		},
		idempotency.Config{Store: &idempotency.Memory{}, Scope: "charge"})

	h := func(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
		var failed []events.SQSBatchItemFailure
		for _, m := range batch.Records {
			if err := once(ctx, m); err != nil {
				failed = append(failed, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
			}
		}
		return events.SQSEventResponse{BatchItemFailures: failed}, nil
	}

	message := func(id, key, body string) events.SQSMessage {
		return events.SQSMessage{MessageId: id, Body: body, MessageAttributes: map[string]events.SQSMessageAttribute{httpkey.Field: {StringValue: &key}}}
	}
	batch := events.SQSEvent{Records: []events.SQSMessage{
		message("a", "k1", "order 1"),
		message("b", "k2", "broken"),
		message("c", `"k1"`, "order 1"),
		message("d", "k3", "order 3"),
	}}
	for range 2 {
		fmt.Println(h(context.Background(), batch))
	}
	// Output:
	// charging order 1
	// charging order 3
	// {[{b}]} <nil>
	// {[{b}]} <nil>
}
