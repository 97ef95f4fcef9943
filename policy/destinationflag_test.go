package policy

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseDestination(t *testing.T) {
	for text, want := range map[string]string{
		hook:                                                                       "slack " + hook,
		"https://HOOKS.slack.com:443/services/x":                                   "slack https://HOOKS.slack.com:443/services/x",
		"https://hooks.slack-gov.com/services/x":                                   "slack https://hooks.slack-gov.com/services/x",
		"https://discord.com/api/webhooks/1/x":                                     "discord https://discord.com/api/webhooks/1/x",
		"https://ptb.discord.com/api/webhooks/1":                                   "discord https://ptb.discord.com/api/webhooks/1",
		"https://discordapp.com/api/webhooks/1":                                    "discord https://discordapp.com/api/webhooks/1",
		"https://discord.com/channels/1":                                           "webhook https://discord.com/channels/1",
		"https://example.webhook.office.com/x":                                     "teams https://example.webhook.office.com/x",
		"https://prod-1.westeurope.logic.azure.com:443/workflows/x?sig=y":          "teams https://prod-1.westeurope.logic.azure.com:443/workflows/x?sig=y",
		"https://x.environment.api.powerplatform.com:443/x":                        "teams https://x.environment.api.powerplatform.com:443/x",
		"https://evilhooks.slack.com.example/x":                                    "webhook https://evilhooks.slack.com.example/x",
		"https://notlogic.azure.com/x":                                             "webhook https://notlogic.azure.com/x",
		"http://127.0.0.1:8000/hook":                                               "webhook http://127.0.0.1:8000/hook",
		"mattermost+https://chat.example/hooks/x":                                  "mattermost https://chat.example/hooks/x",
		"slack+http://127.0.0.1:1/x":                                               "slack http://127.0.0.1:1/x",
		"webhook+" + hook:                                                          "webhook " + hook,
		"github:owner/repo":                                                        "github owner/repo environment variable GITHUB_TOKEN",
		"gitlab:group/sub/project":                                                 "gitlab group/sub/project environment variable GITLAB_TOKEN",
		"mailto:a@example.ca?from=b@example.ca&smtp=smtp://host:25":                "mail smtp://host:25 [a@example.ca] b@example.ca ",
		"mailto:a@example.ca,c%40example.ca?smtp=smtps://u@host&from=b@example.ca": "mail smtps://u@host [a@example.ca c@example.ca] b@example.ca environment variable SMTP_PASSWORD",
		"env:HOOK":               "slack " + hook,
		"file:hook":              "slack " + hook,
		"keychain:telltale/hook": "slack " + hook,
	} {
		d, err := ParseDestination(text, places())
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		address, err := d.URL.Resolve(Sources{})
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%s %s", d.Kind, address)
		switch d.Kind {
		case GitHub, GitLab:
			got = fmt.Sprintf("%s %s %v", d.Kind, d.Repository, d.Token)
		case Mail:
			got += fmt.Sprintf(" %v %s %v", d.Recipients, d.From, d.Password)
		}
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
		}
		if kind, hash, ok := strings.Cut(d.Name, "-"); !ok || kind != string(d.Kind) || len(hash) != 8 || d.Source.Text != "--notify "+d.Name {
			t.Errorf("%s is named %q, from %q", text, d.Name, d.Source.Text)
		}
	}
}

func TestParseDestinationNamesAreStable(t *testing.T) {
	one, _ := ParseDestination(hook, Sources{})
	two, _ := ParseDestination(hook+"x", Sources{})
	again, _ := ParseDestination("env:HOOK", places())
	if one.Name == two.Name || one.Name != again.Name {
		t.Errorf("%s, %s, %s", one.Name, two.Name, again.Name)
	}
}

func TestParseDestinationErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "no destination",
		"x9SECRETx9":                   "no destination",
		"ftp://x9SECRETx9":             "no destination",
		"file:///x9SECRETx9":           "no destination",
		"env:$A":                       "no destination",
		"env:NOPE":                     "environment variable NOPE is not set",
		"env:A":                        "no destination",
		"env:SELF":                     "no destination", // not followed further
		"keychain:a":                   "no destination",
		"keychain:a/b":                 "cannot be read",
		"file:gone":                    "does not exist",
		"https://":                     "names no host",
		"https://u:x9SECRETx9@h/":      "holds a user or a password",
		"https://h/%zzx9SECRETx9":      "not a URL",
		"slak+https://h/x9SECRETx9":    `no kind of webhook; did you mean "slack"?`,
		"mail+https://h/x9SECRETx9":    "no kind of webhook",
		"github:https://x9SECRETx9":    "not a repository of GitHub",
		"gitlab:x9SECRETx9":            "not a repository of GitLab",
		"mailto:?from=b@example.ca":    "no address",
		"mailto:a@example.ca":          "sender of the e-mail (from) is missing",
		"mailto:a@b?from=b@b":          "server of the e-mail (smtp) is missing",
		"mailto:a@b?from=b@b&smtp=h":   "must start with smtp://",
		"mailto:a@b?cc=x9SECRETx9@b":   "has the fields from and smtp",
		"mailto:a@b?from=a@b&from=b@b": "each once",
		"mailto:a@b?%zz=x9SECRETx9":    "cannot be read",
		"mailto:a@b?from=b%0aBcc:x@b&smtp=smtp://h": "is no address",
	} {
		d, err := ParseDestination(text, places())
		if err == nil {
			t.Errorf("%s: %+v", text, d)
			continue
		}
		hint, ok := err.(interface{ Hint() string })
		if !strings.Contains(err.Error(), want) || !ok || strings.Contains(err.Error()+hint.Hint(), "x9SECRETx9") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParseDestination(f *testing.F) {
	for _, text := range []string{hook, "mattermost+https://x/y", "mailto:a@b?from=c@d&smtp=smtp://e:25", "github:o/n", "env:A", "file:x", "keychain:a/b", "://"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDestination(text, places())
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		if d.Name == "" || d.Kind == "" || len(text) > 40 && strings.Contains(fmt.Sprintf("%+v", d.Name), text) {
			t.Errorf("%+v", d)
		}
	})
}
