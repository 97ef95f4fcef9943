package transport

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"telltale/policy"
)

// A Target is a destination with its secrets looked up. It masks itself when printed,
// logged or encoded.
type Target struct {
	name       string
	kind       policy.DestinationKind
	address    *url.URL // of the webhook, the API, the SMTP server
	user       string   // of the SMTP server
	password   string   // of the SMTP server
	token      string   // of the API
	key        string   // of a webhook's signature
	repository string
	labels     []string
	from       *mail.Address
	recipients []string
	authority  authority
	masks      masks
}

// An authority is a set of certificate authorities that are trusted beside the system's.
type authority struct {
	name string // hash of the file, "" for none
	pool *x509.CertPool
}

// Public addresses of the APIs.
// https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api
// https://docs.gitlab.com/api/rest/
const (
	githubAPI = "https://api.github.com"
	gitlabAPI = "https://gitlab.com/api/v4"
)

// Resolve looks up the secrets of a destination. The errors name what is missing and where
// it was looked for, never what was found.
func Resolve(d policy.Destination, s policy.Sources) (Target, error) {
	t := Target{name: d.Name, kind: d.Kind, repository: d.Repository, labels: slices.Clone(d.Labels)}
	if err := t.resolve(d, s); err != nil {
		return Target{}, fmt.Errorf("destination %s: %w", d.Name, err)
	}
	t.masks = t.secrets()
	return t, nil
}

func (t *Target) resolve(d policy.Destination, s policy.Sources) error {
	var address string
	for _, c := range []struct {
		what string
		from policy.Credential
		to   *string
	}{
		{"address", d.URL, &address}, {"token", d.Token, &t.token},
		{"signing key", d.Sign, &t.key}, {"password", d.Password, &t.password},
	} {
		if c.from.IsZero() {
			continue
		}
		text, err := c.from.Resolve(s)
		if err != nil {
			return fmt.Errorf("look up the %s: %w", c.what, err)
		}
		*c.to = text
	}
	address, t.token = strings.TrimSpace(address), strings.TrimSpace(t.token)
	if err := t.trust(d.CA, s); err != nil {
		return err
	}
	switch d.Kind {
	case policy.Mail:
		return t.resolveMail(d, address)
	case policy.GitHub:
		return t.resolveTracker(address, githubAPI)
	case policy.GitLab:
		return t.resolveTracker(address, gitlabAPI)
	}
	if address != "" { // else locate says so
		if err := d.Kind.CheckURL(address); err != nil {
			return err
		}
	}
	return t.locate(address, "http", "https")
}

// locate reads the address. Its errors do not show it, since it may be a secret.
func (t *Target) locate(address string, schemes ...string) error {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return errors.New("it has no address")
	case err != nil, u.Hostname() == "":
		return errors.New("its address is not a URL")
	case !slices.Contains(schemes, strings.ToLower(u.Scheme)):
		return fmt.Errorf("its address does not begin with %s://", strings.Join(schemes, ":// or "))
	}
	u.Scheme, u.Fragment, u.RawFragment = strings.ToLower(u.Scheme), "", ""
	t.address = u
	return nil
}

func (t *Target) resolveTracker(address, public string) error {
	if address == "" {
		address = public
	}
	if err := t.locate(address, "http", "https"); err != nil {
		return err
	}
	switch {
	case t.repository == "":
		return errors.New("it names no repository")
	case t.token == "":
		return errors.New("it has no token")
	case strings.ContainsFunc(t.token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("its token has characters that no token has")
	case t.address.Scheme == "http" && !loopback(t.address.Hostname()):
		return errors.New("its token would go in clear: use an API of https://")
	}
	t.address.User, t.address.RawQuery = nil, ""
	return nil
}

// trust reads the file of further authorities.
func (t *Target) trust(file string, s policy.Sources) error {
	if file == "" {
		return nil
	}
	read := s.ReadFile
	if read == nil {
		read = os.ReadFile
	}
	pem, err := read(file)
	if err != nil {
		return fmt.Errorf("read its authorities: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // Windows and some containers have none to copy
	}
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("read its authorities: %s has no certificate in PEM", file)
	}
	sum := sha256.Sum256(pem)
	t.authority = authority{name: hex.EncodeToString(sum[:]), pool: pool}
	return nil
}

// Name is what the policy calls the destination.
func (t Target) Name() string { return t.name }

// Kind says how it is spoken to.
func (t Target) Kind() policy.DestinationKind { return t.kind }

// Identity tells this destination from others without saying where it is: the first 16
// hexadecimal digits of the SHA-256 of its kind, name and address. It stays the same when a
// token or a password changes. The address of a chat room's webhook is a secret itself, and
// is part of it.
func (t Target) Identity() string {
	address := ""
	if t.address != nil {
		plain := *t.address
		plain.User = nil
		address = plain.String()
	}
	recipients := slices.Sorted(slices.Values(t.recipients))
	parts := append([]string{string(t.kind), t.name, address, t.repository}, recipients...)
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:16]
}

// String returns kind and name.
func (t Target) String() string { return string(t.kind) + " " + t.name }

// Format keeps every verb from showing the secrets: some would print the struct.
func (t Target) Format(state fmt.State, _ rune) { fmt.Fprint(state, t.String()) }

// MarshalText keeps encoders from showing the secrets.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue keeps logs from showing the secrets.
func (t Target) LogValue() slog.Value { return slog.StringValue(t.String()) }

// loopback reports whether a host is this machine, so that nothing leaves it.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
