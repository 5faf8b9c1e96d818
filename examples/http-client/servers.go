package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
)

// startUnsteady starts a server that answers 503 to two of three requests for /busy, and none to the first for /asleep.
func startUnsteady() *httptest.Server {
	var busy, asleep atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/busy", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if busy.Add(1)%3 != 0 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "here you are, for %d bytes", len(body))
	})
	mux.HandleFunc("/asleep", func(w http.ResponseWriter, r *http.Request) {
		if asleep.Add(1) == 1 {
			<-r.Context().Done() // until the client gives up
			return
		}
		fmt.Fprint(w, "awake")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "well") })
	return httptest.NewServer(mux)
}

// startDown starts a server and stops it: nobody listens there.
func startDown() *httptest.Server {
	server := httptest.NewServer(nil)
	server.Close()
	return server
}
