package guard

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

// decisions is the folder of decision records.
const decisions = "docs/decisions"

var (
	recordName = regexp.MustCompile(`^` + decisions + `/\d{4}-[a-z0-9-]+\.md$`)
	link       = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)\s]*)?\)`)
	testName   = regexp.MustCompile("`(?:([a-z/]+)[.:])?((?:Test|Fuzz)[A-Z]\\w*)`")
	scheme     = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
	fence      = regexp.MustCompile("(?ms)^```.*?^```")
)

// unindexed complains about decision records that their index lacks.
func unindexed(t testing.TB, tree fs.FS) []string {
	index := read(t, tree, decisions+"/README.md")
	var complaints []string
	for _, name := range files(t, tree, func(name string) bool { return folder(name) == decisions }) {
		base := path.Base(name)
		switch {
		case base == "README.md":
		case !recordName.MatchString(name):
			complaints = append(complaints, fmt.Sprintf("%s: a decision record is named 0000-short-title.md", name))
		case !strings.Contains(index, "("+base+")"):
			complaints = append(complaints, fmt.Sprintf("%s is not listed in %s/README.md", name, decisions))
		}
	}
	return complaints
}

// deadLinks complains about links in documents that lead to no file.
func deadLinks(t testing.TB, tree fs.FS) []string {
	var complaints []string
	for _, name := range files(t, tree, func(name string) bool { return isMarkdown(name) && !strings.Contains(name, "testdata/") }) {
		prose := fence.ReplaceAllString(read(t, tree, name), "")
		for _, match := range link.FindAllStringSubmatch(prose, -1) {
			if scheme.MatchString(match[1]) {
				continue
			}
			target := path.Join(folder(name), match[1])
			if _, err := fs.Stat(tree, target); err != nil {
				complaints = append(complaints, fmt.Sprintf("%s links to %s, which is not there", name, target))
			}
		}
	}
	return complaints
}

// missingTests complains about tests that a document names as proof and that
// the source does not have. `proxy.TestX` is looked for in proxy alone.
func missingTests(t testing.TB, tree fs.FS) []string {
	source := map[string]string{}
	for _, name := range files(t, tree, isTest) {
		source[folder(name)] += read(t, tree, name)
	}
	has := func(in, test string) bool {
		for where, text := range source {
			if (in == "" || in == where) && strings.Contains(text, "func "+test+"(") {
				return true
			}
		}
		return false
	}
	var complaints []string
	for _, name := range files(t, tree, func(name string) bool { return isMarkdown(name) && strings.HasPrefix(name, "docs/") }) {
		for _, match := range testName.FindAllStringSubmatch(read(t, tree, name), -1) {
			if !has(match[1], match[2]) {
				complaints = append(complaints, fmt.Sprintf("%s names %s as proof, and there is no such test", name, strings.Trim(match[0], "`")))
			}
		}
	}
	return complaints
}

// unexplained complains about direct dependencies without a line in the record.
func unexplained(t testing.TB, tree fs.FS) []string {
	record := read(t, tree, decisions+"/0001-dependencies.md")
	var complaints []string
	for _, line := range strings.Split(read(t, tree, "go.mod"), "\n") {
		fields := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(fields) != 2 || !strings.Contains(fields[0], ".") {
			continue // not a requirement, or one with a remark: indirect
		}
		if !strings.Contains(record, "`"+fields[0]+"`") {
			complaints = append(complaints, fmt.Sprintf("go.mod requires %s, which %s/0001-dependencies.md does not explain", fields[0], decisions))
		}
	}
	return complaints
}

// absent complains about documents that every release needs.
func absent(t testing.TB, tree fs.FS) []string {
	var complaints []string
	for name, needs := range map[string]string{
		"LICENSE":              "Apache License",
		"CHANGELOG.md":         "## Unreleased",
		"docs/architecture.md": "## The path of a flow",
		"docs/threat-model.md": "## Assets",
		"docs/performance.md":  "## Results",
	} {
		if content, err := fs.ReadFile(tree, name); err != nil || !strings.Contains(string(content), needs) {
			complaints = append(complaints, fmt.Sprintf("%s is missing, or lacks %q", name, needs))
		}
	}
	return complaints
}

func TestDecisionsAreIndexed(t *testing.T)      { hold(t, unindexed) }
func TestLinksLeadSomewhere(t *testing.T)       { hold(t, deadLinks) }
func TestNamedTestsExist(t *testing.T)          { hold(t, missingTests) }
func TestDependenciesAreExplained(t *testing.T) { hold(t, unexplained) }
func TestDocumentsExist(t *testing.T)           { hold(t, absent) }

func TestDocumentRulesCatch(t *testing.T) {
	catches(t, unindexed, map[string]string{
		"docs/decisions/README.md":      "- [One](0001-one.md)",
		"docs/decisions/0001-one.md":    "",
		"docs/decisions/0002-two.md":    "",
		"docs/decisions/three thing.md": "",
	},
		"docs/decisions/0002-two.md is not listed in docs/decisions/README.md",
		"docs/decisions/three thing.md: a decision record is named 0000-short-title.md",
	)

	catches(t, deadLinks, map[string]string{
		"README.md":       "[a](docs/a.md) [b](docs/b.md#part) [c](#here) [d](https://example.com/x)\n```\n[e](gone.md)\n```\n",
		"docs/a.md":       "[up](../README.md) [gone](../LICENCE)",
		"x/testdata/a.md": "[gone](gone.md)",
	},
		"README.md links to docs/b.md, which is not there",
		"docs/a.md links to LICENCE, which is not there",
	)

	catches(t, missingTests, map[string]string{
		"docs/threat-model.md": "`TestHere` `ca.TestHere` `proxy.TestHere` `TestGone` `FuzzHere`",
		"ca/ca_test.go":        "func TestHere(t *testing.T) {}\nfunc FuzzHere(f *testing.F) {}",
	},
		"docs/threat-model.md names proxy.TestHere as proof, and there is no such test",
		"docs/threat-model.md names TestGone as proof, and there is no such test",
	)

	catches(t, unexplained, map[string]string{
		"docs/decisions/0001-dependencies.md": "| `example.com/a` | reason |",
		"go.mod": "module telltale\n\ngo 1.26.0\n\nrequire example.com/c v1.0.0\n\nrequire (\n\texample.com/a v1.0.0\n" +
			"\texample.com/b v1.2.0\n\texample.com/d v1.0.0 // indirect\n)\n",
	},
		"go.mod requires example.com/b, which docs/decisions/0001-dependencies.md does not explain",
		"go.mod requires example.com/c, which docs/decisions/0001-dependencies.md does not explain",
	)

	catches(t, absent, map[string]string{
		"LICENSE":              "Apache License",
		"CHANGELOG.md":         "## 1.0",
		"docs/architecture.md": "## The path of a flow",
		"docs/threat-model.md": "## Assets",
	},
		`CHANGELOG.md is missing, or lacks "## Unreleased"`,
		`docs/performance.md is missing, or lacks "## Results"`,
	)
}
