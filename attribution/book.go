package attribution

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"telltale/flow"
	"telltale/flow/plain"
	"telltale/useragent"
)

// Limits of what is remembered of a flow; what is longer is left out.
const (
	maxHost  = 255 // bytes; a name of DNS has at most 253
	maxPrint = 64  // bytes; JA4 has 36
	maxName  = 60  // columns
	maxID    = 120 // columns
)

// A Book is what is known of apps in one audit. Its methods may be called from any
// goroutine.
type Book struct {
	mu         sync.Mutex
	records    sets[string] // of hosts, by the phone's own record
	prints     sets[key]    // of fingerprints
	contacts   sets[key]    // of hosts
	agents     map[string]string
	generation uint64
}

// NewBook returns an empty book.
func NewBook() *Book { return &Book{agents: map[string]string{}} }

// Generation returns a number that changes whenever answers may have.
func (b *Book) Generation() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.generation
}

// Learn takes what a flow tells of apps, and returns its trace. To learn it twice changes
// nothing. Of a flow that is still open nothing is learned: it may lack what it will have.
func (b *Book) Learn(f *flow.Flow) Trace {
	contact := f.Ended() && f.IsContact()
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.trace(f)
	if contact && t.host != "" && b.learn(t) {
		b.generation++
	}
	return t
}

// learn reports whether it was news.
func (b *Book) learn(t Trace) bool {
	news := false
	if t.how == Said {
		s, added := b.records.row(t.host, strings.Clone)
		news = s.add(t.app) || added
	}
	if !t.device.IsValid() {
		return news
	}
	if (t.Named() || t.nameless) && t.ja4 != "" {
		s, added := b.prints.row(key{t.device, t.ja4}, key.own)
		news = s.addUser(t) || added || news
	}
	if !t.asks {
		s, added := b.contacts.row(key{t.device, t.host}, key.own)
		news = s.addContact(t) || added || news
	}
	return news
}

func (k key) own() key { return key{k.device, strings.Clone(k.name)} }

// trace returns what the flow tells.
func (b *Book) trace(f *flow.Flow) Trace {
	t := Trace{asks: f.Kind == flow.DNS || f.Kind == flow.UDP}
	if addr := f.Client.Addr.Addr(); addr.IsValid() {
		t.device = addr.Unmap().WithZone("")
	}
	if host := f.Host(); len(host) <= maxHost {
		t.host = host
	}
	if h := f.Client.Hello; h != nil && isPrint(h.JA4) {
		t.ja4 = h.JA4
	}
	if app := f.Client.App; app != (flow.App{}) {
		t.app = flow.App{Name: plain.Name(app.Name, maxName), ID: plain.Name(app.ID, maxID)}
		if t.app != (flow.App{}) {
			t.how = Said
			return t
		}
	}
	if agent := f.UserAgent(); agent != "" {
		if t.app.Name = b.agent(agent); t.app.Name != "" {
			t.how = Agent
		} else {
			t.nameless = true
		}
	}
	return t
}

// isPrint reports whether a text can be a fingerprint: what comes from a file can be
// anything.
func isPrint(s string) bool {
	return s != "" && len(s) <= maxPrint && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// maxAgents is how many User-Agents are remembered, so that they are not read again.
const maxAgents = 1024

// agent returns the app that a User-Agent names, "" for none.
func (b *Book) agent(userAgent string) string {
	userAgent = userAgent[:min(len(userAgent), useragent.MaxLength)]
	if app, ok := b.agents[userAgent]; ok {
		return app
	}
	app := useragent.Parse(userAgent).App
	if isLibrary(app) {
		app = ""
	}
	if len(b.agents) >= maxAgents {
		clear(b.agents)
	}
	b.agents[strings.Clone(userAgent)] = app
	return app
}

// Of returns what is known of the app that made a flow.
func (b *Book) Of(f *flow.Flow) Attribution {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.of(b.trace(f))
}

// OfTrace returns what is known of the app whose flow left a trace.
func (b *Book) OfTrace(t Trace) Attribution {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.of(t)
}

func (b *Book) of(t Trace) Attribution {
	switch t.how {
	case Said:
		return known(t.app, Said, title(t.app)+", by the phone's own record")
	case Agent:
		return known(t.app, Agent, title(t.app)+", by its User-Agent")
	}
	var unclear Attribution
	for _, way := range [...]func(Trace) Attribution{b.byRecord, b.byFingerprint, b.byHost} {
		a := way(t)
		if a.Known() {
			return a
		}
		if unclear.Others == nil {
			unclear = a
		}
	}
	return unclear
}

func (b *Book) byRecord(t Trace) Attribution {
	return b.records.get(t.host).attribution(Record, "of all apps only it contacted this host, by the phone's own record",
		"contacted this host, by the phone's own record")
}

func (b *Book) byFingerprint(t Trace) Attribution {
	if t.ja4 == "" {
		return Attribution{}
	}
	kind := "TLS"
	if t.ja4[0] == 'q' {
		kind = "QUIC"
	}
	users := b.prints.get(key{t.device, t.ja4})
	app, _ := users.unique()
	return users.attribution(Fingerprint,
		"of the apps that named themselves on this device, only "+title(app)+" has used the "+kind+" fingerprint "+t.ja4,
		"have used the "+kind+" fingerprint "+t.ja4+" on this device")
}

func (b *Book) byHost(t Trace) Attribution {
	if !t.asks {
		return Attribution{}
	}
	seen := b.contacts.get(key{t.device, t.host})
	if seen == nil || seen.unknown {
		return Attribution{}
	}
	all := set{apps: slices.Clone(seen.apps)}
	for _, ja4 := range seen.prints {
		users := b.prints.get(key{t.device, ja4})
		user, others := users.unique()
		if user == (flow.App{}) && others == nil {
			return Attribution{} // somebody else contacts the host too
		}
		all.nameless = all.nameless || users.nameless
		all.add(user)
		for _, app := range others {
			all.add(app)
		}
	}
	return all.attribution(Host, "of the apps on this device only it has contacted this host", "have contacted this host on this device")
}

func known(app flow.App, how How, words string) Attribution {
	return Attribution{App: title(app), ID: app.ID, How: how, Words: words}
}

// title is what an app is called.
func title(app flow.App) string { return cmp.Or(app.Name, app.ID) }
