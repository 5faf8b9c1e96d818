package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrMaintenance is what errors.Is finds in the refusal of a Maintenance.
var ErrMaintenance = errors.New("under maintenance")

// Maintenance is a policy that makes no calls from one moment until another. All it takes to be a policy is Do.
type Maintenance struct{ From, Until time.Time }

// Do makes the call, or refuses it with a *MaintenanceError.
func (m Maintenance) Do(ctx context.Context, call func(context.Context) error) error {
	if now := time.Now(); !now.Before(m.From) && now.Before(m.Until) {
		return &MaintenanceError{m.Until}
	}
	return call(ctx) // with ctx or a child of it, and with the call's own error
}

// A MaintenanceError says that the call was not made, and when it will be. Its methods are all that the other policies
// need to know of it.
type MaintenanceError struct{ Until time.Time }

func (e *MaintenanceError) Error() string {
	return fmt.Sprintf("under maintenance until %s", e.Until.UTC().Format(time.TimeOnly))
}

// Is makes errors.Is(err, ErrMaintenance) true.
func (e *MaintenanceError) Is(target error) bool { return target == ErrMaintenance }

// Refused tells a retry and a breaker that the call was not made.
func (e *MaintenanceError) Refused() bool { return true }

// RetryAfter tells a retry, or the client of a server, when to come back.
func (e *MaintenanceError) RetryAfter() time.Duration { return time.Until(e.Until) }

// HTTPStatus is what nethttp answers.
func (e *MaintenanceError) HTTPStatus() int { return 503 }
