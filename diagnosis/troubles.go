package diagnosis

import (
	"cmp"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"telltale/flow"
)

// maxTroubles bounds how many different troubles are told apart.
const maxTroubles = 50_000

// Troubles counts what keeps an audit from working that is no device's doing: servers
// that were not reached, clients that were turned away, and a clock that is wrong. The
// zero value is ready.
type Troubles struct {
	failures map[failure]int
	away     map[turned]int
	clocks   map[string]time.Duration // by host: how far the server's clock is ahead
}

type failure struct {
	client netip.Addr
	class  string
	host   string
}

type turned struct {
	client netip.Addr
	why    string
}

// Local is the class of failures of contacts that telltale itself refused, because they
// lead to the machine it runs on. The others are those of flow.Flow.Failure.
const Local = "local"

// Failure is contacts that failed for one reason.
type Failure struct {
	Class     string // one of the flow.Failure constants, or Local
	Contacts  int
	Hosts     []string // sorted, at most MaxHosts
	MoreHosts int
}

// TurnedAway is a client that was not let in.
type TurnedAway struct {
	Client   string // address
	Why      string // as the proxy said it, without the address; from our own words
	Attempts int
}

// Add counts one flow in its final state.
func (t *Troubles) Add(f *flow.Flow) {
	client := f.Client.Addr.Addr().Unmap().WithZone("")
	switch {
	case f.Outcome == flow.ClientDenied:
		why := strings.Join(strings.Fields(strings.ReplaceAll(f.Error, client.String(), "")), " ")
		count(&t.away, turned{client, why})
	case !f.IsContact(), len(f.Experiments) > 0: // what an experiment did is no trouble
	case f.Outcome == flow.DestinationDenied:
		count(&t.failures, failure{client, Local, f.Host()})
	case f.Outcome == flow.UpstreamFailed:
		count(&t.failures, failure{client, f.Failure, f.Host()})
	default:
		t.addClock(f)
	}
}

func count[K comparable](m *map[K]int, key K) {
	if *m == nil {
		*m = map[K]int{}
	}
	if _, known := (*m)[key]; known || len(*m) < maxTroubles {
		(*m)[key]++
	}
}

// addClock compares the Date of an answer (RFC 9110, 6.6.1) with the time at which it
// came. What a cache kept is older, so that of one host the newest counts.
func (t *Troubles) addClock(f *flow.Flow) {
	if f.Outcome != flow.Completed || f.Response == nil || f.Times.Start.IsZero() || f.Times.End.IsZero() || flow.Get(f.Response.Header, "Age") != "" {
		return
	}
	date, err := http.ParseTime(flow.Get(f.Response.Header, "Date"))
	if err != nil {
		return
	}
	var ahead time.Duration
	switch {
	case date.After(f.Times.End):
		ahead = date.Sub(f.Times.End)
	case date.Before(f.Times.Start):
		ahead = date.Sub(f.Times.Start)
	}
	host := f.Host()
	best, known := t.clocks[host]
	if !known && len(t.clocks) >= maxTroubles {
		return
	}
	if t.clocks == nil {
		t.clocks = map[string]time.Duration{}
	}
	if !known || ahead > best {
		t.clocks[host] = ahead
	}
}

// Failures returns the contacts that failed, the most frequent class first; of the
// clients that pick names, nil for all.
func (t *Troubles) Failures(pick func(client string) bool) []Failure {
	type sum struct {
		contacts int
		hosts    map[string]bool
	}
	byClass := map[string]*sum{}
	for key, n := range t.failures {
		if pick != nil && !pick(key.client.String()) {
			continue
		}
		s := byClass[key.class]
		if s == nil {
			s = &sum{hosts: map[string]bool{}}
			byClass[key.class] = s
		}
		s.contacts += n
		s.hosts[key.host] = true
	}
	var out []Failure
	for class, s := range byClass {
		hosts := slices.Sorted(maps.Keys(s.hosts))
		shown := min(len(hosts), MaxHosts)
		out = append(out, Failure{class, s.contacts, hosts[:shown], len(hosts) - shown})
	}
	slices.SortFunc(out, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Contacts, a.Contacts), cmp.Compare(a.Class, b.Class))
	})
	return out
}

// TurnedAway returns the clients that were not let in, by address; of those that pick
// names, nil for all.
func (t *Troubles) TurnedAway(pick func(client string) bool) []TurnedAway {
	keys := slices.SortedFunc(maps.Keys(t.away), func(a, b turned) int {
		return cmp.Or(a.client.Compare(b.client), cmp.Compare(a.why, b.why))
	})
	var out []TurnedAway
	for _, key := range keys {
		client := ""
		if key.client.IsValid() {
			client = key.client.String()
		}
		if pick == nil || pick(client) {
			out = append(out, TurnedAway{client, key.why, t.away[key]})
		}
	}
	return out
}

// Limits of what counts as a wrong clock: a server's own may be wrong, so that several
// have to agree, and what is less does no harm.
const (
	minClocks = 2
	minSkew   = 2 * time.Minute
)

// Skew returns how far the clocks of servers are ahead of the one that recorded the
// flows, the median of all hosts; negative where they are behind, 0 where it is no
// trouble or nobody can tell.
func (t *Troubles) Skew() time.Duration {
	if len(t.clocks) < minClocks {
		return 0
	}
	all := slices.Sorted(maps.Values(t.clocks))
	if skew := all[len(all)/2]; skew.Abs() >= minSkew {
		return skew
	}
	return 0
}
