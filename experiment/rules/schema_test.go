package rules

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// right is a value of each kind, as JSON.
var right = map[*Kind]string{
	kindScope: `["request"]`, kindModifier: `{"noop.Modifier": {}}`, kindModifiers: `[{"noop.Modifier": {}}]`,
	kindOrdered: `[{"priority": 1, "modifier": {"noop.Modifier": {}}}]`, kindTruth: `true`, kindRemark: `""`, kindValue: `"v"`,
	kindGiven: `"v"`, kindHeader: `"A"`, kindSettable: `"A"`, kindHeaders: `["A"]`, kindMethod: `"GET"`, kindStatus: `503`, kindPort: `443`,
	kindInteger: `-1`, kindRegexp: `"a"`, kindBase64: `"aGk="`, kindMedia: `"a/b"`, kindTime: `"2026-04-01T00:00:00Z"`, kindScheme: `"http"`,
	kindHost: `"a.example"`, kindPattern: `"*.example"`, kindPath: `"/"`, kindQuery: `"a=1"`,
}

// fileOf writes a file with one modifier, all of its fields set; change may alter a field's
// name or value, or leave it out by returning "".
func fileOf(m *Modifier, change func(f Field, name, value string) (string, string)) string {
	var fields []string
	for _, f := range m.Fields {
		value := right[f.Kind]
		if f.Kind == kindScope && !m.Requests {
			value = `["response"]`
		}
		if name, value := change(f, f.Name, value); name != "" {
			b, _ := json.Marshal(name)
			fields = append(fields, string(b)+": "+value)
		}
	}
	return fmt.Sprintf(`{%q: {%s}}`, m.Name, strings.Join(fields, ", "))
}

// Each field of each modifier is taken when it is right, and refused by its name when it is
// not: left out though it is required, misspelt, in another case, of each other form.
func TestTableIsHeld(t *testing.T) {
	values := map[form]string{object: `{"a": 1}`, list: `[{}]`, text: `"\u0000"`, number: `0.5`, truth: `false`, null: `null`}
	refused := func(what, file, names string) {
		t.Helper()
		if _, err := Parse("r.json", []byte(file)); err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("%s: %s: %v", what, file, err)
		}
	}
	for i := range Modifiers {
		m := &Modifiers[i]
		if m.Help == "" || !m.Requests && !m.Answers {
			t.Errorf("%s does nothing, or does not say what", m.Name)
		}
		whole := fileOf(m, func(_ Field, name, value string) (string, string) { return name, value })
		if _, err := Parse("r.json", []byte(whole)); err != nil {
			t.Errorf("%s: %v", whole, err)
		}
		for _, f := range m.Fields {
			only := func(name, value string) string {
				return fileOf(m, func(g Field, n, v string) (string, string) {
					if g.Name == f.Name {
						return name, value
					}
					return n, v
				})
			}
			value := right[f.Kind]
			if f.Kind == kindScope && !m.Requests {
				value = `["response"]`
			}
			if f.Required {
				refused("left out", only("", ""), m.Name+" has no "+f.Name)
			} else if _, err := Parse("r.json", []byte(only("", ""))); err != nil {
				t.Errorf("%s without %s: %v", m.Name, f.Name, err)
			}
			refused("misspelt", only(f.Name[:len(f.Name)-1], value), "is no field of "+m.Name)
			refused("another case", only(strings.ToUpper(f.Name), value), "did you mean \""+f.Name+"\"?")
			refused("twice", strings.Replace(whole, `": {`, `": {`+fmt.Sprintf("%q: %s, ", f.Name, value), 1), "once more")
			for other, wrong := range values {
				if other == f.Kind.form && (f.Kind == kindTruth || f.Kind == kindRemark || f.Kind == kindRegexp) {
					continue
				}
				refused("another form", only(f.Name, wrong), "r.json:1:")
			}
		}
	}
}
