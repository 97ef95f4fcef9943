package policy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"telltale/policy/catalog"
)

func schema(t *testing.T) map[string]any {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

var errSeveral = errors.New("only one may")

// validate checks a value against the part of JSON Schema that ours uses, and fails
// on a keyword that it does not know.
func validate(t *testing.T, s map[string]any, v any, at string) error {
	t.Helper()
	for keyword := range s {
		switch keyword {
		case "$schema", "$id", "title", "description", "type", "properties", "required", "additionalProperties",
			"items", "minItems", "oneOf", "enum", "const", "pattern", "minLength":
		default:
			t.Fatalf("the schema uses %q, which this test does not know", keyword)
		}
	}
	if e, ok := s["enum"].([]any); ok && !slices.ContainsFunc(e, func(x any) bool { return reflect.DeepEqual(x, v) }) {
		return fmt.Errorf("%s: %v is not in %v", at, v, e)
	}
	if c, ok := s["const"]; ok && c != v {
		return fmt.Errorf("%s: %v is not %v", at, v, c)
	}
	if alternatives, ok := s["oneOf"].([]any); ok {
		n := 0
		var last error
		for _, a := range alternatives {
			if last = validate(t, a.(map[string]any), v, at); last == nil {
				n++
			}
		}
		if n != 1 {
			return fmt.Errorf("%s: %d alternatives fit: %w", at, n, cmp.Or(last, errSeveral))
		}
	}
	if required, ok := s["required"].([]any); ok {
		m, _ := v.(map[string]any)
		for _, key := range required {
			if _, ok := m[key.(string)]; !ok {
				return fmt.Errorf("%s: %v is missing", at, key)
			}
		}
	}
	return validateType(t, s, v, at)
}

func validateType(t *testing.T, s map[string]any, v any, at string) error {
	t.Helper()
	ok := true
	switch s["type"] {
	case "object":
		m, isMap := v.(map[string]any)
		if ok = isMap; !ok {
			break
		}
		properties, _ := s["properties"].(map[string]any)
		for key, value := range m {
			property, known := properties[key].(map[string]any)
			if !known {
				return fmt.Errorf("%s: unknown key %s", at, key)
			}
			if err := validate(t, property, value, at+"."+key); err != nil {
				return err
			}
		}
	case "array":
		list, isList := v.([]any)
		if least, _ := s["minItems"].(float64); !isList || len(list) < int(least) {
			return fmt.Errorf("%s: no list, or too short", at)
		}
		for i, item := range list {
			if err := validate(t, s["items"].(map[string]any), item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case "string":
		text, isText := v.(string)
		least, _ := s["minLength"].(float64)
		pattern, _ := s["pattern"].(string)
		ok = isText && len(text) >= int(least) && regexp.MustCompile(pattern).MatchString(text)
	case "boolean":
		_, ok = v.(bool)
	case "integer":
		f, isNumber := v.(float64)
		ok = isNumber && f == float64(int(f))
	}
	if !ok {
		return fmt.Errorf("%s: %v is not %v", at, v, s["type"])
	}
	return nil
}

// asJSON turns YAML into what a JSON Schema validator sees.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaTakesWhatTheParserTakes(t *testing.T) {
	s := schema(t)
	for name, text := range map[string]string{
		"contract":    contractPolicy,
		"judge":       testPolicy,
		"secrets":     secretPolicy,
		"devices":     devicePolicy,
		"identifiers": identifierPolicy,
		"telling":     tellingPolicy,
		"consent":     consentPolicy,
		"template":    string(Draft("x", nil)),
		"tls":         "version: 1\nallow: [a.example]\nrequire: {tls: 1.3}\n",
	} {
		if err := validate(t, s, asJSON(t, text), "$"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemaRefusesWhatTheParserRefuses(t *testing.T) {
	s, files := schema(t), slices.Concat(badPolicies, badDevices, badIdentifiers, badTellings, badConsents)
	for _, name := range []string{
		"a list", "unknown key", "unknown key of an entry", "unknown key of app", "no version", "version 2", "version as text",
		"text for a list", "number for a host", "list for a name", "bool for a name", "entry without host", "lower-case method",
		"no methods", "no paths", "unknown preset", "host and preset", "neither host nor preset", "unknown category",
		"host and category", "unknown rule", "waiver without reason", "waiver without end", "a year", "https as text",
		"unknown TLS version", "certificate", "require as a list", "number as secret", "JSON with a wrong key",
		"no devices", "a device without a name", "a device without an address", "a number for an address", "no addresses",
		"an unknown key of a device", "an empty section", "a device's entry without host", "a device's host and category",
		"identifiers as a list", "an unknown kind of identifiers", "an unknown reach", "a reach as a number",
		"notify without destinations", "no destinations", "an unknown key of notify", "a destination without a name", "a destination of no kind",
		"a destination of two kinds", "an unknown kind of destination", "a secret in two places", "a secret nowhere", "an unknown place of a secret",
		"a bad name of a variable", "a secret as a number", "a secret as a list", "no addresses of a mail", "a repository without an owner",
		"a project without a group", "no labels", "no routes", "a route to nobody", "an unknown event", "a route for tests", "no events",
		"an unknown rule of a route", "an unknown severity", "an escalation without time", "an escalation to nobody", "a duration as a number",
		"a duration without a unit", "no programs", "a program without a command", "an empty command", "a command as text", "a number as an argument",
		"a size as a number", "a size that is none", "a bad variable of a program", "unknown bodies", "no hosts of bodies", "an unknown key of record",
		"no hosts that need consent", "consent without a value", "consent as text", "consent to a host and a category", "consent to nothing",
		"consent to an unknown category", "an unknown key of consent",
	} {
		i := slices.IndexFunc(files, func(b badPolicy) bool { return b.name == name })
		if i < 0 {
			t.Fatalf("no bad policy is named %q", name)
		}
		if err := validate(t, s, asJSON(t, files[i].text), "$"); err == nil {
			t.Errorf("the schema takes %q:\n%s", name, files[i].text)
		}
	}
}

func TestSchemaDescribesEveryKey(t *testing.T) {
	var walk func(s map[string]any, at string)
	walk = func(s map[string]any, at string) {
		for key, p := range asMap(s["properties"]) {
			property := asMap(p)
			if property["description"] == nil {
				t.Errorf("%s.%s has no description", at, key)
			}
			walk(property, at+"."+key)
		}
		if items := asMap(s["items"]); items != nil {
			walk(items, at+"[]")
		}
		if alternatives, ok := s["oneOf"].([]any); ok {
			for _, a := range alternatives {
				walk(asMap(a), at)
			}
		}
	}
	s := schema(t)
	walk(s, "$")
	if s["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("$schema is %v", s["$schema"])
	}
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// TestReference holds docs/policy.md against the code: every key, preset, category
// and rule is in it, every pattern of its table does what it says, and every example
// parses.
func TestReference(t *testing.T) {
	data, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	has := func(word string) {
		t.Helper()
		if !strings.Contains(text, "`"+word+"`") {
			t.Errorf("docs/policy.md does not name `%s`", word)
		}
	}
	var keys func(typ reflect.Type)
	keys = func(typ reflect.Type) {
		if typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		for _, key := range keysOf(typ) {
			has(key)
			if f := typ.Field(fieldOf(typ, key)).Type; scalarSchema(f) == nil {
				if f.Kind() == reflect.Slice && scalarSchema(f.Elem()) != nil {
					continue
				}
				keys(f)
			}
		}
	}
	keys(reflect.TypeFor[document]())
	for _, r := range Rules {
		has(string(r))
	}
	for _, c := range catalog.Categories() {
		has(c.Name)
	}
	for _, p := range catalog.Presets() {
		has(p.Name)
	}
	checkPatternTable(t, text)
	checkExamples(t, text)
}

var patternRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ((?:`[^`]+`(?:, )?)+) \\| ((?:`[^`]+`(?:, )?)+) \\|$")

func checkPatternTable(t *testing.T, text string) {
	t.Helper()
	rows := patternRow.FindAllStringSubmatch(text, -1)
	if len(rows) < 8 {
		t.Errorf("the pattern table has %d rows", len(rows))
	}
	for _, row := range rows {
		p, err := ParsePattern(row[1])
		if err != nil {
			t.Error(err)
			continue
		}
		for column, want := range map[int]bool{2: true, 3: false} {
			for _, cell := range strings.Split(row[column], ", ") {
				host, port := splitExample(strings.Trim(cell, "`"))
				if p.Match(host, port) != want {
					t.Errorf("docs/policy.md: %s and %s: want match %v", row[1], cell, want)
				}
			}
		}
	}
}

// splitExample reads "host" or "host:port"; without a port it is 443.
func splitExample(s string) (host, port string) {
	if i := strings.LastIndexByte(s, ':'); i > 0 && (strings.Count(s, ":") == 1 || s[i-1] == ']') {
		return s[:i], s[i+1:]
	}
	return s, "443"
}

func checkExamples(t *testing.T, text string) {
	t.Helper()
	n := 0
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1) {
		example := block[1]
		if !strings.Contains(example, "version:") {
			example = "version: 1\ndeny: [unused.example]\n" + example
			if strings.Contains(block[1], "\ndeny:") || strings.HasPrefix(block[1], "deny:") {
				example = "version: 1\n" + block[1]
			}
		}
		n++
		if _, err := Parse("docs/policy.md", []byte(example), options()); err != nil {
			t.Errorf("an example does not parse: %v\n%s", err, example)
		}
	}
	if n < 5 {
		t.Errorf("%d examples", n)
	}
}
