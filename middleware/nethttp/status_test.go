package nethttp

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is midnight, the first of January 2000
		const day, date = "Sat, 01 Jan 2000 ", "Sat, 01 Jan 2000 00:00:00 GMT"
		for _, tt := range []struct {
			value string
			date  string // of the response
			want  time.Duration
		}{
			{"", "", 0},
			{"0", "", 0},
			{"1", "", time.Second},
			{"120", "", 2 * time.Minute},
			{"007", "", 7 * time.Second},
			{"3600", "", time.Hour},
			{"3601", "", time.Hour},
			{"86400", "", time.Hour},
			{"9223372036854775807", "", time.Hour},
			{"99999999999999999999999", "", time.Hour},
			{"-5", "", 0},
			{"+5", "", 0},
			{"1.5", "", 0},
			{"soon", "", 0},
			{"5 seconds", "", 0},
			{day + "00:00:09 GMT", "", 9 * time.Second},
			{"Saturday, 01-Jan-00 00:00:09 GMT", "", 9 * time.Second},
			{"Sat Jan  1 00:00:09 2000", "", 9 * time.Second},
			{day + "23:59:59 GMT", "", time.Hour},
			{"Fri, 31 Dec 1999 23:59:59 GMT", "", 0},
			{day + "06:00:30 GMT", day + "06:00:00 GMT", 30 * time.Second}, // the server's clock is six hours ahead
			{day + "00:00:30 GMT", day + "06:00:00 GMT", 0},
			{day + "00:00:30 GMT", "yesterday", 30 * time.Second},
			{"Sat, 01 Jan 0000 00:00:00 GMT", date, 0},
			{"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", time.Hour},
		} {
			h := http.Header{}
			if tt.value != "" {
				h.Set("Retry-After", tt.value)
			}
			if tt.date != "" {
				h.Set("Date", tt.date)
			}
			if got := retryAfter(h); got != tt.want {
				t.Errorf("Retry-After: %s, Date: %s: %v, want %v", tt.value, tt.date, got, tt.want)
			}
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("-1", "Sat, 01 Jan 2000 00:00:00 GMT")
	f.Add("99999999999999999999", "")
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		h := http.Header{"Retry-After": {value}, "Date": {date}}
		if got := retryAfter(h); got < 0 || got > longestRetryAfter {
			t.Errorf("Retry-After: %q, Date: %q: %v", value, date, got)
		}
	})
}

func TestStatusErrorText(t *testing.T) {
	for code, want := range map[int]string{503: "status 503 Service Unavailable", 599: "status 599"} {
		if got := (&StatusError{Code: code}).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
