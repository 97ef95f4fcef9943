package flow

import (
	"net/url"
	"regexp"
	"strings"
)

// credentialNames are names of query parameters, form fields and JSON members
// whose values are usually secrets, as [appendBare] spells them. The first are of
// OAuth 2.0 (RFC 6749, 7521, 7636), OpenID Connect, SAML and AWS signatures.
var credentialNames = map[string]bool{
	"accesstoken": true, "assertion": true, "clientassertion": true, "clientsecret": true, "code": true,
	"codeverifier": true, "idtoken": true, "refreshtoken": true, "samlrequest": true, "samlresponse": true,
	"xamzcredential": true, "xamzsecuritytoken": true, "xamzsignature": true, "xgoogsignature": true,

	"apikey": true, "auth": true, "authenticitytoken": true, "authorization": true, "authtoken": true,
	"bearertoken": true, "cookie": true, "credential": true, "credentials": true, "csrftoken": true, "jwt": true,
	"key": true, "otp": true, "passphrase": true, "passwd": true, "password": true, "privatekey": true, "pwd": true,
	"secret": true, "secretkey": true, "session": true, "sessionid": true, "sessiontoken": true, "setcookie": true,
	"cardnumber": true, "creditcardnumber": true, "cvc": true, "cvv": true, "ssn": true,
	"sid": true, "sig": true, "signature": true, "token": true, "xsrftoken": true,
}

// maxCredentialName is how much of a bare name is looked at, from its end.
const maxCredentialName = 64

// CredentialName reports whether a query parameter, form field or JSON member of
// this name usually holds a secret: password, access_token, apiKey and the like,
// however their words are joined, and the header fields that [Sensitive] knows.
// It is a guess from the name alone: "code" is an authorization code to it. In
// names such as user[password] and login.password, the last one counts.
func CredentialName(name string) bool {
	name = strings.TrimSpace(strings.TrimSuffix(name, "[]"))
	if i := strings.LastIndexAny(strings.TrimSuffix(name, "]"), "[."); i >= 0 {
		name = strings.TrimSuffix(name[i+1:], "]")
	}
	var room [maxCredentialName]byte
	bare := appendBare(room[:0], name)
	return credentialNames[string(bare)] || strings.HasSuffix(string(bare), "password") ||
		strings.HasSuffix(string(bare), "secret") || Sensitive(name)
}

// appendBare appends the letters of a name in lower case without what joins its
// words: access_token, access-token and accessToken are one.
func appendBare(b []byte, name string) []byte {
	name = name[max(0, len(name)-maxCredentialName):]
	for _, c := range []byte(name) {
		switch {
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		case c != '_' && c != '-' && c != ' ':
			b = append(b, c)
		}
	}
	return b
}

// MaskURL redacts the user of a URL as [WithoutUser] does, and the values of
// parameters in its query and fragment that are called like a credential. It works
// on text, and what it does not redact stays byte for byte.
func MaskURL(s string) string {
	s = WithoutUser(s)
	at := strings.IndexAny(s, "?#")
	if at < 0 || strings.IndexByte(s[at:], '=') < 0 {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:at])
	for ends := "&#"; at < len(s); {
		if s[at] == '#' {
			ends = "&" // of a value, which may hold what else separates
		}
		end := parameterEnd(s, at+1, "?#&;")
		name, _, has := strings.Cut(s[at+1:end], "=")
		if has && CredentialName(parameterName(name)) {
			if value := at + len(name) + 2; parameterEnd(s, value, ends) > value {
				b.WriteString(s[at:value] + Redacted)
				at = parameterEnd(s, value, ends)
				continue
			}
		}
		b.WriteString(s[at:end])
		at = end
	}
	return b.String()
}

// parameterEnd returns where the first of the separators stands, from start on.
func parameterEnd(s string, start int, separators string) int {
	if i := strings.IndexAny(s[start:], separators); i >= 0 {
		return start + i
	}
	return len(s)
}

// parameterName decodes the name of a parameter, as far as that is possible.
func parameterName(name string) string {
	if decoded, err := url.QueryUnescape(name); err == nil {
		return decoded
	}
	return name
}

// userInText finds the user and password of a URL that stands in a text.
var userInText = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#"'<>]*@`)

// WithoutUsers redacts the users and passwords of all URLs that a text quotes, as
// [WithoutUser] does for one.
func WithoutUsers(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	return userInText.ReplaceAllString(text, "${1}"+Redacted+"@")
}
