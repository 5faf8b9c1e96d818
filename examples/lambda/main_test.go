package main

import (
	"os"
	"testing"

	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func TestMain(m *testing.M) {
	lambdatest.Serve("orders", main)
	os.Exit(m.Run())
}

func TestFunction(t *testing.T) {
	f := lambdatest.New("orders", lambdatest.Config{})
	defer f.Close()
	for event, want := range map[string]string{
		`{"ID":"7"}`: `{"OrderID":"7"}`,
		`{}`:         `{"errorMessage":"order without an ID","errorType":"errorString"}`,
	} {
		result, err := f.Invoke(t.Context(), []byte(event))
		if err != nil {
			t.Fatal(err)
		}
		if string(result.Payload) != want {
			t.Errorf("%s: got %s, want %s", event, result.Payload, want)
		}
	}
}
