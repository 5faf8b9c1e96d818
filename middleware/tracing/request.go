package tracing

import (
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// A request is what the conventions want to know of one, whoever brought it.
type request struct {
	method   string
	route    string // the pattern it matched, if any
	scheme   string
	path     string // as it is sent, escaped
	host     string // with its port, if it has one
	peer     string // the client's address
	agent    string
	protocol string // such as HTTP/1.1
	headers  headers

	redirects int64 // that led to it
}

// incoming is a request that a server got.
func incoming(r *http.Request) *request {
	in := &request{
		method: r.Method, scheme: "http", host: r.Host, agent: r.UserAgent(), protocol: r.Proto,
		headers: headers{multiple: r.Header},
	}
	if r.URL != nil {
		in.path = r.URL.EscapedPath()
	}
	in.route = in.matched(r.Pattern, 0)
	if r.TLS != nil {
		in.scheme = "https"
	}
	if in.peer, _, _ = net.SplitHostPort(r.RemoteAddr); in.peer == "" {
		in.peer = r.RemoteAddr
	}
	return in
}

// outgoing is a request that a client sends.
func outgoing(r *http.Request) *request {
	out := &request{method: r.Method, scheme: "http", agent: r.UserAgent()}
	for before := r.Response; before != nil && before.Request != nil; before = before.Request.Response {
		out.redirects++
	}
	if r.URL != nil {
		out.scheme, out.host, out.path = r.URL.Scheme, r.URL.Host, r.URL.EscapedPath()
	}
	return out
}

// matched is the route in a pattern of [http.ServeMux], which is what is a path in it. Of a CONNECT, and where it only adds
// a slash to the path and redirects, what the mux calls the pattern may be what the sender wrote.
func (r *request) matched(pattern string, status int) string {
	i := strings.IndexByte(pattern, '/')
	if i < 0 || r.method == http.MethodConnect || status/100 == 3 && pattern[i:] == r.slashed() {
		return ""
	}
	return text(pattern[i:])
}

// slashed is the path, not escaped and clean, with another slash.
func (r *request) slashed() string {
	at, _ := url.PathUnescape(r.path)
	if strings.HasSuffix(at, "/") {
		return path.Clean(at) + "//"
	}
	return path.Clean(at) + "/"
}

// knownMethod is the request's method, or _OTHER for one that no standard has: a sender can make up as many as he likes.
func (r *request) knownMethod() string {
	switch r.method {
	case "":
		return http.MethodGet
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace, "QUERY":
		return r.method
	}
	return other
}

// name is the name of the request's span.
func (r *request) name() string {
	method := r.knownMethod()
	if method == other {
		method = "HTTP"
	}
	if r.route == "" {
		return method
	}
	return method + " " + text(r.route)
}

// server is the host and the port, which is zero if the request does not say.
func (r *request) server() (host string, port int) {
	host, digits, err := net.SplitHostPort(r.host)
	if err != nil {
		return strings.Trim(r.host, "[]"), 0
	}
	port, _ = strconv.Atoi(digits)
	return host, port
}

// target is [request.server] with the port that the scheme stands for.
func (r *request) target() (host string, port int) {
	host, port = r.server()
	if port == 0 {
		port = map[string]int{"http": 80, "https": 443}[r.scheme]
	}
	return host, port
}

// methods is the attributes that say what is asked for.
func (r *request) methods() []attribute.KeyValue {
	known := r.knownMethod()
	kvs := []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(known)}
	if known == other {
		kvs = append(kvs, semconv.HTTPRequestMethodOriginal(text(r.method)))
	}
	return kvs
}

// received is the attributes of the span of a request that came in.
func (r *request) received() []attribute.KeyValue {
	kvs := r.methods()
	host, port := r.server()
	_, version, _ := strings.Cut(r.protocol, "/")
	if version != "1.0" {
		version = strings.TrimSuffix(version, ".0") // HTTP/2 has no minor versions
	}
	for _, s := range []struct {
		key   attribute.Key
		value string
	}{
		{semconv.URLSchemeKey, r.scheme},
		{semconv.URLPathKey, r.path},
		{semconv.HTTPRouteKey, r.route},
		{semconv.ServerAddressKey, host},
		{semconv.ClientAddressKey, r.peer},
		{semconv.UserAgentOriginalKey, r.agent},
		{semconv.NetworkProtocolVersionKey, version},
	} {
		if s.value != "" {
			kvs = append(kvs, s.key.String(text(s.value)))
		}
	}
	if port != 0 {
		kvs = append(kvs, semconv.ServerPort(port))
	}
	return kvs
}

// sent is the attributes of the span of a request that goes out. What is secret in a URL, its user and its query, is
// left out.
func (r *request) sent(resends int64) []attribute.KeyValue {
	host, port := r.target()
	full := (&url.URL{Scheme: r.scheme, Host: r.host}).String() + r.path
	kvs := append(r.methods(), semconv.URLFull(text(full)), semconv.URLScheme(text(r.scheme)), semconv.ServerAddress(text(host)))
	if port != 0 {
		kvs = append(kvs, semconv.ServerPort(port))
	}
	if resends += r.redirects; resends > 0 {
		kvs = append(kvs, semconv.HTTPRequestResendCount(int(resends)))
	}
	return kvs
}
