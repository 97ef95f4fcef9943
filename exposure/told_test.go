package exposure

import (
	"slices"
	"testing"
)

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		where  string
		layers []string
		want   string
	}{
		{"body.json $.user.mail", []string{"gzip", "base64"}, "in the JSON of the request body, at $.user.mail, inside gzip and base64"},
		{"body.form mail", nil, "in the form of the request body, field mail"},
		{"body.multipart photo", nil, "in the request body, part photo"},
		{"body.protobuf 2.1", []string{"gzip"}, "in the protobuf message of the request body, field 2.1, inside gzip"},
		{"body", []string{"a", "b", "c"}, "in the request body, inside a, b and c"},
		{"bodyguard", nil, "in bodyguard"},
		{"query adid", nil, "in the URL, parameter adid"},
		{"URL path", nil, "in the path of the URL"},
		{"header X-User", nil, "in a header field, named X-User"},
		{"cookie sid", nil, "in a cookie, named sid"},
		{"DNS name", nil, "in a name that DNS was asked for"},
		{"WebSocket message 3 $.mail", nil, "in WebSocket message 3, at $.mail"},
		{"WebSocket message 3", nil, "in WebSocket message 3"},
		{"gRPC message 1 2.1", nil, "in gRPC message 1, at 2.1"},
		{"gRPC message of old", nil, "in gRPC message of old"},
		{"", nil, "in "},
	} {
		if got := Place(c.where, c.layers); got != c.want {
			t.Errorf("Place(%q, %q) = %q, want %q", c.where, c.layers, got, c.want)
		}
	}
}

func TestByReceiver(t *testing.T) {
	trails := []Trail{
		{Kind: "zodiac-sign", Receivers: []string{"a.example", "b.example"}},
		{Kind: "email", Receivers: []string{"b.example"}},
		{Kind: "email", Receivers: []string{"c.example"}},
		{Kind: "email", Receivers: []string{"c.example"}},
	}
	var order []string
	for _, told := range ByReceiver(trails) {
		order = append(order, told.Receiver)
	}
	if want := []string{"b.example", "c.example", "a.example"}; !slices.Equal(order, want) {
		t.Errorf("receivers are %q, want %q", order, want)
	}
	if got := KindsOf(trails); !slices.Equal(got, []string{"email", "zodiac-sign"}) {
		t.Errorf("kinds are %q", got)
	}
	if !trails[0].Links() || trails[1].Links() {
		t.Error("a value links what two receivers know, not what one does")
	}
	if k := KindOf("zodiac-sign"); k.Title != "zodiac sign" {
		t.Errorf("a kind that nobody knows is called %q", k.Title)
	}
}
