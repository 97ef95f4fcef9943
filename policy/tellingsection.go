package policy

import "time"

// The sections notify, on and record, as document.go has the others.

type notifyEntry struct {
	place
	To      []destinationEntry `yaml:"to" need:"true" least:"1" about:"The destinations: chat rooms, webhooks, mailboxes, trackers of issues."`
	Routes  []routeEntry       `yaml:"routes" least:"1" about:"Who is told of which events. Without it, every destination is told of violations and trouble."`
	Group   duration           `yaml:"group" about:"How long events gather before they become one message, as 30s."`
	Timeout duration           `yaml:"timeout" about:"How long one attempt to deliver may take, as 3s."`
	Link    webURL             `yaml:"link" about:"Base URL under which people reach this audit's pages, for links in messages."`
}

type destinationEntry struct {
	place
	Name       text            `yaml:"name" need:"true" about:"What the destination is called, in routes, lists and errors."`
	Slack      credentialEntry `yaml:"slack" about:"URL of an incoming webhook of Slack."`
	Teams      credentialEntry `yaml:"teams" about:"URL of a webhook of Microsoft Teams (Workflows)."`
	Discord    credentialEntry `yaml:"discord" about:"URL of a webhook of Discord."`
	Mattermost credentialEntry `yaml:"mattermost" about:"URL of an incoming webhook of Mattermost."`
	Webhook    credentialEntry `yaml:"webhook" about:"URL of any other receiver: it gets the message as JSON."`
	Mail       mailList        `yaml:"mail" about:"Address of an e-mail, or a list of them."`
	GitHub     githubProject   `yaml:"github" about:"Repository of GitHub whose issues are made, as owner/name."`
	GitLab     gitlabProject   `yaml:"gitlab" about:"Project of GitLab whose issues are made, as group/project."`
	Sign       credentialEntry `yaml:"sign" about:"Key of a webhook's signature (HMAC)."`
	From       mailAddress     `yaml:"from" about:"Sender of the e-mail."`
	SMTP       credentialEntry `yaml:"smtp" about:"Server of the e-mail: smtp://user@host:587, or smtps:// for TLS from the start."`
	Password   credentialEntry `yaml:"password" about:"Password of the SMTP server."`
	Token      credentialEntry `yaml:"token" about:"Token of GitHub or GitLab that may write issues."`
	API        webURL          `yaml:"api" about:"Base URL of the API, where it is not the public one: https://github.example/api/v3."`
	Labels     []label         `yaml:"labels" least:"1" about:"Labels of issues that are made."`
	CA         text            `yaml:"ca" about:"File of further authorities that the server's certificate may have (PEM). Its path is relative to the policy file."`
}

type routeEntry struct {
	place
	When     whenEntry     `yaml:"when" about:"Which events. Every key must fit; one that is not there fits any event."`
	To       []text        `yaml:"to" need:"true" least:"1" about:"Names of the destinations that are told."`
	Escalate escalateEntry `yaml:"escalate" about:"Who else is told when nobody acknowledges a violation in time."`
}

type escalateEntry struct {
	place
	After duration `yaml:"after" need:"true" about:"How long somebody has to acknowledge, as 30m."`
	To    []text   `yaml:"to" need:"true" least:"1" about:"Names of the destinations that are told then."`
}

type whenEntry struct {
	place
	Events   []eventName   `yaml:"events" least:"1" about:"Kinds of events: violation, device, trouble, summary or action."`
	Rules    []ruleName    `yaml:"rules" least:"1" about:"Rules of violations."`
	Severity severityName  `yaml:"severity" about:"Severity of violations: error or warning."`
	Hosts    []hostPattern `yaml:"hosts" least:"1" about:"Host patterns, as under allow, without a port."`
	Devices  []text        `yaml:"devices" least:"1" about:"Names or addresses of devices."`
	Phases   []text        `yaml:"phases" least:"1" about:"Phases of the audit, as they were called on the screen."`
}

type actionEntry struct {
	place
	When        whenEntry      `yaml:"when" about:"Which events, as under routes."`
	Run         []argument     `yaml:"run" need:"true" least:"1" about:"The program and its arguments. A program with a slash is relative to the policy file."`
	Timeout     duration       `yaml:"timeout" about:"How long it may run, as 10s."`
	Output      size           `yaml:"output" about:"How much of its output is read, as 64KiB."`
	Memory      size           `yaml:"memory" about:"How much memory it may have, as 256MiB."`
	Environment []variableName `yaml:"environment" least:"1" about:"Names of environment variables that it gets. No others are handed on."`
}

type recordEntry struct {
	place
	Bodies bodiesName    `yaml:"bodies" about:"Whose contents are recorded: all (default), violations or none."`
	Hosts  []hostPattern `yaml:"hosts" least:"1" about:"Only bodies of these hosts are recorded."`
	Never  []hostPattern `yaml:"never" least:"1" about:"Bodies of these hosts are never recorded."`
}

// credentialEntry is a secret, or where it is to be had.
type credentialEntry struct {
	place
	Text string
	From credentialPlace
}

type credentialPlace struct {
	place
	Env      variableName `yaml:"env" about:"Environment variable that holds it, looked up when somebody is told."`
	File     text         `yaml:"file" about:"File that holds it and nothing else. Its path is relative to the policy file."`
	Keychain keychainName `yaml:"keychain" about:"Entry of the system's keychain, as SERVICE/ACCOUNT."`
}

// The scalar types of these sections.
type (
	duration struct {
		place
		Value time.Duration
	}
	size struct {
		place
		Value int64 // bytes
	}
	webURL struct {
		place
		Value string
	}
	mailAddress struct {
		place
		Value string
	}
	// mailList is one address or several.
	mailList struct {
		place
		Value []mailAddress
	}
	githubProject struct {
		place
		Value string
	}
	gitlabProject struct {
		place
		Value string
	}
	label struct {
		place
		Value string
	}
	argument struct {
		place
		Value string
	}
	variableName struct {
		place
		Value string
	}
	keychainName struct {
		place
		Value string
	}
	eventName struct {
		place
		Value string
	}
	severityName struct {
		place
		Value Severity
	}
	bodiesName struct {
		place
		Value Bodies
	}
)

// EventKinds are the kinds of events that a policy can name: those of package event without
// tests, which go where they are sent.
var EventKinds = []string{"violation", "device", "trouble", "summary", "action"}

// kindField is the part of a destination that says of which kind it is.
type kindField struct {
	kind       DestinationKind
	place      place
	credential *credentialEntry // of a webhook; nil
}

// kinds returns the parts that are there: one, in a good file.
func (e *destinationEntry) kinds() (out []kindField) {
	for _, field := range []kindField{
		{Slack, e.Slack.place, &e.Slack}, {Teams, e.Teams.place, &e.Teams}, {Discord, e.Discord.place, &e.Discord},
		{Mattermost, e.Mattermost.place, &e.Mattermost}, {Webhook, e.Webhook.place, &e.Webhook},
		{Mail, e.Mail.place, nil}, {GitHub, e.GitHub.place, nil}, {GitLab, e.GitLab.place, nil},
	} {
		if field.place.present() {
			out = append(out, field)
		}
	}
	return out
}

// destinationKindNames are the keys of which a destination has one.
func destinationKindNames() []string {
	names := make([]string, len(DestinationKinds))
	for i, kind := range DestinationKinds {
		names[i] = string(kind)
	}
	return names
}
