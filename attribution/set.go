package attribution

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"telltale/flow"
)

// set is the apps that fit, and of a host what else contacted it. Nil is a set for which
// there is no room.
type set struct {
	apps     []flow.App // sorted, at most MaxApps
	nameless bool       // there is somebody else besides, whose User-Agent names no app
	prints   []string   // fingerprints of contacts whose app nobody named, sorted, at most maxPrints
	unknown  bool       // there were contacts without an app and without a fingerprint, or too many of these
}

// maxPrints is how many fingerprints are remembered of a host.
const maxPrints = 4

// add reports whether the set has changed. Of more apps than fit it keeps the first:
// which ones must not depend on which came first.
func (s *set) add(app flow.App) bool {
	if s == nil || app == (flow.App{}) {
		return false
	}
	i, found := slices.BinarySearchFunc(s.apps, app, compareApps)
	if found || i >= MaxApps {
		return false
	}
	app = flow.App{Name: strings.Clone(app.Name), ID: strings.Clone(app.ID)}
	s.apps = slices.Insert(s.apps, i, app)
	s.apps = s.apps[:min(len(s.apps), MaxApps)]
	return true
}

// addUser adds who used a fingerprint.
func (s *set) addUser(t Trace) bool {
	switch {
	case s == nil:
		return false
	case t.Named():
		return s.add(t.app)
	}
	news := !s.nameless
	s.nameless = true
	return news
}

// addContact adds who contacted a host.
func (s *set) addContact(t Trace) bool {
	switch {
	case s == nil:
		return false
	case t.Named():
		return s.add(t.app)
	case t.ja4 != "":
		return s.addPrint(t.ja4)
	}
	return s.addUnknown()
}

func (s *set) addPrint(ja4 string) bool {
	i, found := slices.BinarySearch(s.prints, ja4)
	switch {
	case found, s.unknown:
		return false
	case len(s.prints) == maxPrints:
		s.unknown, s.prints = true, nil
		return true
	}
	s.prints = slices.Insert(s.prints, i, strings.Clone(ja4))
	return true
}

func (s *set) addUnknown() bool {
	if s.unknown {
		return false
	}
	s.unknown, s.prints = true, nil
	return true
}

// unique returns the one app of the set, or else all of them. An app that once is named
// with its identifier and once without is one. Somebody without a name may be any app, also
// the one that is known.
func (s *set) unique() (flow.App, []flow.App) {
	if s == nil || len(s.apps) == 0 {
		return flow.App{}, nil
	}
	var apps []flow.App
	for _, app := range s.apps {
		covered := slices.ContainsFunc(s.apps, func(o flow.App) bool {
			return app != o && (app.ID == "" && o.ID != "" && strings.EqualFold(app.Name, o.Name) || app.Name == "" && o.Name != "" && app.ID == o.ID)
		})
		if !covered && !slices.ContainsFunc(apps, func(o flow.App) bool { return same(app, o) }) {
			apps = append(apps, app)
		}
	}
	if len(apps) == 1 && len(s.apps) < MaxApps && !s.nameless {
		return apps[0], nil
	}
	return flow.App{}, apps
}

// same reports whether two names are of one app.
func same(a, b flow.App) bool { return a.ID == b.ID && strings.EqualFold(a.Name, b.Name) }

// attribution returns the app of the set, with what makes it likely, or the apps that
// share it.
func (s *set) attribution(how How, alone, shared string) Attribution {
	app, others := s.unique()
	if app != (flow.App{}) {
		return known(app, how, "likely "+title(app)+": "+alone)
	}
	if others == nil {
		return Attribution{}
	}
	a := Attribution{}
	for _, o := range others {
		a.Others = append(a.Others, title(o))
	}
	slices.Sort(a.Others)
	a.Others = slices.Compact(a.Others)
	switch {
	case s.nameless:
		a.Words = strings.Join(a.Others, " or ") + ", or an app whose User-Agent names only a library: all of them " + shared
	case len(a.Others) == 1:
		a.Words = a.Others[0] + ", of which there are several: they " + shared
	default:
		a.Words = strings.Join(a.Others, " or ") + ": all of them " + shared
	}
	return a
}

func compareApps(a, b flow.App) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
}

// key is what belongs to one device.
type key struct {
	device netip.Addr
	name   string
}

// maxKeys bounds each table of a book.
const maxKeys = 20_000

// sets are the sets of many keys. One key too many, and there are none any more.
type sets[K comparable] struct {
	rows map[K]*set
	full bool
}

func (t *sets[K]) get(k K) *set { return t.rows[k] }

// row returns the set of a key to be changed, nil when there is no room, and whether it or
// the lack of room is new. own makes a key that keeps nothing else in memory.
func (t *sets[K]) row(k K, own func(K) K) (s *set, news bool) {
	s = t.rows[k]
	switch {
	case s != nil || t.full:
		return s, false
	case len(t.rows) == maxKeys:
		t.rows, t.full = nil, true
		return nil, true
	case t.rows == nil:
		t.rows = map[K]*set{}
	}
	s = &set{}
	t.rows[own(k)] = s
	return s, true
}
