package locate

import (
	"strings"

	"telltale/flow"
)

// keyBegins are how keys of services begin, and tokens of RFC 7519.
var keyBegins = []string{
	"AIza", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "pk_live_", "pk_test_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-",
	"xoxa-", "xoxb-", "xoxo-", "xoxp-", "xoxs-", "ya29.", "EAAB", "EAAG", "shpat_", "SG.", "AKIA", "ASIA", "phc_", "sntrys_", "eyJ",
}

// The shortest that is taken for a secret: what follows the beginning of a key, the value of a
// parameter, and a literal.
const (
	leastOfKey       = 6
	leastOfParameter = 4
	leastOfLiteral   = 8
)

// WithoutKeys hides what looks like a credential in a text of an app: users of URLs, keys of
// services, and values that are named like one, as a parameter (key=…) or as a literal of code,
// JSON or XML (apiKey:"…", "token": '…', key="…"). It is a guess: a key that nothing marks as
// one stays.
func WithoutKeys(s string) string {
	s = flow.WithoutUsers(s)
	for _, begin := range keyBegins {
		s = withoutKey(s, begin)
	}
	return withoutValues(s)
}

// withoutKey hides the keys with one beginning.
func withoutKey(s, begin string) string {
	var b strings.Builder
	done := 0
	for at := 0; ; {
		i := strings.Index(s[at:], begin)
		if i < 0 {
			break
		}
		start := at + i + len(begin)
		end := start
		for end < len(s) && ofToken(s[end]) {
			end++
		}
		if at = end; end-start < leastOfKey || begin == "eyJ" && !strings.Contains(s[start:end], ".eyJ") {
			continue
		}
		b.WriteString(s[done:start] + flow.Redacted)
		done = end
	}
	return b.String() + s[done:]
}

// ofToken reports whether keys have a character.
func ofToken(c byte) bool { return ofName(c) || c == '-' }

// ofName reports whether names of parameters and members have one.
func ofName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.'
}

// withoutValues hides the values whose names say that they are secret.
func withoutValues(s string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '=' && s[i] != ':' {
			continue
		}
		start, end := valueAfter(s, i)
		if start < 0 || strings.HasPrefix(s[start:end], flow.Redacted) || !flow.CredentialName(nameBefore(s, i)) {
			continue
		}
		b.WriteString(s[done:start] + flow.Redacted)
		done, i = end, end-1
	}
	return b.String() + s[done:]
}

// nameBefore returns the name that a value is given to by the sign at i, "" for none.
func nameBefore(s string, i int) string {
	end := len(strings.TrimRight(s[max(0, i-4):i], ` \"'`)) + max(0, i-4)
	start := end
	for start > 0 && end-start < 64 && ofToken(s[start-1]) {
		start--
	}
	return s[start:end]
}

// valueAfter returns where the value stands that the sign at i gives, -1 where it is none that
// could be secret.
func valueAfter(s string, i int) (start, end int) {
	const quotes = "\"'`"
	start = i + 1
	for start < len(s) && start <= i+4 && s[start] == ' ' {
		start++
	}
	if start < len(s) && s[start] == '\\' {
		start++
	}
	ends, least := "\"'` \t\n\r<>\\", leastOfLiteral
	switch {
	case start < len(s) && strings.IndexByte(quotes, s[start]) >= 0:
		start++
	case start == i+1 && s[i] == '=':
		ends, least = ends+"&;,?(){}=", leastOfParameter
	default:
		return -1, -1
	}
	end = len(s)
	if n := strings.IndexAny(s[start:], ends); n >= 0 {
		end = start + n
	}
	if end-start < least || least == leastOfLiteral && !likeAKey(s[start:end]) {
		return -1, -1
	}
	return start, end
}

// likeAKey reports whether a literal may be a key: code names many things "key" and "code",
// whose values are words.
func likeAKey(value string) bool {
	return strings.ContainsAny(value, "0123456789") || len(value) >= 24
}
