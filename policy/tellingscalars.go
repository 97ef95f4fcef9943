package policy

import (
	"fmt"
	"math"
	"net/mail"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"telltale/flow/plain"
)

// decodeScalar takes a duration as Go writes it, longer than nothing.
func (v *duration) decodeScalar(d *decoder, n ast.Node) error {
	const hint = "write a number with its unit: 500ms, 30s, 5m, 1h30m"
	s, err := d.stringOf(n)
	if err != nil {
		if _, text := n.(*ast.StringNode); text { // a variable is at fault
			return err
		}
		return d.errorOn(n, "expected a duration, found "+describe(n), hint)
	}
	v.Value, err = time.ParseDuration(s)
	switch {
	case err != nil:
		return d.errorOn(n, fmt.Sprintf("%q is not a duration", s), hint)
	case v.Value <= 0:
		return d.errorOn(n, fmt.Sprintf("the duration %q is not longer than nothing", s), hint)
	}
	return nil
}

// sizeUnits are the units of sizes, those with a longer name first.
var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}

// decodeScalar takes a number of bytes, with a unit.
func (v *size) decodeScalar(d *decoder, n ast.Node) error {
	const hint = "write a number with its unit: 64KiB, 256MiB"
	s, err := d.stringOf(n)
	if err != nil {
		if _, text := n.(*ast.StringNode); text {
			return err
		}
		return d.errorOn(n, "expected a size, found "+describe(n), hint)
	}
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(s, unit.suffix)
		if !ok {
			continue
		}
		count, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || count <= 0 || count > math.MaxInt64/unit.bytes {
			break
		}
		v.Value = count * unit.bytes
		return nil
	}
	return d.errorOn(n, fmt.Sprintf("%q is not a size", s), hint)
}

func (v *webURL) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if problem, hint := checkWebURL(s); problem != "" {
		return d.errorOn(n, problem, hint)
	}
	if strings.ContainsAny(s, "?#") {
		return d.errorOn(n, "the URL is a base, and cannot have a query or a fragment", "write https://host/path")
	}
	v.Value = strings.TrimRight(s, "/")
	return nil
}

// checkWebURL says what is wrong with the URL of a request that is sent there, without
// quoting it: it may be a secret.
func checkWebURL(s string) (problem, hint string) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "this is not a URL", "write https://host/path"
	case u.Scheme != "http" && u.Scheme != "https":
		return "the URL must start with https:// or http://", "write https://host/path"
	case u.Hostname() == "":
		return "the URL names no host", "write https://host/path"
	case u.User != nil:
		return "the URL holds a user or a password", "a receiver recognises messages by their signature (sign) or by the path of its URL"
	case u.Port() != "" && !isPort(u.Port()):
		return "the URL has a port that is none", "a port is a number from 1 to 65535"
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || !plain.Shows(r) }):
		return "the URL holds characters that do not show", "copy it again"
	}
	return "", ""
}

// checkSMTPURL does so for the server of e-mail.
func checkSMTPURL(s string) (problem, hint string) {
	const form = "write smtp://user@host:587, or smtps:// for TLS from the start"
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "this is not a URL", form
	case u.Scheme != "smtp" && u.Scheme != "smtps":
		return "the server of e-mail must start with smtp:// or smtps://", form
	case u.Hostname() == "":
		return "the URL names no host", form
	case u.Port() != "" && !isPort(u.Port()):
		return "the URL has a port that is none", "a port is a number from 1 to 65535"
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "the URL of a server of e-mail ends behind its port", form
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || !plain.Shows(r) }):
		return "the URL holds characters that do not show", "copy it again"
	}
	return "", ""
}

// CheckURL says what is wrong with a URL under which a destination of this kind is spoken
// to, nil for nothing: what a policy's reader checks of a URL in the file, for one that
// [Credential.Resolve] found elsewhere. The error has a Hint and never quotes the URL.
func (k DestinationKind) CheckURL(text string) error {
	check := checkWebURL
	if k == Mail {
		check = checkSMTPURL
	}
	if problem, hint := check(text); problem != "" {
		return &DestinationError{problem, hint}
	}
	return nil
}

// decodeScalar takes an address of an e-mail (RFC 5322, 3.4), with a name or without.
func (v *mailAddress) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if !isMailAddress(s) {
		return d.errorOn(n, "this is not the address of an e-mail", "write it as privacy@example.ca")
	}
	v.Value = s
	return nil
}

func isMailAddress(s string) bool {
	_, err := mail.ParseAddress(s)
	return err == nil && !strings.ContainsFunc(s, func(r rune) bool { return !plain.Shows(r) })
}

// decodeScalar takes one address, or a list of them.
func (l *mailList) decodeScalar(d *decoder, n ast.Node) error {
	nodes := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		nodes = list.Values
	}
	if len(nodes) == 0 {
		return d.errorOn(n, "mail is an empty list", "give it an address")
	}
	for _, node := range nodes {
		var a mailAddress
		if err := d.decode(node, reflect.ValueOf(&a).Elem()); err != nil {
			return err
		}
		l.Value = append(l.Value, a)
	}
	return nil
}

var (
	// githubPath is OWNER/NAME: what GitHub lets people call their repositories.
	githubPath = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})/[A-Za-z0-9._-]{1,100}$`)
	// gitlabPath is the full path of a project of GitLab: groups, and the project.
	gitlabPath = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*){1,20}$`)
)

func isRepository(kind DestinationKind, s string) bool {
	if kind == GitLab {
		return len(s) <= 255 && gitlabPath.MatchString(s)
	}
	return githubPath.MatchString(s) && !strings.HasSuffix(s, "/.") && !strings.HasSuffix(s, "/..")
}

const (
	githubHint = "write owner/name, without https://github.com/"
	gitlabHint = "write group/project, without the server; api names another server"
)

func (v *githubProject) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if !isRepository(GitHub, s) {
		return d.errorOn(n, "this is not a repository of GitHub", githubHint)
	}
	v.Value = s
	return nil
}

func (v *gitlabProject) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if !isRepository(GitLab, s) {
		return d.errorOn(n, "this is not a project of GitLab", gitlabHint)
	}
	v.Value = s
	return nil
}

// maxLabel is the longest label that GitHub takes, in characters.
const maxLabel = 50

// decodeScalar takes a label. A comma parts them in GitLab's API.
func (v *label) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if strings.Contains(s, ",") || s != plain.Name(s, maxLabel) || s == "" {
		return d.errorOn(n, fmt.Sprintf("a label has at most %d characters that show, and no comma", maxLabel), "give each label an entry of its own")
	}
	v.Value = s
	return nil
}

// decodeScalar takes an argument of a program: any text that a program can get.
func (v *argument) decodeScalar(d *decoder, n ast.Node) (err error) {
	if v.Value, err = d.stringOf(n); err != nil {
		return err
	}
	if strings.ContainsRune(v.Value, 0) {
		return d.errorOn(n, "an argument holds a NUL, which no program can get", "remove it")
	}
	return nil
}

func (v *variableName) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if !isVariable(s) {
		return d.errorOn(n, "this is not the name of an environment variable", "write the name alone: letters, digits and underscores, without $")
	}
	v.Value = s
	return nil
}

func (v *keychainName) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if !isKeychainEntry(s) {
		return d.errorOn(n, "an entry of the keychain is written SERVICE/ACCOUNT", "write it as telltale/mail")
	}
	v.Value = s
	return nil
}

func isKeychainEntry(s string) bool {
	service, account, ok := strings.Cut(s, "/")
	return ok && service != "" && account != "" && s == plain.Name(s, len(s)*2)
}

// choice returns the text of a scalar that is one of a few words.
func (d *decoder) choice(n ast.Node, what string, words []string) (string, error) {
	s, err := d.stringOf(n)
	if err != nil {
		return "", err
	}
	if !slices.Contains(words, s) {
		suffix, hint := didYouMean(s, words)
		return "", d.errorOn(n, fmt.Sprintf("%s cannot be %q%s", what, s, suffix), hint)
	}
	return s, nil
}

func (v *eventName) decodeScalar(d *decoder, n ast.Node) (err error) {
	v.Value, err = d.choice(n, "an event", EventKinds)
	return err
}

func (v *severityName) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.choice(n, "severity", severityNames)
	v.Value = Severity(s)
	return err
}

var severityNames = []string{string(SeverityError), string(SeverityWarning)}

func (v *bodiesName) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.choice(n, "bodies", bodiesNames)
	v.Value = Bodies(s)
	return err
}

var bodiesNames = []string{string(AllBodies), string(ViolationsBodies), string(NoBodies)}

// decodeScalar takes the secret as text, or a mapping that says where it is.
func (c *credentialEntry) decodeScalar(d *decoder, n ast.Node) error {
	if _, mapping := n.(ast.MapNode); !mapping {
		var t text
		if err := t.decodeScalar(d, n); err != nil {
			return err
		}
		c.Text = t.Value
		return nil
	}
	if err := d.decodeStruct(n, reflect.ValueOf(&c.From).Elem()); err != nil {
		return err
	}
	named := 0
	for _, at := range []place{c.From.Env.place, c.From.File.place, c.From.Keychain.place} {
		if at.present() {
			named++
		}
	}
	if named != 1 {
		return d.errorOn(n, "a secret stands in one place: env, file or keychain", "write {env: NAME}, {file: PATH} or {keychain: SERVICE/ACCOUNT}")
	}
	return nil
}
