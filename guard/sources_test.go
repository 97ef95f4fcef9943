package guard

import (
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"telltale/guard/raced"
)

// The limits. A file is read in one sitting; a function on the way of a flow is
// read in one glance, because every byte of every audit goes through it.
const (
	maxFileLines     = 500
	maxFunctionLines = 60
)

// pathPackages are the packages that every flow passes.
var pathPackages = []string{"flow", "flow/content", "proxy", "har", "policy", "capture", "capture/filter"}

// vague are package names that say nothing about what is inside.
var vague = []string{
	"base", "common", "core", "engine", "helper", "helpers", "internal", "lib",
	"manager", "misc", "pkg", "shared", "types", "util", "utils",
}

// longFiles complains about files over the limit.
func longFiles(t testing.TB, tree fs.FS) []string {
	var complaints []string
	for _, name := range files(t, tree, isGo) {
		if n := strings.Count(read(t, tree, name), "\n"); n > maxFileLines {
			complaints = append(complaints, fmt.Sprintf("%s has %d lines, at most %d: part it by what it knows", name, n, maxFileLines))
		}
	}
	return complaints
}

// longFunctions complains about functions over the limit on a flow's path.
func longFunctions(t testing.TB, tree fs.FS) []string {
	var complaints []string
	for _, name := range files(t, tree, isProduct) {
		if !slices.Contains(pathPackages, folder(name)) {
			continue
		}
		set, file := parse(t, tree, name)
		for _, decl := range file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := lines(set, function); n > maxFunctionLines {
				complaints = append(complaints, fmt.Sprintf("%s: %s has %d lines, at most %d on a flow's path", name, function.Name.Name, n, maxFunctionLines))
			}
		}
	}
	return complaints
}

// lines counts the lines from the signature to the closing brace.
func lines(set *token.FileSet, node ast.Node) int {
	return set.Position(node.End()).Line - set.Position(node.Pos()).Line + 1
}

// sentence matches the end of one: a mark followed by space or the end.
var sentence = regexp.MustCompile(`[.!?:](\s|$)`)

// thinComments complains about packages without an essay of at least three
// sentences, or with more than one.
func thinComments(t testing.TB, tree fs.FS) []string {
	comments := map[string][]string{}
	for _, name := range files(t, tree, isProduct) {
		if _, seen := comments[folder(name)]; !seen {
			comments[folder(name)] = nil
		}
		if _, file := parse(t, tree, name); file.Doc != nil {
			comments[folder(name)] = append(comments[folder(name)], file.Doc.Text())
		}
	}
	var complaints []string
	for name, texts := range comments {
		switch {
		case len(texts) != 1:
			complaints = append(complaints, fmt.Sprintf("package %s has %d package comments, must have one", name, len(texts)))
		case len(sentence.FindAllString(texts[0], -1)) < 3:
			complaints = append(complaints, fmt.Sprintf("the comment of package %s is too thin: say what it knows, what it promises, what it does not do, how to debug it", name))
		}
	}
	return complaints
}

// vagueNames complains about folders whose name says nothing.
func vagueNames(t testing.TB, tree fs.FS) []string {
	var complaints []string
	seen := map[string]bool{}
	for _, name := range files(t, tree, isGo) {
		from := folder(name)
		if !seen[from] && slices.Contains(vague, path.Base(from)) {
			complaints = append(complaints, fmt.Sprintf("package %s: the name says nothing about what it knows", from))
		}
		seen[from] = true
	}
	return complaints
}

// ban is text that must not occur. Patterns are spelled so that they do not
// match themselves.
type ban struct {
	pattern *regexp.Regexp
	in      func(string) bool
	reason  string
}

// isText accepts what people wrote: source, documents, scripts, settings.
func isText(name string) bool {
	return isGo(name) || isMarkdown(name) || name == "Makefile" || name == ".ci/run" ||
		slices.Contains([]string{".yml", ".yaml", ".txtar", ".sh", ".sql", ".html"}, path.Ext(name))
}

func isTest(name string) bool { return isGo(name) && !isProduct(name) }

var bans = []ban{
	{regexp.MustCompile(`goproxy\.Goproxy[C]a`), isGo, "goproxy's built-in authority has a public private key: use a Leafer"},
	{regexp.MustCompile(`goproxy\.(Mitm|Ok|HTTPMitm)Connect\b`), isGo, "goproxy's own interception loses refusals and uses its public authority: hijack CONNECT"},
	{regexp.MustCompile(`time\.Sl[e]ep`), isTest, "wait for a condition, not for a time"},
	{regexp.MustCompile(`\.Skip\(\)|\.SkipNow\(\)`), isTest, "a test that is skipped says why"},
	{regexp.MustCompile(`\b(TO[D]O|FIX[M]E|XX[X])\b`), isText, "do it, or write down why not"},
	{regexp.MustCompile(`(^|[\s"'=:(` + "`" + `])/(wor[k]|roo[t]|hom[e]|User[s])/\w`), isText, "a path of one machine"},
	{regexp.MustCompile(`proxy\.golang\.org|goproxy\.(cn|io)\b|sum\.golang\.org`), isText, "the module proxy is a matter of the machine, not of the repository"},
}

// banned complains about every line that matches a ban.
func banned(t testing.TB, tree fs.FS) []string {
	var complaints []string
	for _, name := range files(t, tree, isText) {
		for i, line := range strings.Split(read(t, tree, name), "\n") {
			for _, b := range bans {
				if b.in(name) && b.pattern.MatchString(line) {
					complaints = append(complaints, fmt.Sprintf("%s:%d: %q: %s", name, i+1, strings.TrimSpace(b.pattern.FindString(line)), b.reason))
				}
			}
		}
	}
	return complaints
}

func TestFilesAreShort(t *testing.T)              { hold(t, longFiles) }
func TestFunctionsOnThePathAreShort(t *testing.T) { hold(t, longFunctions) }
func TestPackagesExplainThemselves(t *testing.T)  { hold(t, thinComments) }
func TestPackageNamesSayWhat(t *testing.T)        { hold(t, vagueNames) }

func TestBannedWords(t *testing.T) {
	raced.SkipMeasure(t)
	hold(t, banned)
}

func TestSourceRulesCatch(t *testing.T) {
	long := func(n int) string { return "package flow\nfunc f() {" + strings.Repeat("\n", n-1) + "}\n" }
	catches(t, longFiles, map[string]string{
		"flow/a.go":          "package flow\n" + strings.Repeat("\n", maxFileLines-1),
		"flow/b_test.go":     "package flow\n" + strings.Repeat("\n", maxFileLines),
		"flow/testdata/c.go": strings.Repeat("\n", 9999),
	}, "flow/b_test.go has 501 lines, at most 500: part it by what it knows")

	catches(t, longFunctions, map[string]string{
		"flow/a.go":      long(maxFunctionLines),
		"flow/b.go":      long(maxFunctionLines + 1),
		"flow/b_test.go": long(99),
		"cmd/c.go":       long(99),
	}, "flow/b.go: f has 61 lines, at most 60 on a flow's path")

	catches(t, thinComments, map[string]string{
		"a/a.go":      "// Package a knows a. It promises b. It does not do c.\npackage a",
		"a/b.go":      "package a",
		"b/a.go":      "// Package b is something, v1.2 of it.\npackage b",
		"c/a.go":      "package c",
		"c/a_test.go": "// Package c. Has. A comment.\npackage c",
		"d/a.go":      "// Package d. Has. One.\npackage d",
		"d/b.go":      "// Package d. Has. Two.\npackage d",
	},
		"the comment of package b is too thin: say what it knows, what it promises, what it does not do, how to debug it",
		"package c has 0 package comments, must have one",
		"package d has 2 package comments, must have one",
	)

	catches(t, vagueNames, map[string]string{
		"flow/a.go":      "package flow",
		"flow/util/a.go": "package util",
		"flow/util/b.go": "package util",
	}, "package flow/util: the name says nothing about what it knows")
}

func TestBansCatch(t *testing.T) {
	const nap, todo = "time." + "Sleep(1)", "TO" + "DO"
	catches(t, banned, map[string]string{
		"proxy/a.go":      "x := goproxy.Goproxy" + "Ca\ny := goproxy.Ok" + "Connect\nz := goproxy.ConnectAccept\n" + nap,
		"proxy/a_test.go": nap + "\nt.Sk" + "ip()\nt.Skip(\"no IPv6 here\")",
		"docs/a.md":       todo + " later\nsee /hom" + "e/me/x and https://example.com/hom" + "e/me",
		"Makefile":        "GOPROXY=https://proxy.golang" + ".org\n",
		"har/x.har":       "/hom" + "e/me is what the browser wrote",
	},
		`proxy/a.go:1: "goproxy.Goproxy`+`Ca": goproxy's built-in authority has a public private key: use a Leafer`,
		`proxy/a.go:2: "goproxy.Ok`+`Connect": goproxy's own interception loses refusals and uses its public authority: hijack CONNECT`,
		`proxy/a_test.go:1: "time.`+`Sleep": wait for a condition, not for a time`,
		`proxy/a_test.go:2: ".Sk`+`ip()": a test that is skipped says why`,
		`docs/a.md:1: "`+todo+`": do it, or write down why not`,
		`docs/a.md:2: "/hom`+`e/m": a path of one machine`,
		`Makefile:1: "proxy.golang`+`.org": the module proxy is a matter of the machine, not of the repository`,
	)
}
