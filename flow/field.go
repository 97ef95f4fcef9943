package flow

import (
	"fmt"
	"strings"
)

// Redacted stands wherever a secret was.
const Redacted = "[redacted]"

// Field is one header or trailer line, spelled as it came. Values of fields that
// carry credentials mask themselves when printed, logged or encoded; [Field.Reveal]
// is the one way to the truth, so that a reviewer can search for it.
type Field struct {
	Name  string
	value string
}

// NewField returns a field.
func NewField(name, value string) Field { return Field{name, value} }

// sensitive lists the header fields whose value is a credential: those of HTTP
// (RFC 9110, 11.6.2 and 11.7.2; RFC 6265), then those that servers and gateways made
// up. X-Client-Data and request IDs are none: they identify, and open nothing.
var sensitive = []string{
	"Authorization", "Cookie", "Set-Cookie", "Proxy-Authorization",
	"Api-Key", "ApiKey", "Auth-Token", "X-Access-Token", "X-Api-Key", "X-Auth-Key", "X-Auth-Token", "X-Authorization",
	"X-Csrf-Token", "X-CsrfToken", "X-Xsrf-Token", "X-Id-Token", "X-Refresh-Token", "X-Session-Token", "X-User-Token",
	"X-Amz-Security-Token",      // docs.aws.amazon.com, Signature Version 4
	"X-Goog-Api-Key",            // cloud.google.com/docs/authentication/api-keys
	"X-Firebase-AppCheck",       // firebase.google.com/docs/app-check
	"Ocp-Apim-Subscription-Key", // learn.microsoft.com, API Management
	"X-Functions-Key",           // learn.microsoft.com, Azure Functions
	"Private-Token",             // docs.gitlab.com/api/rest/authentication
	"X-Vault-Token",             // developer.hashicorp.com/vault/api-docs
	"X-Shopify-Access-Token",    // shopify.dev/docs/api
}

// Sensitive reports whether a header field of this name carries a credential.
func Sensitive(name string) bool {
	name = strings.TrimSuffix(strings.TrimSpace(name), "-bin") // as gRPC calls what it writes in base64
	for _, s := range sensitive {
		if len(s) == len(name) && strings.EqualFold(s, name) { // most differ in length
			return true
		}
	}
	return false
}

// Value returns the value, or [Redacted] when the field is a credential.
func (f Field) Value() string {
	if Sensitive(f.Name) {
		return Redacted
	}
	return f.value
}

// Reveal returns the value as it was on the wire.
func (f Field) Reveal() string { return f.value }

// String formats the field as a header line with its secret masked.
func (f Field) String() string { return f.Name + ": " + f.Value() }

// GoString keeps %#v from showing the secret.
func (f Field) GoString() string { return fmt.Sprintf("flow.Field{%q}", f.String()) }

// Format keeps every other verb from showing the secret: %d and %x would print
// the struct.
func (f Field) Format(s fmt.State, verb rune) {
	if verb == 'v' && s.Flag('#') {
		fmt.Fprint(s, f.GoString())
		return
	}
	fmt.Fprintf(s, fmt.FormatString(s, verb), f.String())
}

// MarshalText encodes the masked line, so that no encoder can leak a secret.
func (f Field) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Get returns the first value of the named field, masked like [Field.Value].
func Get(fields []Field, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value()
		}
	}
	return ""
}
