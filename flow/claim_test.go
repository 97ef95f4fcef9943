package flow_test

import (
	"testing"

	"telltale/flow"
)

func TestHostClaim(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		asked, authority string
		hosts            []string
		want             string
	}{
		{"a.example", "", nil, ""},
		{"a.example", "", []string{"A.example."}, "A.example."},
		{"a.example", "a.example:443", []string{"a.example"}, "a.example"},
		{"a.example", "a.example", []string{""}, "a.example"},
		{"a.example", "", []string{"a.example", "hidden.example"}, "hidden.example"},
		{"a.example", "", []string{"hidden.example", "a.example"}, "hidden.example"},
		{"a.example", "hidden.example", []string{"a.example"}, "hidden.example"},
		{"", "", []string{"a.example"}, "a.example"},
	} {
		var header []flow.Field
		for i, host := range c.hosts {
			header = append(header, flow.NewField([]string{"Host", "hOST"}[i%2], host))
		}
		if got := flow.HostClaim(c.asked, c.authority, header); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestCanonicalHostPort(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"A.Example.:443": "a.example:443", "a.example": "a.example:", "[2001:DB8::1]:443": "[2001:db8::1]:443", "2001:db8::1": "[2001:db8::1]:", "": ":",
	} {
		if got := flow.CanonicalHostPort(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
