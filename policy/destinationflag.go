package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// DestinationError says what is wrong with a destination that is written as one text. It
// never quotes it: it may be a secret.
type DestinationError struct {
	Problem string
	hint    string
}

func (e *DestinationError) Error() string { return e.Problem }

// Hint says what to write instead.
func (e *DestinationError) Hint() string { return e.hint }

const destinationForms = "write the URL of a webhook, KIND+https://…, mailto:a@example.ca?from=b@example.ca&smtp=smtp://host:25, " +
	"github:owner/name, gitlab:group/project, or where it stands: env:NAME, file:PATH, keychain:SERVICE/ACCOUNT"

// ParseDestination reads a destination that is written as one text, as --notify takes it:
//
//	https://…                              the URL of a webhook; those of Slack, Discord and Teams are recognised
//	mattermost+https://…                   the URL of a webhook, with its kind
//	mailto:TO?from=FROM&smtp=smtp://HOST   an e-mail (RFC 6068, with two fields of ours)
//	github:OWNER/NAME, gitlab:GROUP/NAME   issues; the token is in GITHUB_TOKEN or GITLAB_TOKEN
//	env:NAME, file:PATH, keychain:SERVICE/ACCOUNT   where such a text stands
//
// The password of an SMTP server whose URL names a user and no password is in SMTP_PASSWORD.
// The destination's name is its kind and a short hash, never the text itself. The error is a
// [*DestinationError] or a [*CredentialError], and has a Hint.
func ParseDestination(text string, from Sources) (Destination, error) {
	if place, ok := placeOfDestination(text); ok {
		resolved, err := place.Resolve(from)
		if err != nil {
			return Destination{}, err
		}
		text = resolved
	}
	d, err := parseDestination(strings.TrimSpace(text))
	if err != nil {
		return Destination{}, err
	}
	d.Source = Source{Text: "--notify " + d.Name}
	return d, nil
}

// placeOfDestination returns where a destination stands, false for one that is written out.
func placeOfDestination(text string) (Credential, bool) {
	scheme, name, _ := strings.Cut(text, ":")
	switch {
	case scheme == "env" && isVariable(name):
		return Credential{env: name}, true
	case scheme == "file" && name != "" && !strings.HasPrefix(name, "//"):
		return Credential{file: name}, true
	case scheme == "keychain" && isKeychainEntry(name):
		return Credential{keychain: name}, true
	}
	return Credential{}, false
}

func parseDestination(text string) (Destination, error) {
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok {
		return Destination{}, &DestinationError{"this is no destination", destinationForms}
	}
	switch scheme = strings.ToLower(scheme); {
	case scheme == "mailto":
		return parseMailto(rest)
	case scheme == "github" || scheme == "gitlab":
		return parseTracker(DestinationKind(scheme), rest)
	case strings.HasSuffix(scheme, "+https") || strings.HasSuffix(scheme, "+http"):
		kind, _, _ := strings.Cut(scheme, "+")
		if !slices.Contains(webhookKinds, DestinationKind(kind)) {
			suffix, _ := didYouMean(kind, webhookNames())
			return Destination{}, &DestinationError{"before + stands no kind of webhook" + suffix, "one of: " + strings.Join(webhookNames(), ", ")}
		}
		return webhookOf(DestinationKind(kind), text[len(kind)+1:])
	case scheme == "http" || scheme == "https":
		return webhookOf(kindOfURL(text), text)
	}
	return Destination{}, &DestinationError{"this is no destination", destinationForms}
}

// webhookKinds are the kinds that are reached by the URL of a webhook.
var webhookKinds = []DestinationKind{Slack, Teams, Discord, Mattermost, Webhook}

func webhookNames() []string { return destinationKindNames()[:len(webhookKinds)] }

func webhookOf(kind DestinationKind, address string) (Destination, error) {
	if err := kind.CheckURL(address); err != nil {
		return Destination{}, err
	}
	return Destination{Name: hashedName(kind, address), Kind: kind, URL: NewCredential(address)}, nil
}

// kindOfURL recognises the webhooks of services by their hosts.
//   - https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
//   - https://discord.com/developers/docs/resources/webhook#execute-webhook
//   - https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
//   - https://learn.microsoft.com/power-automate/developer/embed-flow-dev (the URLs of Workflows)
func kindOfURL(address string) DestinationKind {
	u, err := url.Parse(address)
	if err != nil {
		return Webhook
	}
	host := strings.ToLower(u.Hostname())
	under := func(domains ...string) bool {
		return slices.ContainsFunc(domains, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
	}
	switch {
	case host == "hooks.slack.com" || host == "hooks.slack-gov.com":
		return Slack
	case under("discord.com", "discordapp.com") && strings.HasPrefix(u.Path, "/api/"):
		return Discord
	case under("webhook.office.com", "logic.azure.com", "powerplatform.com"):
		return Teams
	}
	return Webhook
}

func parseTracker(kind DestinationKind, path string) (Destination, error) {
	if !isRepository(kind, path) {
		hint := githubHint
		if kind == GitLab {
			hint = gitlabHint
		}
		return Destination{}, &DestinationError{"this is not a repository of " + kindTitles[kind], strings.Replace(hint, "write ", "write "+string(kind)+":", 1)}
	}
	return Destination{
		Name: hashedName(kind, path), Kind: kind, Repository: path,
		Token: Credential{env: strings.ToUpper(string(kind)) + "_TOKEN"},
	}, nil
}

// parseMailto reads what stands behind "mailto:".
func parseMailto(rest string) (Destination, error) {
	const form = "write mailto:a@example.ca?from=b@example.ca&smtp=smtp://host:25"
	to, query, _ := strings.Cut(rest, "?")
	fields, err := url.ParseQuery(query)
	if err != nil {
		return Destination{}, &DestinationError{"the fields behind the address of the e-mail cannot be read", form}
	}
	d := Destination{Kind: Mail, From: fields.Get("from")}
	for key, values := range fields {
		if key != "from" && key != "smtp" || len(values) != 1 {
			return Destination{}, &DestinationError{"an e-mail has the fields from and smtp, each once", form}
		}
	}
	for _, address := range strings.Split(to, ",") {
		if address, err = url.PathUnescape(address); err != nil || !isMailAddress(address) {
			return Destination{}, &DestinationError{"behind mailto: stands no address of an e-mail", form}
		}
		d.Recipients = append(d.Recipients, address)
	}
	server := fields.Get("smtp")
	switch {
	case !isMailAddress(d.From):
		return Destination{}, &DestinationError{"the sender of the e-mail (from) is missing, or is no address", form}
	case server == "":
		return Destination{}, &DestinationError{"the server of the e-mail (smtp) is missing", form}
	}
	if err := Mail.CheckURL(server); err != nil {
		return Destination{}, err
	}
	d.URL = NewCredential(server)
	if user, password := userOf(server); user != "" && !password {
		d.Password = Credential{env: "SMTP_PASSWORD"}
	}
	u, _ := url.Parse(server) // CheckURL could
	d.Name = hashedName(Mail, strings.Join(d.Recipients, ",")+" "+u.Host)
	return d, nil
}

// hashedName names a destination without showing what it is reached by.
func hashedName(kind DestinationKind, address string) string {
	sum := sha256.Sum256([]byte(string(kind) + "\x00" + address))
	return string(kind) + "-" + hex.EncodeToString(sum[:4])
}
