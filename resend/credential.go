package resend

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"telltale/capture"
	"telltale/flow"
)

// moreNames are names of credentials beside those of [flow.CredentialName], without what
// joins their words: those under which copies that are handed over have masks.
var moreNames = set(`accesskey accesskeyid appid bearer challenge clientid deviceauth login loginhint mfacode nonce onetimecode passcode passwds phpsessid pin pincode
		presharedkey pushtoken recoverycode refresh securitycode sessionkey signedrequest state ticket user userid username verificationcode`)

// weakNames are those that also name other things: a value under one counts from eight
// characters on, or with a digit from four.
var weakNames = set(`appid auth challenge clientid code cookie credential credentials key login nonce pin refresh session sid sig signature state ticket user userid username`)

func set(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

// bare returns the letters of the last word of a name.
func bare(name string) string {
	name = strings.TrimSuffix(strings.TrimSpace(flow.Unpercent(flow.Unpercent(name))), "[]")
	if i := strings.LastIndexAny(strings.TrimSuffix(name, "]"), "[.:/?#;"); i >= 0 {
		name = strings.TrimSuffix(name[i+1:], "]")
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == '_' || r == '-' || r == ' ' || r == '$':
			return -1
		}
		return r
	}, name)
}

// isCredential reports whether a field, parameter or member of this name holds a credential.
func isCredential(name, value string) bool {
	b := bare(name)
	if len(b) > 1 && b[0] == 'x' && (strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "X-")) {
		if b = b[1:]; strings.HasSuffix(b, "key") || strings.HasSuffix(b, "auth") {
			return value != ""
		}
	}
	if short := strings.TrimRight(b, "0123456789"); short != "" { // password2
		b = short
	}
	if weakNames[b] {
		return len(value) >= 8 || len(value) >= 4 && strings.ContainsAny(value, "0123456789")
	}
	if moreNames[b] || flow.CredentialName(name) || flow.Sensitive(name) {
		return true
	}
	if b != "" && b != bare(name) && flow.CredentialName(b) {
		return true
	}
	for _, word := range []string{"password", "passwd", "passphrase", "csrf", "xsrf", "jsessionid"} {
		if strings.Contains(b, word) {
			return true
		}
	}
	for _, end := range []string{"token", "apikey", "secret", "password", "passwd", "cookie", "credential", "credentials", "signature", "sessionid", "sessid", "authorization", "authentication", "authkey", "passcode", "pincode", "userpin", "newpin", "oldpin", "privatekey", "secretkey", "accesskey"} {
		if strings.HasSuffix(b, end) {
			return true
		}
	}
	return false
}

// jwt is a token in the form of RFC 7519, wherever it stands.
var jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)?`)

// Bounds of what is learned: shorter values stand in other places by chance.
const (
	minLearned = 8
	minWord    = 12 // of letters alone
	maxLearned = 100000
)

// credentials are the values of credentials in a recording, and what replaces them.
type credentials struct {
	given  map[string]string // by bare name
	used   map[string]bool   // of given
	values map[string]bool
	find   *strings.Replacer // nil where there are none
}

// learn reads which values are credentials somewhere in the recording, in requests and
// answers, so that they are found in other places, too.
func learn(ctx context.Context, cfg Config) (*credentials, error) {
	c := &credentials{given: map[string]string{}, used: map[string]bool{}, values: map[string]bool{}}
	for name, value := range cfg.Secrets {
		c.given[bare(name)] = value
	}
	t := &taking{credentials: c, learning: true}
	err := cfg.Store.Scan(ctx, capture.ScanOptions{Headers: true, Bodies: true}, func(batch []capture.Recorded) error {
		for _, recorded := range batch {
			c.learnFlow(t, recorded.Flow)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	if len(c.values) > 0 {
		var pairs []string
		for value := range c.values {
			pairs = append(pairs, value)
		}
		slices.SortFunc(pairs, func(a, b string) int { // the longest first, since one may begin another
			if len(a) != len(b) {
				return len(b) - len(a)
			}
			return strings.Compare(a, b)
		})
		both := make([]string, 0, 2*len(pairs))
		for _, value := range pairs {
			both = append(both, value, "")
		}
		c.find = strings.NewReplacer(both...)
	}
	return c, nil
}

// unused returns the names, in quotes, of which no request had a credential.
func (c *credentials) unused(secrets map[string]string) (names []string) {
	for name := range secrets {
		if !c.used[bare(name)] {
			names = append(names, strconv.Quote(name))
		}
	}
	slices.Sort(names)
	return names
}

func (c *credentials) learnFlow(t *taking, f *flow.Flow) {
	if f.Request == nil {
		return
	}
	path, query, _ := strings.Cut(f.WithoutFragment().Request.URL, "?")
	t.path(path)
	t.form(query, "query")
	for _, field := range f.Request.Header {
		t.field(field)
	}
	t.content(f.Request.Header, f.Request.Body, f.Request.Body.Content)
	if f.Response == nil {
		return
	}
	for _, field := range f.Response.Header {
		if strings.EqualFold(field.Name, "Set-Cookie") {
			first, _, _ := strings.Cut(field.Reveal(), ";")
			c.learnCookies(first)
			continue
		}
		t.field(field)
	}
	t.content(f.Response.Header, f.Response.Body, f.Response.Body.Content)
}

// remember takes a value in, and what it is without the encoding of a URL. Under a name that
// also names other things it has to look like one, too.
func (c *credentials) remember(name, value string) {
	value = strings.Trim(strings.TrimSpace(value), `"`)
	if b := bare(name); (weakNames[b] || moreNames[b]) && (len(value) < 2*minLearned || !strings.ContainsAny(value, "0123456789")) {
		return
	}
	if len(value) < minWord && strings.Trim(value, "abcdefghijklmnopqrstuvwxyz") == "" {
		return // a word, which other places have by chance
	}
	if len(value) < minLearned || len(c.values) >= maxLearned || isMasked(value) || strings.Trim(value, "0123456789.") == "" && len(value) < 16 {
		return
	}
	c.values[value] = true
	if plain := flow.Unpercent(value); plain != value && len(plain) >= minLearned {
		c.values[plain] = true
	}
}

func (c *credentials) learnCookies(text string) {
	for part := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			value = name
		}
		if len(strings.TrimSpace(value)) >= 2*minLearned { // shorter ones are settings: "en-CA", "accepted"
			c.remember("", value)
		}
	}
}

// bearer is a token behind its scheme, wherever it stands.
var bearer = regexp.MustCompile(`(?i)\bbearer[ ,:=+]+[A-Za-z._~+/-]{0,200}[0-9][A-Za-z0-9._~+/-]{7,}`)

// stand reports whether a credential stands in a text: one by its look, or a known one, as it
// is or encoded once more.
func (c *credentials) stand(text string) bool {
	for range 3 {
		if jwt.MatchString(text) || bearer.MatchString(text) || c.find != nil && c.find.Replace(text) != text || c.hidden(text, 2) {
			return true
		}
		plain := flow.Unpercent(text)
		if plain == text {
			break
		}
		text = plain
	}
	return false
}

// withoutGiven returns a text without what was put in the place of credentials, which is the
// user's to send.
func (c *credentials) withoutGiven(text string) string {
	for _, given := range c.given {
		for _, form := range []string{given, url.QueryEscape(given), strings.Trim(quoted(given), `"`)} {
			text = strings.ReplaceAll(text, form, "")
		}
	}
	return text
}

// taking takes the credentials out of one request.
type taking struct {
	*credentials
	opaque   bool
	learning bool // nothing is sent: values are remembered
	shown    bool // nothing is sent: what replaces a credential is not shown
	depth    int  // of texts within each other
	budget   int  // bytes that may still be looked at in them
	without  []string
	left     []string // names of credentials in texts that were not understood
}

// leave notes that a text goes as it is, with a credential in it by the look of it.
func (t *taking) leave(text string) {
	if t.learning || t.shown {
		return
	}
	if name := t.leftover(text); name != "" && !slices.Contains(t.left, name) {
		t.left = append(t.left, name)
	}
}

// took notes that a credential was taken out, and not replaced.
func (t *taking) took(name string) {
	if !t.learning && !slices.Contains(t.without, name) {
		t.without = append(t.without, name)
	}
}

func (t *taking) names() []string {
	slices.Sort(t.without)
	return t.without
}

// replacement returns what stands for a credential of a name.
func (t *taking) replacement(name, value string) (string, bool) {
	if t.learning {
		t.remember(name, value)
		return "", false
	}
	if given, ok := t.given[bare(name)]; ok {
		if t.shown {
			return flow.Redacted, true
		}
		t.used[bare(name)] = true
		return given, true
	}
	t.took(name)
	return "", false
}

// schemes are those of Authorization that are no secret themselves.
var schemes = []string{"basic", "bearer", "digest", "dpop", "token", "apikey", "negotiate"}

// field returns the value with which a header field is sent; false where it is not.
func (t *taking) field(field flow.Field) (string, bool) {
	name, value := strings.ToLower(strings.TrimSpace(field.Name)), field.Reveal()
	_, asked := t.given[bare(name)]
	switch {
	case name == "cookie":
		if t.learning {
			t.learnCookies(value)
		}
		return t.cookie(field.Name)
	case name == "authorization" || name == "proxy-authorization":
		scheme, rest, ok := strings.Cut(value, " ")
		known := ok && slices.Contains(schemes, strings.ToLower(scheme))
		if !known {
			rest = value
		}
		given, has := t.replacement(field.Name, rest)
		if has && known && !strings.Contains(given, " ") {
			given = scheme + " " + given
		}
		return given, has
	case isCredential(field.Name, value) || asked:
		return t.replacement(field.Name, value)
	}
	clean := t.nested(value)
	if clean == "" && value != "" && !t.learning {
		t.took(field.Name)
		return "", false
	}
	return t.clean(field.Name, clean)
}

func (t *taking) cookie(name string) (string, bool) {
	if t.learning {
		return "", false
	}
	return t.replacement(name, "")
}

// clean takes a field out in which a credential stands that is known from elsewhere.
func (t *taking) clean(name, value string) (string, bool) {
	if t.learning {
		return value, true
	}
	if isMasked(value) || t.stand(t.withoutGiven(value)) || t.leftover(t.withoutGiven(value)) != "" {
		t.took(name)
		return "", false
	}
	return value, true
}
