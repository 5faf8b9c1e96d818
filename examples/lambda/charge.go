package main

import (
	"context"
	"errors"

	"github.com/seawall-go/seawall/retry"
)

var errDeclined = errors.New("card declined")

// charge stands for a call to the payment service.
func charge(_ context.Context, o Order) error {
	if o.ID == "declined" {
		return retry.Permanent(errDeclined) // asking again would not help
	}
	return nil
}
