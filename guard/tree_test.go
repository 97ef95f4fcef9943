package guard

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// root is the repository as this package's tests find it.
func root() fs.FS { return os.DirFS("..") }

// rule is one check: it returns a complaint for each offence in the tree.
type rule func(testing.TB, fs.FS) []string

// hold fails the test with every complaint that r has about the repository.
func hold(t *testing.T, r rule) {
	t.Helper()
	for _, complaint := range r(t, root()) {
		t.Error(complaint)
	}
}

// catches fails the test unless r has exactly these complaints about an
// invented tree, given as path → content.
func catches(t *testing.T, r rule, files map[string]string, want ...string) {
	t.Helper()
	tree := fstest.MapFS{}
	for name, content := range files {
		tree[name] = &fstest.MapFile{Data: []byte(content)}
	}
	got := r(t, tree)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("complaints:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// files returns the paths under the root for which keep holds. It passes over
// what git and the build put there.
func files(t testing.TB, tree fs.FS, keep func(string) bool) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "bin", "node_modules"}, name) {
			return fs.SkipDir
		}
		if entry.Type().IsRegular() && keep(name) {
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// isGo accepts Go source that the toolchain builds or tests.
func isGo(name string) bool {
	return strings.HasSuffix(name, ".go") && !slices.Contains(strings.Split(name, "/"), "testdata")
}

// isProduct accepts Go source that is built into the program.
func isProduct(name string) bool { return isGo(name) && !strings.HasSuffix(name, "_test.go") }

// isMarkdown accepts documents.
func isMarkdown(name string) bool { return path.Ext(name) == ".md" }

// read returns the content of a file.
func read(t testing.TB, tree fs.FS, name string) string {
	t.Helper()
	content, err := fs.ReadFile(tree, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// parse returns the syntax of a file with its comments.
func parse(t testing.TB, tree fs.FS, name string) (*token.FileSet, *ast.File) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, read(t, tree, name), parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%s does not parse: %v", name, err)
	}
	return set, file
}

// folder names the package of a file the way the tables do.
func folder(name string) string { return path.Dir(name) }
