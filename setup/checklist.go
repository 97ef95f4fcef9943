package setup

import (
	"strconv"
	"strings"
	"time"

	"telltale/diagnosis"
	"telltale/useragent"
)

// Progress is what was observed of one device so far. Zero times: not yet.
type Progress struct {
	Now time.Time // tells what takes long; zero: nothing does
	At  Place     // where devices reach the proxy; what is empty in it gets words

	Reached   time.Time // first connection of the device to the proxy
	Page      time.Time // it opened the set-up page ([PageOf])
	Authority time.Time // it fetched the certificate or the profile ([AuthorityOf])
	Decrypted time.Time // TLS of it was read for the first time

	App      time.Time // first contact of the app; where AppKnown is false, of anything
	AppKnown bool      // the policy says which flows are the app's

	Contacts int // flows of the device, without those that telltale answered itself
	Unread   int // connections among them whose content could not be read

	// Diagnoses say why connections of it cannot be read, the most important first.
	Diagnoses []diagnosis.Diagnosis

	Tunnel bool // it comes through WireGuard, and needs no proxy

	OS useragent.OS // whose words are used; "" when nobody knows
}

// PageOf returns when a device opened the set-up page, zero if it did not. The
// map is that of capture.Device: first times by URL path.
func PageOf(served map[string]time.Time) time.Time { return served[pagePath] }

// AuthorityOf returns when a device first fetched the certificate in one of its
// forms, zero if it did not.
func AuthorityOf(served map[string]time.Time) time.Time {
	var first time.Time
	for path, at := range served {
		if holdsAuthority(path) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// holdsAuthority reports whether a path that we serve is that of the certificate, in
// whatever form. Android's has a name of its own for each authority.
func holdsAuthority(path string) bool {
	return path == pemPath || path == derPath || path == profilePath || strings.HasSuffix(path, ".0")
}

// State is how far a step of connecting a device is.
type State int

// States of an [Item].
const (
	Waiting State = iota // not done yet
	Done
	Trouble // the device tried and failed
	Skipped // not done, and not needed: a later step was done
)

// String returns the state in a word.
func (s State) String() string {
	switch s {
	case Waiting:
		return "waiting"
	case Done:
		return "done"
	case Trouble:
		return "trouble"
	case Skipped:
		return "skipped"
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

// Item is one line of the checklist.
type Item struct {
	Text  string
	State State
	// Advice says what is wrong and what to do, a sentence or two each, to be wrapped
	// where they are shown. Nothing in it can harm a terminal.
	Advice []string
	// Diagnosed says that Advice only repeats what Progress.Diagnoses say.
	Diagnosed bool
}

// Checklist returns the five steps of connecting a device: it reached the proxy,
// opened the set-up page, fetched the certificate, accepted our TLS, and the app
// made its first contact. Only the steps where the device stands have advice.
func Checklist(p Progress) []Item {
	read := !p.Decrypted.IsZero()
	items := []Item{
		{Text: "The device reached telltale", State: doneIf(!p.Reached.IsZero() || p.Contacts > 0 || read)},
		{Text: "It opened the set-up page", State: doneIf(!p.Page.IsZero())},
		{Text: "It fetched the certificate", State: doneIf(!p.Authority.IsZero())},
		{Text: "Its TLS can be read", State: doneIf(read)},
		{Text: "The app made its first contact", State: doneIf(p.appSeen())},
	}
	if p.Tunnel {
		items[0].Text = "The device reached telltale, by WireGuard"
	}
	if !p.AppKnown {
		items[4].Text = "Its first contact can be read"
	}
	reached, page, authority, tls, app := &items[0], &items[1], &items[2], &items[3], &items[4]
	// What a later step proves needs not be done any more.
	if authority.State == Waiting && read {
		authority.State, authority.Text = Skipped, "Fetching the certificate: the device has it already"
	}
	if page.State == Waiting && (authority.State != Waiting) {
		page.State, page.Text = Skipped, "The set-up page: not needed any more"
	}
	unread := p.unread()
	switch {
	case reached.State == Waiting:
		reached.Advice = adviseReach(p)
	case read:
		adviseApp(p, tls, app)
	case unread != nil:
		tls.Advice, tls.Diagnosed = tell(*unread), true
		if unread.Cause != diagnosis.SystemPinning { // whose makers' services refuse whatever is installed
			tls.State = Trouble
		}
	case page.State == Waiting:
		page.Advice = advisePage(p)
	case authority.State == Waiting:
		authority.Advice = adviseFetch(p)
	default:
		tls.Advice = adviseTrust(p)
	}
	return items
}

func doneIf(done bool) State {
	if done {
		return Done
	}
	return Waiting
}

// appSeen reports whether the app made a contact. Where nobody knows which
// contacts are the app's, one that could not be read does not count: it would
// tick the last step of a device that trusts nothing yet.
func (p Progress) appSeen() bool {
	return !p.App.IsZero() && (p.AppKnown || p.Contacts > p.Unread)
}

// unread returns why nothing of the device can be read, nil when that is not known.
func (p Progress) unread() *diagnosis.Diagnosis {
	for i, d := range p.Diagnoses {
		switch d.Cause {
		case diagnosis.NotInstalled, diagnosis.NotTrusted:
			// The set-up page tests the certificate from the moment it is opened, long
			// before anybody can have installed it.
			if d.Connections == 0 && !p.overdue(p.Authority) {
				continue
			}
		case diagnosis.ProxyIgnored, diagnosis.HiddenByRelay:
			continue
		}
		return &p.Diagnoses[i]
	}
	return nil
}

// patience is how long a person takes to follow the next step; then it is said
// what may be in the way.
const patience = time.Minute

// overdue reports whether nothing came for a while after a moment.
func (p Progress) overdue(moment time.Time) bool {
	return !p.Now.IsZero() && !moment.IsZero() && p.Now.Sub(moment) >= patience
}
