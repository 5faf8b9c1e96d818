package arch_test

import (
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const tracing = "middleware/tracing"

// A program without package tracing has nothing of OpenTelemetry in it, not even by way of what our packages import.
func TestTelemetryIsLeftOut(t *testing.T) {
	house, err := read(os.DirFS("../.."), law)
	if err != nil {
		t.Fatal(err)
	}
	foreign := make(map[string]bool)
	for _, f := range house.gofiles() {
		folder := path.Dir(f.path)
		if f.test || isExample(folder) || folder == tracing || strings.HasPrefix(folder, tracing+"/") {
			continue
		}
		for _, imported := range f.imports() {
			ours, isOurs := strings.CutPrefix(imported, module)
			switch {
			case isOurs && (ours == tracing || strings.HasPrefix(ours, tracing+"/")):
				t.Errorf("%s imports %s", f.path, imported)
			case !isOurs && !isStd(imported):
				foreign[imported] = true
			}
		}
	}
	if len(foreign) < 5 {
		t.Fatalf("found %d foreign imports", len(foreign))
	}
	args := append([]string{"list", "-deps"}, slices.Sorted(maps.Keys(foreign))...)
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatalf("go %v: %v", args, err)
	}
	for p := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(p, "go.opentelemetry.io/") {
			t.Errorf("%s is in programs without tracing", p)
		}
	}
}
