package surge_test

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"go.uber.org/goleak"

	"github.com/seawall-go/seawall/examples/internal/surge"
	"github.com/seawall-go/seawall/middleware/awslambda/lambdatest"
)

func TestMain(m *testing.M) {
	lambdatest.Serve("checkout", func() { lambda.Start(surge.Shop{Client: http.DefaultClient}.Checkout) })
	goleak.VerifyTestMain(m)
}

func TestGateway(t *testing.T) {
	s := surge.Scenario{
		Phases:       []surge.Phase{{Lasts: time.Hour, Takes: time.Hour}},
		Environments: 1,
		Timeout:      time.Second,
	}
	calls := make(chan bool, 1)
	p := surge.OpenPayments(s, time.Now(), func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls <- true
			h.ServeHTTP(w, r)
		})
	})
	defer p.Close()
	g := surge.OpenGateway("checkout", s, io.Discard, "PAYMENTS="+p.URL())
	defer g.Close()
	byInvoice := surge.Order{ID: "order-1", Pay: "invoice"}

	if answer, err := g.Send(t.Context(), byInvoice.Request()); err != nil || answer.StatusCode != http.StatusCreated {
		t.Errorf("by invoice: %d, %v", answer.StatusCode, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := g.Send(t.Context(), surge.Order{ID: "order-2", Pay: "card"}.Request())
		if e, _ := errors.AsType[*lambdatest.Error](err); e == nil || e.Type != lambdatest.TimedOut {
			t.Errorf("by card, in a stall: %v", err)
		}
	})
	<-calls
	if _, err := g.Send(t.Context(), byInvoice.Request()); !errors.Is(err, surge.ErrBusy) {
		t.Errorf("with the environment busy: %v", err)
	}
	wg.Wait()
	if _, err := g.Send(t.Context(), byInvoice.Request()); err != nil {
		t.Errorf("with another environment: %v", err)
	}
	if got := g.Environments(); got != (surge.Environments{Started: 2, Killed: 1}) {
		t.Errorf("%+v", got)
	}
}
