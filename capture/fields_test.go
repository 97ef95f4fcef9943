package capture

import (
	"slices"
	"testing"

	"telltale/flow"
)

func TestFieldsComeBack(t *testing.T) {
	tests := []struct {
		name   string
		fields []flow.Field
		want   string
	}{
		{"none", nil, ""},
		{"plain", []flow.Field{flow.NewField("Host", "a"), flow.NewField("host", "b")}, "Host: a\nhost: b\n"},
		{"empty", []flow.Field{flow.NewField("", ""), flow.NewField("X", "")}, ": \nX: \n"},
		{"pseudo header", []flow.Field{flow.NewField(":path", "/: x")}, ":path: /: x\n"},
		{"colon in a name", []flow.Field{flow.NewField("a: b", "c"), flow.NewField("::", ": ")}, "a\\: b: c\n\\:\\:: : \n"},
		{"line ends", []flow.Field{flow.NewField("Set-Cookie", "a=1\nb=2\r\n")}, "Set-Cookie: a=1\\nb=2\\r\\n\n"},
		{"backslashes", []flow.Field{flow.NewField(`C:\`, `\n\\`)}, "C\\:\\\\: \\\\n\\\\\\\\\n"},
		{"not UTF-8", []flow.Field{flow.NewField("X", "caf\xe9\x00")}, "X: caf\xe9\x00\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := string(appendFields(nil, tt.fields))
			if text != tt.want {
				t.Errorf("text %q, want %q", text, tt.want)
			}
			got, err := parseFields(text)
			if err != nil || !slices.Equal(got, tt.fields) {
				t.Errorf("back %q, error %v", got, err)
			}
		})
	}
}

func TestBadFieldsAreRefused(t *testing.T) {
	for _, text := range []string{"x", "x\n", "x:\n", "x:y\n", "x: y", "\n", "x: \\q\n", "x: y\\\n", "x\\", "x\\: y\n", "a: b\nc"} {
		if got, err := parseFields(text); err == nil {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

func FuzzParseFields(f *testing.F) {
	for _, s := range []string{"Host: a\n", ":path: /\n", "a\\: b: c\\n\n", "x: \\\\\n", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fields, err := parseFields(text)
		if err != nil {
			return
		}
		again, err := parseFields(string(appendFields(nil, fields)))
		if err != nil || !slices.Equal(again, fields) {
			t.Errorf("%q: %q, then %q, error %v", text, fields, again, err)
		}
	})
}

func FuzzFields(f *testing.F) {
	f.Add("Host", "a", ":path", "/\r\n\\")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		fields := []flow.Field{flow.NewField(n1, v1), flow.NewField(n2, v2)}
		got, err := parseFields(string(appendFields(nil, fields)))
		if err != nil || !slices.Equal(got, fields) {
			t.Errorf("%q came back as %q, error %v", fields, got, err)
		}
	})
}
