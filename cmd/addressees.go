package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zalando/go-keyring"

	"telltale/capture"
	"telltale/event"
	"telltale/flow/plain"
	"telltale/notify"
	"telltale/notify/delivery"
	"telltale/notify/outbox"
	"telltale/notify/transport"
	"telltale/policy"
	"telltale/token"
)

// This file is who is told, whether an audit runs or not.

// outboxFile is where messages wait, of all audits.
func outboxFile() string { return filepath.Join(dataHome(), "telltale", "notify", "outbox.db") }

// credentials are where secrets are looked up.
func credentials() policy.Sources {
	return policy.Sources{Env: os.LookupEnv, Keychain: keyring.Get}
}

// linkLife is how long a link in a message is good.
const linkLife = 24 * time.Hour

// addressees are who is told, with their secrets looked up.
type addressees struct {
	notify  policy.Notify
	targets []transport.Target
	dead    map[string]bool // messages that had been given up before
}

// addressed joins the destinations of the policy with those of --notify, and looks up their
// secrets. Destinations of flags, which no route of the policy names, are told of everything
// that matters.
func addressed(of policy.Notify, flags []string) (*addressees, error) {
	a := &addressees{notify: of}
	sources := credentials()
	for _, text := range flags {
		d, err := policy.ParseDestination(text, sources)
		if err != nil {
			return nil, fmt.Errorf("--notify: %w", err)
		}
		a.notify.To = append(a.notify.To[:len(a.notify.To):len(a.notify.To)], d)
	}
	for _, d := range a.notify.To {
		t, err := transport.Resolve(d, sources)
		if err != nil {
			return nil, fmt.Errorf("cannot tell %s: %w", d.Name, err)
		}
		a.targets = append(a.targets, t)
	}
	return a, nil
}

// client returns what sends messages to them.
func (a *addressees) client() *transport.Client {
	return transport.New(transport.Options{Timeout: a.notify.Timeout, UserAgent: "telltale/" + version()})
}

// destinations are the addressees as delivery wants them.
func (a *addressees) destinations(client *transport.Client) []delivery.Destination {
	var out []delivery.Destination
	for _, t := range a.targets {
		out = append(out, delivery.Destination{
			Destination: outbox.Destination{Name: t.Name(), Kind: string(t.Kind()), Identity: t.Identity()},
			Send:        func(ctx context.Context, m notify.Message) transport.Outcome { return client.Send(ctx, t, m) },
			Longest:     client.Longest(t),
			Each:        t.Kind() == policy.GitHub || t.Kind() == policy.GitLab,
		})
	}
	return out
}

// recipients says who is told of an event, and who else unless somebody acknowledges it.
func (a *addressees) recipients(e event.Event) []notify.Recipient {
	return notify.Recipients(a.notify, e)
}

// names are those of the destinations.
func (a *addressees) names() (names []string) {
	for _, d := range a.notify.To {
		names = append(names, d.Name)
	}
	return names
}

// acknowledgementLink is the address of the page on which a violation is acknowledged; "" for
// none.
func acknowledgementLink(key *token.Key, base, audit, violation string, now time.Time) string {
	if key == nil || base == "" {
		return ""
	}
	pass, err := key.Sign(token.Claim{Scope: token.Acknowledge, Subject: audit + "/" + violation, Expires: now.Add(linkLife)})
	if err != nil {
		return ""
	}
	return strings.TrimRight(base, "/") + "/acknowledge?token=" + pass
}

// left is a capture that a recorder left behind.
type left struct{ *capture.Store }

// Audit names the audit for delivery.
func (l left) Audit() string { return l.AuditID() }

// Events hands events to delivery.
func (l left) Events(after int64, limit int) ([]delivery.Event, error) {
	return capturedEvents(l.Store, after, limit)
}

// leftBehind opens a capture whose recorder is gone.
func leftBehind(path string) (delivery.Left, error) {
	if capture.Recording(path) {
		return nil, delivery.ErrLive
	}
	store, err := capture.Open(path, capture.Options{})
	if err != nil {
		return nil, err
	}
	return left{store}, nil
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + plain.Text(reason) + ")"
}
