package redact

import (
	"strings"

	"telltale/exposure"
	"telltale/flow"
)

// moreNames are names of members, beside those of [flow.CredentialName], under which public
// programs that clean HAR files take values out: OAuth 2.0 (RFC 6749, 7636), SAML, FIDO, and
// the sign-in pages of Google, Microsoft and others. In lower case, without what joins words.
var moreNames = set(`accesskey accesskeyid appid bearer clientid codechallenge deviceauth email facetid fcparams id_token_hint login loginhint
	mfacode nonce onetimecode passcode pin presharedkey pushtoken recoverycode refresh samlart securitycode serverdata sessionkey shdf signedrequest
	state ticket usg userid username user verificationcode clientdata challenge`)

// weakNames are those of credentials that also name other things: a value under one counts
// from eight characters on, or with a digit from four.
var weakNames = set(`code key state session sid sig auth challenge user login nonce refresh ticket pin appid clientid credential credentials signature cookie`)

func set(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

// maxName is how much of a name is looked at, from its end.
const maxName = 64

// bare returns the letters of the last word of a name, without what joins them.
func bare(name string) string {
	name = strings.TrimSuffix(strings.TrimSpace(name), "[]")
	if i := strings.LastIndexAny(strings.TrimSuffix(name, "]"), "[.:/"); i >= 0 {
		name = strings.TrimSuffix(name[i+1:], "]")
	}
	if len(name) > 2 && (name[0] == 'x' || name[0] == 'X') && name[1] == '-' { // of a header field
		name = name[2:]
	}
	name = name[max(0, len(name)-maxName):]
	var room [maxName]byte
	b := room[:0]
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		case c != '_' && c != '-' && c != ' ' && c != '$':
			b = append(b, c)
		}
	}
	return string(b)
}

// kindByName returns what a value is by its name: "" for nothing that is masked.
func kindByName(name, text string) string {
	if name == "" || len(text) < 2 || isWord(text) {
		return ""
	}
	b := bare(name)
	switch {
	case weakNames[b]:
		if len(text) >= 8 || len(text) >= 4 && strings.ContainsAny(text, "0123456789") {
			return Credential
		}
		return ""
	case moreNames[b], flow.CredentialName(name), strings.HasSuffix(b, "token") && len(text) >= 8, strings.HasSuffix(b, "apikey"):
		return Credential
	case deviceNames[b]:
		return Device
	case numberNames[b] && isNumber(text):
		return Identifier
	case placeByName(name, text):
		return exposure.Location
	case len(text) >= 4 && exposure.Promises(name, text):
		return Identifier
	}
	return ""
}

// isWord reports whether a text is one of the words of JSON.
func isWord(text string) bool {
	switch strings.ToLower(text) {
	case "true", "false", "null", "none", "undefined":
		return true
	}
	return false
}

// holdsSecrets reports whether all texts within a member of this name are secrets.
func holdsSecrets(name string) bool {
	b := bare(name)
	for _, w := range []string{"password", "secret", "token", "credential", "cookie"} {
		if strings.Contains(b, w) {
			return true
		}
	}
	return false
}
