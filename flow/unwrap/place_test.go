package unwrap_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/unwrap"
)

// seen lists what Values visits: place, layers and text.
func seen(f *flow.Flow) (lines []string) {
	unwrap.Values(f, func(v *unwrap.Value) bool {
		lines = append(lines, fmt.Sprintf("%s | %s | %v | %s", v.Where(), v.Name, v.Layers, v.Text))
		return true
	})
	return lines
}

func TestPlaces(t *testing.T) {
	f := &flow.Flow{Kind: flow.HTTP, Request: &flow.Request{
		URL: "https://u:p@h.example/a/b%40c?email=jane%40x.org&d=%7B%22m%22%3A%22q%22%7D#frag",
		Header: []flow.Field{
			flow.NewField("Cookie", "sid=1; b=a%40b"), flow.NewField("Authorization", "Basic amFuZTpw"),
			flow.NewField("X-Link", "https://x.example/p?q=a%2540b"),
		},
		Body: flow.Body{Content: []byte(`{"user":{"mail":"jane@x.org","n":[1,{"id":"x\u0040y"}]},"s":"{\"a\":\"b\"}","b":"` +
			base64.StdEncoding.EncodeToString([]byte(`{"email":"jane@example.org"}`)) + `"}`)},
	}}
	got := seen(f)
	for _, want := range []string{
		"URL user |  | [] | u:p",
		"URL path |  | [percent-encoding] | b@c",
		"query email | email | [] | jane%40x.org",
		"query email | email | [percent-encoding] | jane@x.org",
		"query d $.m | m | [percent-encoding] | q",
		"URL fragment |  | [] | frag",
		"cookie sid | sid | [] | 1",
		"cookie b | b | [percent-encoding] | a@b",
		"header Authorization | Authorization | [base64] | jane:p",
		"header X-Link query q | q | [percent-encoding percent-encoding] | a@b",
		"body.json $ (name) |  | [] | user",
		"body.json $.user.mail | mail | [] | jane@x.org",
		"body.json $.user.n[0] | n | [] | 1",
		"body.json $.user.n[1].id | id | [JSON escapes] | x@y",
		"body.json $.s $.a | a | [JSON in a string] | b",
		"body.json $.b $.email | email | [base64] | jane@example.org",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("nothing shows %s", want)
		}
	}
	if t.Failed() {
		t.Log(strings.Join(got, "\n"))
	}
}
