package main

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/middleware"
	"github.com/seawall-go/seawall/middleware/policytest"
)

// What every policy promises, proved for this one.
func TestMaintenanceIsAPolicy(t *testing.T) {
	policytest.Run(t, func(*testing.T) middleware.Policy {
		return Maintenance{From: time.Now().Add(time.Hour), Until: time.Now().Add(2 * time.Hour)}
	})
}

func TestMaintenance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := policytest.NewScript()
		m := Maintenance{From: time.Now().Add(time.Hour), Until: time.Now().Add(2 * time.Hour)}
		for _, tt := range []struct {
			after   time.Duration
			refused bool
		}{{time.Hour - 1, false}, {1, true}, {time.Hour - 1, true}, {1, false}} {
			time.Sleep(tt.after)
			if err := m.Do(t.Context(), script.Call); errors.Is(err, ErrMaintenance) != tt.refused {
				t.Errorf("at %s: %v", time.Now().Format(time.TimeOnly), err)
			}
		}
		if script.Calls() != 2 {
			t.Errorf("%d calls, want 2", script.Calls())
		}
	})
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		run(&out)
		const want = `attempt 1: under maintenance until 00:00:00
in stock: 42 <nil>
GET / -> 200, Retry-After: "", hello
GET / -> 503, Retry-After: "60", {"type":"about:blank","title":"Service Unavailable","status":503,"detail":"The service cannot take this request at the moment. Try again later."}
`
		if out.String() != want {
			t.Errorf("got\n%s\nwant\n%s", &out, want)
		}
	})
}
