package policy

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/invopop/jsonschema"
)

// SchemaID names the JSON Schema of the policy file.
const SchemaID = "urn:telltale:policy:1"

// Schema returns the JSON Schema (draft 2020-12) of the policy file, made of the
// structs that the decoder fills, for editors and other checkers. Host patterns,
// variables and dates are only checked in part by it: `telltale policy lint` knows
// all.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		DoNotReference:             true,
		Anonymous:                  true,
		Mapper:                     scalarSchema,
		LookupComment:              aboutField,
	}
	s := r.Reflect(&document{})
	s.ID = SchemaID
	s.Title = "telltale policy, version 1"
	describeStruct(s, reflect.TypeFor[document]())
	return json.MarshalIndent(s, "", "  ")
}

// scalarSchema gives the scalar types of a document their form.
func scalarSchema(t reflect.Type) *jsonschema.Schema {
	least := uint64(1)
	switch t {
	case reflect.TypeFor[text](), reflect.TypeFor[hostPattern](), reflect.TypeFor[pathGlob](), reflect.TypeFor[webURL](),
		reflect.TypeFor[mailAddress](), reflect.TypeFor[label](), reflect.TypeFor[keychainName]():
		s := str()
		s.MinLength = &least
		return s
	case reflect.TypeFor[addressList](), reflect.TypeFor[mailList]():
		one := str()
		one.MinLength = &least
		several := &jsonschema.Schema{Type: "array", Items: one, MinItems: &least}
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{one, several}}
	case reflect.TypeFor[identifierList]():
		return identifierSchema()
	case reflect.TypeFor[method]():
		s := str()
		s.Pattern = "^[^a-z\\s]+$"
		return s
	case reflect.TypeFor[formatVersion]():
		return &jsonschema.Schema{Type: "integer", Const: 1}
	case reflect.TypeFor[boolean]():
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.TypeFor[presetName]():
		return enum(presetNames())
	case reflect.TypeFor[categoryName]():
		return enum(categoryNames())
	case reflect.TypeFor[ruleName]():
		return enum(ruleNames())
	case reflect.TypeFor[certificate]():
		return enum([]string{"valid", "any"})
	case reflect.TypeFor[tlsVersion]():
		s := &jsonschema.Schema{}
		for _, v := range tlsVersions {
			s.Enum = append(s.Enum, v.name, json.Number(v.name))
		}
		return s
	case reflect.TypeFor[date]():
		s := str()
		s.Pattern = `^(\d{4}-\d{2}-\d{2}|\$\{.+\})$`
		return s
	}
	return tellingSchema(t)
}

func str() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// enum is one of a few words.
func enum(names []string) *jsonschema.Schema {
	s := str()
	for _, name := range names {
		s.Enum = append(s.Enum, name)
	}
	return s
}

// aboutField returns the description of a key.
func aboutField(t reflect.Type, field string) string {
	if t.Kind() != reflect.Struct || field == "" {
		return ""
	}
	f, _ := t.FieldByName(field)
	return f.Tag.Get("about")
}

// describeStruct adds what the reflector does not see: which keys must be there, the
// short form of entries, and that an entry names one thing.
func describeStruct(s *jsonschema.Schema, t reflect.Type) {
	for i := 0; i < t.NumField(); i++ {
		field := t.Field(i)
		key := field.Tag.Get("yaml")
		if key == "" {
			continue
		}
		if field.Tag.Get("need") != "" {
			s.Required = append(s.Required, key)
		}
		property, ok := s.Properties.Get(key)
		if !ok {
			continue
		}
		if field.Tag.Get("least") != "" {
			one := uint64(1)
			property.MinItems = &one
		}
		switch element := field.Type; {
		case element.Kind() == reflect.Slice && element.Elem().Kind() == reflect.Struct && property.Items != nil && property.Items.Properties != nil:
			describeStruct(property.Items, element.Elem())
			property.Items = describeEntry(property.Items, element.Elem())
		case element.Kind() == reflect.Slice:
			one := uint64(1)
			property.MinItems = &one
		case property.Properties != nil:
			describeStruct(property, element)
		}
	}
}

// describeEntry allows the short form where there is one.
func describeEntry(s *jsonschema.Schema, t reflect.Type) *jsonschema.Schema {
	for _, keys := range [][]string{{"host", "preset"}, {"host", "category"}, {"value", "file"}, destinationKindNames()} {
		if slices.ContainsFunc(keys, func(key string) bool { _, ok := s.Properties.Get(key); return !ok }) {
			continue
		}
		for _, key := range keys {
			s.OneOf = append(s.OneOf, &jsonschema.Schema{Required: []string{key}})
		}
	}
	if _, ok := reflect.New(t).Interface().(shorthand); !ok {
		return s
	}
	short := scalarSchema(reflect.TypeFor[hostPattern]())
	short.Description = "Host pattern."
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{short, s}}
}
