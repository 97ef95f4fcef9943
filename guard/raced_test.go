package guard

import (
	"fmt"
	"go/ast"
	"io/fs"
	"strings"
	"testing"
)

// unnamedLess complains about what does less under the race detector and is no test
// itself: `make full` finds the tests to run without the detector by their names.
func unnamedLess(t testing.TB, tree fs.FS) []string {
	var complaints []string
	for _, name := range files(t, tree, isTest) {
		if !strings.Contains(read(t, tree, name), `"telltale/guard/raced"`) {
			continue
		}
		_, file := parse(t, tree, name)
		for _, decl := range file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if ok && function.Recv == nil && strings.HasPrefix(function.Name.Name, "Test") {
				continue
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "raced" {
						complaints = append(complaints, fmt.Sprintf("%s: raced.%s outside of a test: have the test ask, and pass what it is told", name, s.Sel.Name))
					}
				}
				return true
			})
		}
	}
	return complaints
}

func TestTestsThatDoLessAreNamed(t *testing.T) { hold(t, unnamedLess) }

func TestRaceRuleCatches(t *testing.T) {
	const head = "package flow\nimport \"telltale/guard/raced\"\n"
	catches(t, unnamedLess, map[string]string{
		"flow/a_test.go": head + "func TestA(t *testing.T) { for range raced.Size(9, 1) {} }\n",
		"flow/b_test.go": head + "func check() { _ = raced.Size(9, 1) }\n",
		"flow/c_test.go": head + "var few = raced.Detector\nfunc (x) TestC() { raced.SkipMeasure(nil) }\n",
	}, "flow/b_test.go: raced.Size outside of a test: have the test ask, and pass what it is told",
		"flow/c_test.go: raced.Detector outside of a test: have the test ask, and pass what it is told",
		"flow/c_test.go: raced.SkipMeasure outside of a test: have the test ask, and pass what it is told")
}
