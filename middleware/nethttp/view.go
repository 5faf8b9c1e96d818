package nethttp

import (
	"io"
	"net/http"
)

// view returns w with exactly those optional interfaces that the server's writer has, for handlers that ask with a type
// assertion. Hijacker counts also if the server's writer only unwraps to it: it would be found behind our back.
func (w *writer) view() http.ResponseWriter {
	const (
		flush = 1 << iota
		hijack
		readFrom
		push
	)
	has := 0
	if _, ok := w.ResponseWriter.(http.Flusher); ok {
		has |= flush
	}
	if canHijack(w.ResponseWriter) {
		has |= hijack
	}
	if _, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		has |= readFrom
	}
	pusher, ok := w.ResponseWriter.(http.Pusher)
	if ok {
		has |= push
	}
	f, h, r := flusher{w}, hijacker{w}, readerFrom{w}
	switch has {
	case flush:
		return struct {
			*writer
			flusher
		}{w, f}
	case hijack:
		return struct {
			*writer
			hijacker
		}{w, h}
	case flush | hijack:
		return struct {
			*writer
			flusher
			hijacker
		}{w, f, h}
	case readFrom:
		return struct {
			*writer
			readerFrom
		}{w, r}
	case flush | readFrom:
		return struct {
			*writer
			flusher
			readerFrom
		}{w, f, r}
	case hijack | readFrom:
		return struct {
			*writer
			hijacker
			readerFrom
		}{w, h, r}
	case flush | hijack | readFrom: // HTTP/1
		return struct {
			*writer
			flusher
			hijacker
			readerFrom
		}{w, f, h, r}
	case push:
		return struct {
			*writer
			http.Pusher
		}{w, pusher}
	case flush | push: // HTTP/2
		return struct {
			*writer
			flusher
			http.Pusher
		}{w, f, pusher}
	case hijack | push:
		return struct {
			*writer
			hijacker
			http.Pusher
		}{w, h, pusher}
	case flush | hijack | push:
		return struct {
			*writer
			flusher
			hijacker
			http.Pusher
		}{w, f, h, pusher}
	case readFrom | push:
		return struct {
			*writer
			readerFrom
			http.Pusher
		}{w, r, pusher}
	case flush | readFrom | push:
		return struct {
			*writer
			flusher
			readerFrom
			http.Pusher
		}{w, f, r, pusher}
	case hijack | readFrom | push:
		return struct {
			*writer
			hijacker
			readerFrom
			http.Pusher
		}{w, h, r, pusher}
	case flush | hijack | readFrom | push:
		return struct {
			*writer
			flusher
			hijacker
			readerFrom
			http.Pusher
		}{w, f, h, r, pusher}
	}
	return w
}

// canHijack reports whether [http.ResponseController] would find a Hijacker in w.
func canHijack(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}
