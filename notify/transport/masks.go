package transport

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"telltale/flow/plain"
	"telltale/policy"
)

// masks hides a target's secrets in text that came from its receiver, which knows them and
// may send them back: whole, in part, or written another way.
type masks struct {
	whole  []string            // lower case, longest first
	pieces map[string]struct{} // each run of pieceLength bytes of a secret, in lower case
}

// pieceLength is how much of a secret betrays it: a token's public prefix, such as ghp_, is
// shorter.
const pieceLength = 8

// hidden stands for what is not shown.
const hidden = "[redacted]"

// longest is how many columns of text for people an outcome has at most.
const longest = 400

// addresses finds URLs, which may hold secrets that are not ours.
var addresses = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*:(?://|\\/\\/)\S+`)

// ordinary are words in addresses of webhooks that are the same for everybody.
var ordinary = []string{"services", "webhooks", "workflows", "triggers", "incomingwebhook", "webhookb2", "powerautomate", "automations", "manual", "paths", "invoke", "api-version"}

// secrets returns what must not be shown of a target.
func (t Target) secrets() masks {
	var m masks
	for _, secret := range []string{t.token, t.key, t.password} {
		m.add(secret)
	}
	if t.password != "" {
		m.add(base64.StdEncoding.EncodeToString([]byte("\x00" + t.user + "\x00" + t.password)))
	}
	if t.kind != policy.GitHub && t.kind != policy.GitLab && t.address != nil {
		m.addAddress(t.address)
	}
	slices.SortFunc(m.whole, func(a, b string) int { return len(b) - len(a) })
	return m
}

// addAddress takes the parts of a URL that may be secret: what is not its host.
func (m *masks) addAddress(u *url.URL) {
	if password, ok := u.User.Password(); ok {
		m.add(password)
		m.add(base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password)))
	}
	for _, path := range []string{u.Path, u.EscapedPath()} {
		for part := range strings.SplitSeq(path, "/") {
			if len(part) >= pieceLength && !slices.Contains(ordinary, strings.ToLower(part)) {
				m.add(part)
			}
		}
	}
	for _, values := range u.Query() {
		for _, value := range values {
			if len(value) >= pieceLength {
				m.add(value)
			}
		}
	}
}

func (m *masks) add(secret string) {
	for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
		form = lowerASCII(form)
		if form == "" || slices.Contains(m.whole, form) {
			continue
		}
		m.whole = append(m.whole, form)
		if m.pieces == nil {
			m.pieces = map[string]struct{}{}
		}
		for i := 0; i+pieceLength <= len(form); i++ {
			m.pieces[form[i:i+pieceLength]] = struct{}{}
		}
	}
}

// clean returns text on one line, without what would not show as itself, without addresses
// and without the target's secrets, cut to what a person reads.
func (m masks) clean(s string) string {
	s = plain.Name(s, 4*longest) // before the search: invisible characters could part a secret
	s = addresses.ReplaceAllString(s, "[address]")
	return plain.Name(m.hide(s), longest)
}

// hide replaces each run that has a piece of a secret in it.
func (m masks) hide(s string) string {
	if len(m.whole) == 0 {
		return s
	}
	lower := lowerASCII(s)
	secret := make([]bool, len(s))
	mark := func(from, to int) {
		for i := from; i < to; i++ {
			secret[i] = true
		}
	}
	for i := 0; i+pieceLength <= len(lower); i++ {
		if _, ok := m.pieces[lower[i:i+pieceLength]]; ok {
			mark(i, i+pieceLength)
		}
	}
	for _, whole := range m.whole {
		for from := 0; ; {
			at := strings.Index(lower[from:], whole)
			if at < 0 {
				break
			}
			mark(from+at, from+at+len(whole))
			from += at + 1
		}
	}
	var b strings.Builder
	for i := range len(s) {
		switch {
		case !secret[i]:
			b.WriteByte(s[i])
		case i == 0 || !secret[i-1]:
			b.WriteString(hidden)
		}
	}
	return b.String()
}

// lowerASCII returns s in lower case, with every byte where it was.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
