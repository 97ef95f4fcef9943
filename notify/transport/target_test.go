package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"telltale/policy"
)

func full() policy.Destination {
	return policy.Destination{
		Name: "privacy", Kind: policy.Mail, URL: policy.NewCredential("smtp://user@mail.example:587"),
		Password: policy.NewCredential(passwordSecret), From: "telltale@example.ca", Recipients: []string{"a@example.ca", "B <b@example.ca>"},
	}
}

func tracked(kind policy.DestinationKind, api string) policy.Destination {
	return policy.Destination{Name: "tracker", Kind: kind, URL: policy.NewCredential(api), Repository: "owner/repository", Token: policy.NewCredential(tokenSecret), Labels: []string{"privacy"}}
}

func TestTargetMasksItself(t *testing.T) {
	t.Parallel()
	for _, target := range []Target{
		hook(t, policy.Slack, "https://hooks.example"), hook(t, policy.Webhook, "https://hooks.example/SECRETpassword"),
		resolved(t, full()), resolved(t, tracked(policy.GitHub, "https://api.example")),
	} {
		noSecret(t, target)
		noSecret(t, &target)
		noSecret(t, []any{target, map[string]Target{"x": target}, struct{ T Target }{target}})
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "target", target, "in", []Target{target})
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "target", target, "in", []Target{target})
		noSecret(t, log.String())
		if document, err := json.Marshal(target); err != nil || !strings.Contains(string(document), target.Name()) {
			t.Errorf("%s, %v", document, err)
		}
		if len(target.Identity()) != 16 {
			t.Errorf("identity %q", target.Identity())
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	same := func(a, b policy.Destination) bool { return resolved(t, a).Identity() == resolved(t, b).Identity() }
	token, api := tracked(policy.GitHub, "https://api.example"), tracked(policy.GitHub, "https://api.example")
	token.Token = policy.NewCredential("another")
	if !same(api, token) {
		t.Error("a new token makes another destination")
	}
	password, order := full(), full()
	password.Password = policy.NewCredential("another")
	order.Recipients = []string{"b@example.ca", "a@example.ca"}
	if !same(full(), password) || !same(full(), order) {
		t.Error("a new password, or another order of recipients, makes another destination")
	}
	for name, change := range map[string]func(*policy.Destination){
		"name":       func(d *policy.Destination) { d.Name = "other" },
		"kind":       func(d *policy.Destination) { d.Kind = policy.GitLab },
		"repository": func(d *policy.Destination) { d.Repository = "owner/other" },
		"address":    func(d *policy.Destination) { d.URL = policy.NewCredential("https://api2.example") },
	} {
		other := tracked(policy.GitHub, "https://api.example")
		if change(&other); same(api, other) {
			t.Errorf("%s: another destination has the same identity", name)
		}
	}
}

func TestDestinationsThatCannotBe(t *testing.T) {
	t.Parallel()
	mail := func(change func(*policy.Destination)) policy.Destination {
		d := full()
		change(&d)
		return d
	}
	url := func(address string) func(*policy.Destination) {
		return func(d *policy.Destination) { d.URL = policy.NewCredential(address) }
	}
	withCA := tracked(policy.GitHub, "https://api.example")
	withCA.CA = filepath.Join(t.TempDir(), "none.pem")
	noPEM := withCA
	noPEM.CA = filepath.Join(t.TempDir(), "no.pem")
	if err := os.WriteFile(noPEM.CA, []byte("SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	for problem, d := range map[string]policy.Destination{
		"it has no address":                     {Name: "x", Kind: policy.Slack},
		"this is not a URL":                     {Name: "x", Kind: policy.Slack, URL: policy.NewCredential("https://[SECRET" + hookSecret)},
		"the URL must start with https://":      {Name: "x", Kind: policy.Slack, URL: policy.NewCredential("file://h/" + hookSecret)},
		"the URL holds a user or a password":    {Name: "x", Kind: policy.Webhook, URL: policy.NewCredential("http://u:SECRET@lab.example/")},
		"its token would go in clear":           tracked(policy.GitHub, "http://api.example"),
		"it names no repository":                {Name: "x", Kind: policy.GitLab, Token: policy.NewCredential(tokenSecret)},
		"it has no token":                       {Name: "x", Kind: policy.GitLab, Repository: "a/b"},
		"its token has characters":              {Name: "x", Kind: policy.GitLab, Repository: "a/b", Token: policy.NewCredential("SECRET\x01\x02")},
		"its address does not begin with smtp":  mail(url("https://mail.example")),
		"its password would go in clear: leave": mail(url("smtp://user@mail.example?tls=none")),
		"its address has a tls that":            mail(url("smtp://user@mail.example?tls=maybe")),
		"its address has smtps:// and tls=none": mail(url("smtps://user@mail.example?tls=none")),
		"it has a password but no user":         mail(url("smtp://mail.example")),
		"from is not an e-mail address":         mail(func(d *policy.Destination) { d.From = "a\r\nBcc: b@c" }),
		"is not an e-mail address":              mail(func(d *policy.Destination) { d.Recipients = []string{"a@b\r\nX"} }),
		"it has no recipient":                   mail(func(d *policy.Destination) { d.Recipients = nil }),
		"read its authorities: open":            withCA,
		"has no certificate in PEM":             noPEM,
	} {
		_, err := Resolve(d, policy.Sources{})
		if err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v", problem, err)
		}
		noSecret(t, err)
	}
}

func TestSecretThatCannotBeHad(t *testing.T) {
	t.Parallel()
	d := full()
	d.Password = policy.Credential{}
	d.URL = policy.NewCredential("smtp://user:" + "SECRETsecret" + "@mail.example")
	target := resolved(t, d)
	if target.password != "SECRETsecret" {
		t.Error("the password in the address is not used")
	}
	_, err := Resolve(policy.Destination{Name: "lab", Kind: policy.Slack}, policy.Sources{})
	if err == nil || !strings.HasPrefix(err.Error(), "destination lab: ") {
		t.Error(err)
	}
	if errors.Unwrap(err) == nil {
		t.Error("the cause is lost")
	}
}

// Nothing of a secret of eight characters or more is left, however it is written.
func TestMasks(t *testing.T) {
	t.Parallel()
	target := resolved(t, policy.Destination{Name: "x", Kind: policy.Webhook, URL: policy.NewCredential("https://h.example/services/Tq7SECRETpath?code=x8KsecretPart24Chars&v=2"), Sign: policy.NewCredential("a b&SECRET")})
	for text, want := range map[string]string{
		"services and webhooks are fine":          "services and webhooks are fine",
		"see https://h.example/services/x for it": "see [address] for it",
		`see HTTPS:\/\/h.example\/services for`:   "see [address] for",
		"TQ7SECRETPATH":                           "[redacted]",
		"code x8Ksecre":                           "code [redacted]",
		"x8Kse":                                   "x8Kse", // less than a piece: a prefix is public
		"key a b&SECRET!":                         "key [redacted]!",
		"key a+b%26SECRET!":                       "key [redacted]!",
		"YSBiJlNFQ1JFVA==":                        "[redacted]",
		"a\tb&SECRET":                             "[redacted]",
	} {
		if got := target.masks.clean(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
