// Package arch_test keeps the rules of the house that a test can keep, the import law first among them. It parses the
// source itself: the output of go list is no file of which the test cache could know that it changed.
package arch_test

import (
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// A rule looks through the tree for what breaks it, and says so in a line for each.
var rules = map[string]func(tree) []string{
	"imports keep the law":      keepsTheLaw,
	"nothing runs at import":    startsNothing,
	"tests sleep in bubbles":    sleepsInBubbles,
	"packages show examples":    showsExamples,
	"nothing is left to do":     leavesNothing,
	"the README shows the code": showsWhatRuns,
}

func TestHouse(t *testing.T) {
	house, err := read(os.DirFS("../.."), law)
	if err != nil {
		t.Fatal(err)
	}
	if len(house.gofiles()) < len(law) {
		t.Fatalf("found %d Go files: is this the top of the module?", len(house.gofiles()))
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			for _, broken := range rule(house) {
				t.Error(broken)
			}
		})
	}
}

// A small house that keeps all rules.
func keeping() map[string]string {
	return map[string]string{
		"go.mod":                  "module " + strings.TrimSuffix(module, "/"),
		"README.md":               "# Seawall\n\n```go\nretry.Do()\n```\n",
		"internal/wall/wall.go":   "package wall",
		"retry/retry.go":          "package retry\nimport (\"time\"; \"" + module + "internal/wall\"; \"example.com/backoff\")\nvar f = func() { go g(); time.NewTimer(1) }",
		"retry/example_test.go":   "package retry_test\nfunc Example() {\n\tretry.Do()\n\t// Output:\n\t// done\n}",
		"retry/retry_test.go":     "package retry_test\nimport (\"time\"; \"testing/synctest\"; \"" + module + "kit\")\nfunc f() { time.Sleep(1) }",
		"breaker/breaker.go":      "package breaker",
		"breaker/example_test.go": "package breaker_test\nfunc Example() {\n\t// Output:\n}",
		"kit/kit.go":              "package kit\nimport \"" + module + "retry\"",
		"kit/example_test.go":     "package kit_test\nimport \"go.uber.org/goleak\"\nfunc Example() {\n\t// Output:\n}",
		"examples/own/main.go":    "package main\nimport (\"example.com/anything\"; \"" + module + "kit\")\nfunc init() {}",
		"nested/go.mod":           "module nested",
		"nested/nested.go":        "package nested\nimport \"example.com/anything\"",
		"retry/testdata/bad.go":   "not Go",
		".cache/bad.go":           "not Go",
	}
}

var keepingLaw = map[string]room{
	"internal/wall": {},
	"retry":         {ours: []string{"internal"}, foreign: map[string]string{"example.com/backoff": "delays"}},
	"breaker":       {},
	"kit":           {ours: []string{"retry"}, kit: true},
}

func TestRules(t *testing.T) {
	for _, test := range []struct {
		name  string
		rule  string            // the one it breaks, if any
		files map[string]string // added to the house; taken out if empty
		want  string            // in what the rule says
	}{
		{name: "all kept"},
		{
			"a pattern imports another", "imports keep the law",
			map[string]string{"breaker/b.go": "package breaker\nimport \"" + module + "retry\""},
			"breaker/b.go: must not import " + module + "retry: rooms know",
		},
		{
			"a pattern without internal", "imports keep the law",
			map[string]string{"breaker/b.go": "package breaker\nimport \"" + module + "internal/wall\""},
			"breaker/b.go: must not import",
		},
		{
			"the bottom imports upwards", "imports keep the law",
			map[string]string{"internal/wall/w.go": "package wall\nimport \"" + module + "retry\""},
			"internal/wall/w.go: must not import",
		},
		{
			"code imports a kit", "imports keep the law",
			map[string]string{"retry/r.go": "package retry\nimport \"" + module + "kit\""},
			"a test kit is for tests",
		},
		{
			"a dependency without a line", "imports keep the law",
			map[string]string{"breaker/b.go": "package breaker\nimport _ \"example.com/backoff\""},
			"give it a line with its reason",
		},
		{
			"a test's dependency in code", "imports keep the law",
			map[string]string{"breaker/b.go": "package breaker\nimport \"go.uber.org/goleak\""},
			"breaker/b.go: must not import go.uber.org/goleak",
		},
		{
			"a test's dependency without a line", "imports keep the law",
			map[string]string{"breaker/b_test.go": "package breaker\nimport \"example.com/testify\""},
			"add it to forTests",
		},
		{
			"a test imports an example", "imports keep the law",
			map[string]string{"breaker/b_test.go": "package breaker\nimport \"" + module + "examples/own\""},
			"nobody's dependency",
		},
		{
			"a room without a row", "imports keep the law",
			map[string]string{"cache/cache.go": "package cache", "cache/example_test.go": "package cache_test\nfunc Example() {\n\t// Output:\n}"},
			"cache: is not in the import law: give it a row",
		},
		{
			"a row without a room", "imports keep the law",
			map[string]string{"breaker/breaker.go": "", "breaker/example_test.go": ""},
			"breaker: has a row",
		},
		{
			"a line without an import", "imports keep the law",
			map[string]string{"retry/retry.go": "package retry"},
			"retry: may import example.com/backoff but does not",
		},
		{
			"init", "nothing runs at import",
			map[string]string{"breaker/b.go": "package breaker\nfunc init() {}"},
			"breaker/b.go:2:1: has an init function",
		},
		{
			"a goroutine at import", "nothing runs at import",
			map[string]string{"breaker/b.go": "package breaker\nvar x = (func() int { go f(); return 1 })()"},
			"breaker/b.go:2:23: starts something",
		},
		{
			"a ticker at import", "nothing runs at import",
			map[string]string{"breaker/b.go": "package breaker\nimport clock \"time\"\nvar x = clock.NewTicker(1)"},
			"breaker/b.go:3:9: starts something",
		},
		{
			"a sleeping test", "tests sleep in bubbles",
			map[string]string{"retry/retry_test.go": "package retry\nimport \"time\"\nfunc f() { time.Sleep(1) }"},
			"retry/retry_test.go:3:12: sleeps",
		},
		{
			"no example", "packages show examples",
			map[string]string{"breaker/example_test.go": ""},
			"breaker: has no runnable Example",
		},
		{
			"an example that does not run", "packages show examples",
			map[string]string{"breaker/example_test.go": "package breaker_test\nfunc Example() {}"},
			"breaker: has no runnable Example",
		},
		{
			"a note in a comment", "nothing is left to do",
			map[string]string{"breaker/b.go": "package breaker\n// TO" + "DO: all"},
			"breaker/b.go: says TO",
		},
		{
			"a note in a file", "nothing is left to do",
			map[string]string{"Makefile": "# FIX" + "ME"},
			"Makefile: says FIX",
		},
		{
			"a hidden note", "nothing is left to do",
			map[string]string{".ci/run": "# XX" + "X"},
			".ci/run: says XX",
		},
		{
			"no program", "the README shows the code",
			map[string]string{"README.md": "# Seawall"},
			"README.md: its first program begins in line 0",
		},
		{
			"a late program", "the README shows the code",
			map[string]string{"README.md": strings.Repeat("\n", 25) + "```go\nretry.Do()\n```\n"},
			"README.md: its first program begins in line 26, want it by line 25",
		},
		{
			"a long text", "the README shows the code",
			map[string]string{"README.md": "```go\nretry.Do()\n```\n" + strings.Repeat("\n", 147)},
			"README.md: has 150 lines, want fewer than 150",
		},
		{
			"code that nobody compiled", "the README shows the code",
			map[string]string{"README.md": "```go\nretry.Do()\n```\n\n```go\nretry.Done()\n```\n"},
			"README.md:5: the code is in no example",
		},
		{
			"half a line of code", "the README shows the code",
			map[string]string{"README.md": "```go\nretry.Do\n```\n"},
			"README.md:1: the code is in no example",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := keeping()
			maps.Copy(files, test.files)
			fsys := make(fstest.MapFS)
			for name, text := range files {
				if text != "" {
					fsys[name] = &fstest.MapFile{Data: []byte(text)}
				}
			}
			house, err := read(fsys, keepingLaw)
			if err != nil {
				t.Fatal(err)
			}
			for name, rule := range rules {
				broken := strings.Join(rule(house), "\n")
				if name != test.rule && broken != "" {
					t.Errorf("%s:\n%s", name, broken)
				}
				if name == test.rule && (!strings.Contains(broken, test.want) || strings.Contains(broken, "\n")) {
					t.Errorf("%s:\n%s\nwant one line: %s", name, broken, test.want)
				}
			}
		})
	}
}
