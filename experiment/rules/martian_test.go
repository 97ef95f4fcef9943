package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// martianFields reads martian's source: the fields of the JSON of each modifier that it
// registers, with their types in Go.
func martianFields(t *testing.T) map[string]map[string]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/martian/v3").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	dirs, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		packageFields(t, dir, all)
	}
	if len(all) < 25 {
		t.Fatalf("found %d modifiers in martian's source", len(all))
	}
	return all
}

// packageFields reads one of martian's packages.
func packageFields(t *testing.T, dir string, all map[string]map[string]string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	types, parses, names := map[string]*ast.StructType{}, map[string]string{}, map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if s, ok := n.Type.(*ast.StructType); ok {
					types[n.Name.Name] = s
				}
			case *ast.FuncDecl:
				ast.Inspect(n, func(in ast.Node) bool { // msg := &modifierJSON{}
					if lit, ok := in.(*ast.CompositeLit); ok {
						if id, ok := lit.Type.(*ast.Ident); ok && strings.HasSuffix(id.Name, "JSON") && parses[n.Name.Name] == "" {
							parses[n.Name.Name] = id.Name
						}
					}
					return true
				})
			case *ast.CallExpr: // parse.Register("body.Modifier", modifierFromJSON)
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Register" && len(n.Args) == 2 {
					name, _ := strconv.Unquote(n.Args[0].(*ast.BasicLit).Value)
					names[name] = n.Args[1].(*ast.Ident).Name
				}
			}
			return true
		})
	}
	for name, parse := range names {
		all[name] = map[string]string{}
		if types[parses[parse]] == nil {
			continue
		}
		for _, field := range types[parses[parse]].Fields.List {
			tag, _ := strconv.Unquote(field.Tag.Value)
			all[name][reflect.StructTag(tag).Get("json")] = typeName(field.Type)
		}
	}
}

// typeName writes a type of Go.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.ArrayType:
		return "[]" + typeName(e.Elt)
	case *ast.SelectorExpr:
		return typeName(e.X) + "." + e.Sel.Name
	}
	return "?"
}

// The table has exactly the fields of martian's source, each with the form that martian's
// type takes; and each modifier of martian's is either in the table or refused.
func TestSchemaIsMartians(t *testing.T) {
	forms := map[string]form{"string": text, "[]byte": text, "bool": truth, "int": number, "time.Time": text,
		"json.RawMessage": object, "[]json.RawMessage": list, "[]modifierJSON": list, "[]string": list, "[]parse.ModifierType": list}
	source := martianFields(t)
	for _, m := range Modifiers {
		want, known := source[m.Name]
		if !known {
			t.Errorf("martian has no %s", m.Name)
			continue
		}
		for _, f := range m.Fields {
			if kind, there := want[f.Name]; !there {
				t.Errorf("martian's %s has no %s", m.Name, f.Name)
			} else if got, ok := forms[kind]; !ok || got != f.Kind.form {
				t.Errorf("%s.%s is %s for us, %s for martian", m.Name, f.Name, f.Kind.form, kind)
			}
		}
		for name := range want {
			if m.field(name) == nil {
				t.Errorf("%s.%s of martian's is not in the table", m.Name, name)
			}
		}
	}
	for name := range source {
		refused := slices.ContainsFunc(Refused, func(r struct{ Name, Why string }) bool { return r.Name == name })
		if known := lookup(name) != nil; known == refused {
			t.Errorf("%s: in the table %v, refused %v", name, known, refused)
		}
	}
}

// readme is what people read of the table.
const readme = "../../docs/experiments/README.md"

// table writes the modifiers as Markdown.
func table() string {
	var b strings.Builder
	part := func(title string, list []Modifier) {
		b.WriteString("\n| " + title + " | what it does | fields |\n| --- | --- | --- |\n")
		for _, m := range list {
			var fields []string
			for _, f := range m.Fields {
				if f.Kind == kindScope || f.Kind == kindModifier {
					continue
				}
				s := "`" + f.Name + "`"
				if f.Required {
					s = "**" + s + "**"
				}
				fields = append(fields, s+" "+f.Help)
			}
			help := m.Help
			if m.field("else") == nil && m.field("modifier") != nil {
				help += " (no `else`)"
			}
			switch {
			case !m.Requests:
				help += " (answers alone)"
			case !m.Answers:
				help += " (requests alone)"
			}
			b.WriteString("| `" + m.Name + "` | " + help + " | " + strings.Join(fields, "; ") + " |\n")
		}
	}
	part("group", groups)
	part("filter", filters)
	part("modifier", leaves)
	return b.String()
}

func TestTableOfTheDocument(t *testing.T) {
	b, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- modifiers: written by go test ./experiment/rules -update -->\n", "\n<!-- end of modifiers -->"
	before, rest, ok := strings.Cut(string(b), begin)
	old, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the modifiers", readme)
	}
	if *update {
		if err := os.WriteFile(readme, []byte(before+begin+table()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if old != table() {
		t.Errorf("%s has another table of modifiers than the package; go test -update writes it", readme)
	}
	for _, r := range Refused {
		if kind, _, _ := strings.Cut(r.Name, "."); !strings.Contains(after, "`"+r.Name+"`") && !strings.HasSuffix(r.Name, ".Verifier") {
			t.Errorf("%s does not say that %s of %s is refused", readme, r.Name, kind)
		}
	}
}
