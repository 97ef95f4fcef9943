package policy

import (
	"reflect"

	"github.com/invopop/jsonschema"
)

// tellingSchema gives the scalar types of notify, on and record their form, nil to others.
func tellingSchema(t reflect.Type) *jsonschema.Schema {
	if form, ok := scalarForms[t]; ok {
		s := str()
		s.Pattern = form
		return s
	}
	switch t {
	case reflect.TypeFor[eventName]():
		return enum(EventKinds)
	case reflect.TypeFor[severityName]():
		return enum(severityNames)
	case reflect.TypeFor[bodiesName]():
		return enum(bodiesNames)
	case reflect.TypeFor[credentialEntry]():
		return credentialSchema()
	}
	return nil
}

// scalarForms are patterns of scalar types, which a variable fits as well.
var scalarForms = map[reflect.Type]string{
	reflect.TypeFor[argument]():      "",
	reflect.TypeFor[githubProject](): `^([^/]+/[^/]+|.*\$\{.+\}.*)$`,
	reflect.TypeFor[gitlabProject](): `^([^/]+(/[^/]+)+|.*\$\{.+\}.*)$`,
	reflect.TypeFor[duration]():      `^([0-9.]+(ns|us|µs|ms|s|m|h))+$|\$\{.+\}`,
	reflect.TypeFor[size]():          `^[0-9]+ *(B|kB|KB|MB|GB|KiB|MiB|GiB)$|\$\{.+\}`,
	reflect.TypeFor[variableName]():  `^[A-Za-z_][A-Za-z0-9_]*$|\$\{.+\}`,
}

// credentialSchema is the form of a secret: text, or a mapping that says where it is.
func credentialSchema() *jsonschema.Schema {
	t := reflect.TypeFor[credentialPlace]()
	at := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
	for i := range t.NumField() {
		field := t.Field(i)
		key := field.Tag.Get("yaml")
		if key == "" {
			continue
		}
		one := scalarSchema(field.Type)
		one.Description = field.Tag.Get("about")
		at.Properties.Set(key, one)
		at.OneOf = append(at.OneOf, &jsonschema.Schema{Required: []string{key}})
	}
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{scalarSchema(reflect.TypeFor[text]()), at}}
}
