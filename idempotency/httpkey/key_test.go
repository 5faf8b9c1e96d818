package httpkey_test

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/idempotency/httpkey"
)

func TestKey(t *testing.T) {
	long := strings.Repeat("k", 255)
	for _, tt := range []struct {
		line string
		want string // empty if malformed
	}{
		{`8e03978e-40d5-43dd-bc93-6894a57f9324`, `8e03978e-40d5-43dd-bc93-6894a57f9324`},
		{`"8e03978e-40d5-43dd-bc93-6894a57f9324"`, `8e03978e-40d5-43dd-bc93-6894a57f9324`},
		{"\t \"k\" ", `k`},
		{`  k  `, `k`},
		{`order 7`, `order 7`},
		{`order;7`, `order;7`},
		{`"order 7, again"`, `order 7, again`},
		{`"a\"b\\c"`, `a"b\c`},
		{`a\b`, `a\b`},
		{`" k "`, ` k `},
		{`"~ !"`, `~ !`},
		{`:aGVsbG8=:`, `:aGVsbG8=:`},
		{long, long},
		{`"` + long + `"`, long},
		{`"` + strings.Repeat(`\\`, 255) + `"`, strings.Repeat(`\`, 255)},

		{``, ``},
		{` `, ``},
		{`""`, ``},
		{`"`, ``},
		{`"k`, ``},
		{`k"`, ``},
		{`a"b`, ``},
		{`"k\"`, ``},
		{`"k\`, ``},
		{`"a\bc"`, ``},
		{`"k"x`, ``},
		{`"k" "l"`, ``},
		{`"k", "l"`, ``},
		{`"k";a=1`, ``},
		{`k, l`, ``},
		{`k,l`, ``},
		{`,`, ``},
		{"k\x00l", ``},
		{"k\tl", ``},
		{"\"k\tl\"", ``},
		{"k\x7f", ``},
		{"\"k\r\nl\"", ``},
		{`kéy`, ``},
		{`"kéy"`, ``},
		{"k\xff", ``},
		{long + "k", ``},
		{`"` + long + `k"`, ``},
	} {
		got, err := httpkey.Key(http.Header{"Idempotency-Key": {tt.line}})
		if tt.want == "" {
			if got != "" || !errors.Is(err, httpkey.ErrMalformed) {
				t.Errorf("Key of %q = %q, %v; want ErrMalformed", tt.line, got, err)
			}
		} else if got != tt.want || err != nil {
			t.Errorf("Key of %q = %q, %v; want %q", tt.line, got, err, tt.want)
		}
	}
}

func TestKeyOfNoLineAndOfSeveral(t *testing.T) {
	if got, err := httpkey.Key(nil); got != "" || err != idempotency.ErrNoKey { //nolint:errorlint // as documented
		t.Errorf("no header: %q, %v", got, err)
	}
	for _, lines := range [][]string{{"k", "k"}, {"k", "l"}, {"k", ""}, {"", ""}} {
		if got, err := httpkey.Key(http.Header{"Idempotency-Key": lines}); got != "" || !errors.Is(err, httpkey.ErrMalformed) {
			t.Errorf("%q: %q, %v", lines, got, err)
		}
	}
}

func TestHeaderOfEvents(t *testing.T) {
	type (
		single = map[string]string
		multi  = map[string][]string
	)
	for _, tt := range []struct {
		name   string
		single single
		multi  multi
		want   string // empty if malformed
	}{
		{"lower case", single{"idempotency-key": "k"}, nil, "k"},
		{"as sent", single{"Idempotency-Key": "k"}, nil, "k"},
		{"capitals", single{"IDEMPOTENCY-KEY": `"k"`}, nil, "k"},
		{"several values, one line", nil, multi{"idempotency-key": {"k"}}, "k"},
		{"in both kinds", single{"Idempotency-Key": "k"}, multi{"Idempotency-Key": {"k"}}, "k"},
		{"only in one of two", single{"Idempotency-Key": "k"}, multi{"Accept": {"*/*"}}, "k"},
		{"two lines", nil, multi{"Idempotency-Key": {"k", "l"}}, ""},
		{"two lines, the last in the other kind", single{"Idempotency-Key": "l"}, multi{"Idempotency-Key": {"k", "l"}}, ""},
		{"two lines in one", single{"idempotency-key": "k,l"}, nil, ""},
		{"two spellings", single{"idempotency-key": "k", "Idempotency-Key": "k"}, nil, ""},
		{"two spellings of several values", nil, multi{"idempotency-key": {"k"}, "Idempotency-Key": {"k"}}, ""},
	} {
		got, err := httpkey.Key(httpkey.Header(tt.single, tt.multi))
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

// Strings of RFC 8941, as a regular expression.
var sfString = regexp.MustCompile(`^"((?:[ !#-\[\]-~]|\\["\\])*)"$`)

func FuzzKey(f *testing.F) {
	for _, seed := range []string{`k`, `"k"`, `"a\"b\\"`, `"k";a`, `k,l`, `"`, "\x00", "é", `"\`, ` k `, strings.Repeat("k", 256)} {
		f.Add(seed)
	}
	unescape := strings.NewReplacer(`\"`, `"`, `\\`, `\`)
	escape := strings.NewReplacer(`"`, `\"`, `\`, `\\`)
	f.Fuzz(func(t *testing.T, line string) {
		key, err := httpkey.Key(http.Header{"Idempotency-Key": {line}})
		trimmed := strings.Trim(line, " \t")
		want := ""
		if m := sfString.FindStringSubmatch(trimmed); m != nil {
			want = unescape.Replace(m[1])
		} else if !strings.ContainsAny(trimmed, `",`) && !strings.ContainsFunc(trimmed, func(r rune) bool { return r < ' ' || '~' < r }) {
			want = trimmed
		}
		if len(want) > 255 {
			want = ""
		}
		if key != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, httpkey.ErrMalformed) {
			t.Fatalf("Key of %q = %q, %v; want %q", line, key, err, want)
		}
		if key == "" {
			return
		}
		again, err := httpkey.Key(http.Header{"Idempotency-Key": {`"` + escape.Replace(key) + `"`}})
		if err != nil || again != key {
			t.Fatalf("%q in quotes = %q, %v", key, again, err)
		}
	})
}
