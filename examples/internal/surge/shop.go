package surge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/events"
)

// A Shop takes orders. Nothing in it knows of Seawall.
type Shop struct{ Client *http.Client }

// An Order is what a customer sends. One by invoice needs no payment service.
type Order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
	Pay   string `json:"pay"` // "card" or "invoice"
}

// Checkout is the handler of the function. The payment service is where the variable PAYMENTS says.
func (s Shop) Checkout(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	var o Order
	if err := json.Unmarshal([]byte(r.Body), &o); err != nil {
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusBadRequest}, nil
	}
	if o.Pay == "card" {
		if err := s.charge(ctx, o); err != nil {
			return events.APIGatewayV2HTTPResponse{}, err
		}
	}
	return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusCreated}, nil
}

func (s Shop) charge(ctx context.Context, o Order) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("PAYMENTS"), bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Idempotency-Key", o.ID) // however often it is sent, it is one charge
	response, err := s.Client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("payment service: %s", response.Status)
	}
	return nil
}
