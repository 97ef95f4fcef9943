package flow_test

import (
	"net/url"
	"strings"
	"testing"

	"telltale/flow"
)

func TestCredentialName(t *testing.T) {
	for _, name := range []string{
		"password", "Password", "new_password", "oldPassword", "passwd", "pwd", "access_token", "accessToken", "Access-Token",
		"refresh_token", "id_token", "token", "apikey", "api_key", "API-Key", "client_secret", "appSecret", "code", "key", "sid",
		"x-amz-signature", "X-Amz-Security-Token", "SAMLResponse", "user[password]", "login.password", "token[]", "a[b][token]",
		"Authorization", "set-cookie", "X-Api-Key", "X-Vault-Token", " password ", strings.Repeat("x", 1000) + "password",
	} {
		if !flow.CredentialName(name) {
			t.Errorf("%q is taken for no credential", name)
		}
	}
	for _, name := range []string{
		"", "q", "page", "pageToken", "nextPageToken", "keyboard", "monkey", "author", "tokens_used", "password_hint", "state",
		"password[hint]", "client_id", "zip_code", "statusCode", "signature_version", "[", "]", "[]", "pass\x00word", "Accept",
	} {
		if flow.CredentialName(name) {
			t.Errorf("%q is taken for a credential", name)
		}
	}
}

func TestSensitiveHeaders(t *testing.T) {
	for _, name := range []string{"x-api-key", "X-AUTH-TOKEN", "X-Goog-Api-Key", "x-amz-security-token", "Private-Token "} {
		if f := flow.NewField(name, secret); !flow.Sensitive(name) || f.Value() != flow.Redacted || f.Reveal() != secret {
			t.Errorf("%s shows %q", name, f.Value())
		}
	}
	for _, name := range []string{"", "Accept", "X-Client-Data", "X-Request-Id", "Sec-WebSocket-Key", "WWW-Authenticate", "X-Api-Keys"} {
		if flow.Sensitive(name) {
			t.Errorf("%s is taken for a credential", name)
		}
	}
}

var masked = []struct{ in, want string }{
	{"", ""},
	{"https://a.example/token=x", "https://a.example/token=x"},
	{"https://a.example/?q=1&page=2", "https://a.example/?q=1&page=2"},
	{"https://a.example/?q=1&access_token=" + secret + "&z=%20#top", "https://a.example/?q=1&access_token=[redacted]&z=%20#top"},
	{"https://a.example/?q=1;token=a=b;c?" + secret + "&d=1", "https://a.example/?q=1;token=[redacted]&d=1"},
	{"https://a.example/?token=&token", "https://a.example/?token=&token"},
	{"https://a.example/?to%6Ben=" + secret, "https://a.example/?to%6Ben=[redacted]"},
	{"https://a.example/?user%5Bpassword%5D=" + secret, "https://a.example/?user%5Bpassword%5D=[redacted]"},
	{"https://a.example/#access_token=" + secret + "&state=1", "https://a.example/#access_token=[redacted]&state=1"},
	{"https://a.example/?next=https://b.example/?token=" + secret, "https://a.example/?next=https://b.example/?token=[redacted]"},
	{"https://u:" + secret + "@a.example/?sid=" + secret, "https://[redacted]@a.example/?sid=[redacted]"},
	{"?token=%zz", "?token=[redacted]"},
	{"dns:a.example", "dns:a.example"},
	{"tcp://a.example:1", "tcp://a.example:1"},
}

func TestMaskURL(t *testing.T) {
	for _, test := range masked {
		if got := flow.MaskURL(test.in); got != test.want {
			t.Errorf("MaskURL(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

// No parameter that is called like a credential keeps its value, and what was
// masked once stays as it is.
func FuzzMaskURL(f *testing.F) {
	for _, test := range masked {
		f.Add(test.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := flow.MaskURL(s)
		if again := flow.MaskURL(got); again != got {
			t.Errorf("not idempotent: %q → %q → %q", s, got, again)
		}
		if !strings.Contains(got, flow.Redacted) && got != s {
			t.Errorf("%q became %q without a redaction", s, got)
		}
		u, err := url.Parse(got)
		if err != nil {
			return
		}
		for name, values := range u.Query() {
			for _, value := range values {
				if value != "" && value != flow.Redacted && flow.CredentialName(name) {
					t.Errorf("%q: %s shows %q in %q", s, name, value, got)
				}
			}
		}
	})
}
