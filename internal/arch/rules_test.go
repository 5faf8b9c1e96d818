package arch_test

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Nothing runs at import.
func startsNothing(t tree) (broken []string) {
	for _, f := range t.gofiles() {
		if f.test || isExample(path.Dir(f.path)) {
			continue
		}
		for _, decl := range f.syntax.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil && decl.Name.Name == "init" {
					broken = append(broken, fmt.Sprintf("%s: has an init function: work begins when a user calls", t.fset.Position(decl.Pos())))
				}
			case *ast.GenDecl:
				for _, at := range f.starts(decl) {
					broken = append(broken, fmt.Sprintf("%s: starts something at import: work begins when a user calls", t.fset.Position(at)))
				}
			}
		}
	}
	return broken
}

// starts finds goroutines and timers that a declaration of the package starts, itself or in a function literal that it
// calls.
func (f gofile) starts(decl *ast.GenDecl) (at []token.Pos) {
	var look func(n ast.Node) bool
	look = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if lit, ok := ast.Unparen(n.Fun).(*ast.FuncLit); ok {
				ast.Inspect(lit.Body, look)
			}
		case *ast.FuncLit:
			return false
		case *ast.GoStmt:
			at = append(at, n.Pos())
		case *ast.SelectorExpr:
			for _, name := range []string{"AfterFunc", "NewTicker", "NewTimer", "Tick"} {
				at = append(at, f.uses(n, "time", name)...)
			}
		}
		return true
	}
	ast.Inspect(decl, look)
	return at
}

// A test that sleeps outside a bubble is slow where it passes, and fails where the machine is slower.
func sleepsInBubbles(t tree) (broken []string) {
	for _, f := range t.gofiles() {
		if !f.test || slices.Contains(f.imports(), "testing/synctest") {
			continue
		}
		for _, at := range f.uses(f.syntax, "time", "Sleep") {
			broken = append(broken, fmt.Sprintf("%s: sleeps, in a file without testing/synctest: put the test in a bubble", t.fset.Position(at)))
		}
	}
	return broken
}

// Who opens a package's page sees it at work.
func showsExamples(t tree) (broken []string) {
	public := t.public()
	for _, folder := range slices.Sorted(maps.Keys(public)) {
		var tests []*ast.File
		code := false
		for _, f := range public[folder] {
			if f.test {
				tests = append(tests, f.syntax)
			} else {
				code = true
			}
		}
		runs := func(e *doc.Example) bool { return e.Output != "" || e.EmptyOutput }
		if code && !slices.ContainsFunc(doc.Examples(tests...), runs) {
			broken = append(broken, folder+": has no runnable Example: write one with an Output comment in example_test.go")
		}
	}
	return broken
}

var leftover = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

// What is left to do is an issue, not a comment.
func leavesNothing(t tree) (broken []string) {
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		if word := leftover.FindString(t.text(name)); word != "" {
			broken = append(broken, fmt.Sprintf("%s: says %s: do it, or open an issue", name, word))
		}
	}
	return broken
}

const (
	readmeLines = 150 // at most
	firstFence  = 25  // the first program begins by this line
)

// What the README shows compiles and runs.
func showsWhatRuns(t tree) (broken []string) {
	lines := strings.Split(strings.TrimSuffix(t.text("README.md"), "\n"), "\n")
	if len(lines) >= readmeLines {
		broken = append(broken, fmt.Sprintf("README.md: has %d lines, want fewer than %d", len(lines), readmeLines))
	}
	var shown []string
	for name, src := range t.files {
		if isExample(path.Dir(name)) && path.Ext(name) == ".go" || strings.HasPrefix(path.Base(name), "example") && strings.HasSuffix(name, "_test.go") {
			shown = append(shown, unindented(strings.Split(string(src), "\n")))
		}
	}
	first := 0
	for at := 0; at < len(lines); at++ {
		if strings.TrimSpace(lines[at]) != "```go" {
			continue
		}
		begin := at + 1
		for at = begin; at < len(lines) && strings.TrimSpace(lines[at]) != "```"; at++ {
		}
		if first == 0 {
			first = begin
		}
		code := unindented(lines[begin:min(at, len(lines))])
		if !slices.ContainsFunc(shown, func(src string) bool { return strings.Contains(src, code) }) {
			broken = append(broken, fmt.Sprintf("README.md:%d: the code is in no example_test.go and under no examples/: show what runs", begin))
		}
	}
	if first == 0 || first > firstFence {
		broken = append(broken, fmt.Sprintf("README.md: its first program begins in line %d, want it by line %d", first, firstFence))
	}
	return broken
}

// unindented is lines without the space around them, each between line breaks.
func unindented(lines []string) string {
	var b strings.Builder
	b.WriteByte('\n')
	for _, line := range lines {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}
