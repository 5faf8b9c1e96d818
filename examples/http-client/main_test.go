package main

import (
	"bytes"
	"regexp"
	"testing"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	run(&out)
	got := regexp.MustCompile(`in \d+\w+`).ReplaceAll(out.Bytes(), []byte("in a moment"))
	got = regexp.MustCompile(`http://127.0.0.1:\d+`).ReplaceAll(got, []byte("server"))
	const want = `GET server/busy
   attempt 1: status 503 Service Unavailable; again in a moment
   attempt 2: status 503 Service Unavailable; again in a moment
   200 OK: here you are, for 0 bytes
PUT server/busy
   attempt 1: status 503 Service Unavailable; again in a moment
   attempt 2: status 503 Service Unavailable; again in a moment
   200 OK: here you are, for 10 bytes
POST server/busy
   503 Service Unavailable: busy
GET server/asleep
   attempt 1: no answer in time; again in a moment
   200 OK: awake
GET server
   attempt 1: no connection; again in a moment
   attempt 2: no connection; again in a moment
   attempt 3: no connection; again in a moment
   attempt 4: no connection; the last
   failed: no connection
GET server
   the breaker is open
   attempt 1: no connection; again in a moment
   refused: the host is known to be down
GET server
   refused: the host is known to be down
GET server/
   200 OK: well
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
