package lambdatest

import (
	"bytes"
	"strings"
	"testing"
)

func TestOutputKeepsLinesWhole(t *testing.T) {
	var log bytes.Buffer
	o := output{to: &log}
	for _, step := range []struct{ write, want string }{
		{"one\ntw", "one\n"},
		{"o", "one\n"},
		{"\nthree\nfo", "one\ntwo\nthree\n"},
		{"ur", "one\ntwo\nthree\n"},
	} {
		if n, err := o.Write([]byte(step.write)); n != len(step.write) || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
		if log.String() != step.want {
			t.Errorf("after %q: %q, want %q", step.write, log.String(), step.want)
		}
	}
	o.flush()
	if want := "one\ntwo\nthree\nfour"; log.String() != want || o.String() != want {
		t.Errorf("at last: %q, kept %q", log.String(), o.String())
	}
	log.Reset()
	o.Write([]byte(strings.Repeat("x", lineLength+1)))
	if log.Len() != lineLength+1 || len(o.String()) != lastLength {
		t.Errorf("of an endless line: %d, kept %d", log.Len(), len(o.String()))
	}
}
