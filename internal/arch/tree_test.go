package arch_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A tree is the files of the module: without those of modules nested in it, of folders whose names begin with a dot or
// an underscore, and of testdata.
type tree struct {
	law   map[string]room
	files map[string][]byte
	fset  *token.FileSet
	goes  []gofile
}

type gofile struct {
	path   string
	test   bool
	syntax *ast.File
}

func read(fsys fs.FS, law map[string]room) (tree, error) {
	t := tree{law: law, files: make(map[string][]byte), fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return t.enter(fsys, name)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		t.files[name] = src
		if path.Ext(name) != ".go" {
			return nil
		}
		syntax, err := parser.ParseFile(t.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		t.goes = append(t.goes, gofile{name, strings.HasSuffix(name, "_test.go"), syntax})
		return nil
	})
	return t, err
}

func (t tree) enter(fsys fs.FS, folder string) error {
	if folder == "." {
		return nil
	}
	if base := path.Base(folder); base == "testdata" || base != ".ci" && strings.ContainsRune("._", rune(base[0])) {
		return fs.SkipDir
	}
	if _, err := fs.Stat(fsys, path.Join(folder, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// gofiles is the Go files in the order of their names.
func (t tree) gofiles() []gofile { return t.goes }

// public is the Go files by folder, but for those of examples and of internal packages.
func (t tree) public() map[string][]gofile {
	folders := make(map[string][]gofile)
	for _, f := range t.goes {
		folder := path.Dir(f.path)
		if !isExample(folder) && !slices.Contains(strings.Split(folder, "/"), "internal") {
			folders[folder] = append(folders[folder], f)
		}
	}
	return folders
}

// text is the file's content, or what is for people in it: of Go files, the comments.
func (t tree) text(name string) string {
	for _, f := range t.goes {
		if f.path != name {
			continue
		}
		var comments strings.Builder
		for _, group := range f.syntax.Comments {
			for _, c := range group.List {
				comments.WriteString(c.Text + "\n")
			}
		}
		return comments.String()
	}
	return string(bytes.ToValidUTF8(t.files[name], nil))
}

func (f gofile) imports() (imported []string) {
	for _, spec := range f.syntax.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		imported = append(imported, name)
	}
	return imported
}

// uses reports where the file selects name from the package that it imports as imported, under whatever name.
func (f gofile) uses(node ast.Node, imported, name string) (at []token.Pos) {
	local := ""
	for _, spec := range f.syntax.Imports {
		if p, _ := strconv.Unquote(spec.Path.Value); p == imported {
			local = path.Base(imported)
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	if local == "" {
		return nil
	}
	ast.Inspect(node, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == name {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
				at = append(at, sel.Pos())
			}
		}
		return true
	})
	return at
}
