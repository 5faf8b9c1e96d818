package httpkey_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"

	"github.com/seawall-go/seawall/idempotency/httpkey"
)

// The JSON of a Response is what records hold, so it must not change.
func TestResponseIsKeptAsThis(t *testing.T) {
	for _, tt := range []struct {
		response httpkey.Response
		json     string
	}{
		{httpkey.Response{Status: 200}, `{"statusCode":200,"body":"","isBase64Encoded":false}`},
		{
			httpkey.Response{Status: 201, Header: http.Header{"Content-Type": {"text/plain"}, "Link": {"</a>"}}, Body: []byte(`hello "é"`)},
			`{"statusCode":201,"headers":{"Content-Type":"text/plain","Link":"\u003c/a\u003e"},"body":"hello \"é\"","isBase64Encoded":false}`,
		},
		{httpkey.Response{Status: 404, Body: []byte{0xff, 0}}, `{"statusCode":404,"body":"/wA=","isBase64Encoded":true}`},
	} {
		data, err := json.Marshal(tt.response)
		if string(data) != tt.json || err != nil {
			t.Errorf("%+v is %s, %v; want %s", tt.response, data, err, tt.json)
		}
		var again httpkey.Response
		if err := json.Unmarshal([]byte(tt.json), &again); err != nil || !reflect.DeepEqual(again, tt.response) {
			t.Errorf("%s is %+v, %v; want %+v", tt.json, again, err, tt.response)
		}
	}
}

func TestResponseOfAnyFunctionIsRead(t *testing.T) {
	for _, tt := range []struct {
		json string
		want httpkey.Response
	}{
		{`{"statusCode":204,"headers":null,"multiValueHeaders":null,"body":"","cookies":null}`, httpkey.Response{Status: 204}},
		{`{"statusCode":200,"body":"","isBase64Encoded":true}`, httpkey.Response{Status: 200}},
		{
			`{"statusCode":200,"headers":{"link":"</c>","vary":"*"},"multiValueHeaders":{"link":["</a>","</b>"]}}`,
			httpkey.Response{Status: 200, Header: http.Header{"Link": {"</a>, </b>"}, "Vary": {"*"}}},
		},
	} {
		var got httpkey.Response
		if err := json.Unmarshal([]byte(tt.json), &got); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s is %+v, %v; want %+v", tt.json, got, err, tt.want)
		}
	}
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte(`{"statusCode":201,"headers":{"a":"b"},"multiValueHeaders":{"c":["d","e"]},"body":"é","isBase64Encoded":false}`))
	f.Add([]byte(`{"statusCode":200,"body":"/wA=","isBase64Encoded":true}`))
	f.Add([]byte(`{"statusCode":99}`))
	f.Add([]byte(`{"statusCode":303,"headers":{"location":"/a"},"rawHeaders":{"Location":"L2NhZuk=","etag":"NyI="},"body":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r, again httpkey.Response
		if json.Unmarshal(data, &r) != nil {
			return
		}
		if r.Status < 200 || r.Status > 999 {
			t.Fatalf("status %d", r.Status)
		}
		kept, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(kept, &again); err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v was kept as %s, which is %+v, %v", r, kept, again, err)
		}
	})
}
