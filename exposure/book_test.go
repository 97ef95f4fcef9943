package exposure

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// sent returns a flow that carried a value of a kind under a name.
func sent(id int, host, kind, name, digest string, opts ...flowtest.Option) *flow.Flow {
	f := flowtest.Get("https://"+host+"/", append([]flowtest.Option{flowtest.ID(flow.ID(id)), flowtest.At(time.Duration(id) * time.Minute)}, opts...)...)
	f.Exposures = []flow.Exposure{{Kind: kind, Name: name, Where: "query " + name, Masked: digest[:1] + "…", Digest: digest}}
	return f
}

func phase(name string) flowtest.Option { return func(f *flow.Flow) { f.Phase = name } }

// learned returns the trails of flows, whose receivers are their hosts.
func learned(flows ...*flow.Flow) []Trail { return NewBook().learned(flows) }

func (b *Book) learned(flows []*flow.Flow) []Trail {
	for _, f := range flows {
		b.Learn(f, f.Host())
	}
	return b.Trails()
}

func TestTrailLinksReceivers(t *testing.T) {
	got := learned(
		sent(1, "a.example", Email, "mail", "m1"),
		sent(2, "b.example", AdvertisingID, "gaid", "g1"),
		sent(3, "a.example", AdvertisingID, "idfa", "g1"),
		sent(4, "a.example", Email, "user", "m2"),
		sent(5, "a.example", AdvertisingID, "idfa", "g1"),
	)
	at := func(minutes int) time.Time { return flowtest.Epoch.Add(time.Duration(minutes) * time.Minute) }
	want := []Trail{
		{Kind: AdvertisingID, Masked: "g…", Label: "advertising-id 1", Names: []string{"gaid", "idfa"}, Hosts: []string{"a.example", "b.example"}, Receivers: []string{"a.example", "b.example"}, Count: 3, First: at(2), Last: at(5)},
		{Kind: Email, Masked: "m…", Label: "e-mail 1", Names: []string{"mail"}, Hosts: []string{"a.example"}, Receivers: []string{"a.example"}, Count: 1, First: at(1), Last: at(1)},
		{Kind: Email, Masked: "m…", Label: "e-mail 2", Names: []string{"user"}, Hosts: []string{"a.example"}, Receivers: []string{"a.example"}, Count: 1, First: at(4), Last: at(4)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !got[0].Links() || got[1].Links() {
		t.Error("only the advertising identifier links receivers")
	}
}

// The hardware address is one value, whether it is sent as itself or in an address.
func TestTrailJoinsKindsOfOneFamily(t *testing.T) {
	got := learned(sent(1, "a.example", EUI64Address, "ip", "d1"), sent(2, "b.example", MACAddress, "mac", "d1"), sent(3, "c.example", Email, "x", "d1"))
	if len(got) != 2 || got[0].Kind != MACAddress || len(got[0].Receivers) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestLearnIsIdempotent(t *testing.T) {
	f := sent(1, "a.example", Email, "mail", "m1")
	f.Exposures = append(f.Exposures, flow.Exposure{Kind: Email, Name: "cc", Where: "query cc", Masked: "m…", Digest: "m1"})
	got := learned(f, f, f)
	if len(got) != 1 || got[0].Count != 1 || len(got[0].Names) != 2 {
		t.Errorf("one flow, learned three times: %+v", got)
	}
}

func TestLearnWaitsForTheEnd(t *testing.T) {
	f := sent(1, "a.example", Email, "mail", "m1")
	open := *f
	open.Outcome = flow.Open
	if got := learned(&open); len(got) != 0 {
		t.Errorf("an open flow was learned: %+v", got)
	}
	if got := learned(&open, f); len(got) != 1 || got[0].Count != 1 {
		t.Errorf("after its end: %+v", got)
	}
}

func TestLasting(t *testing.T) {
	morning, evening := phase("morning"), phase("evening")
	other := flowtest.From("192.168.1.99:4000")
	tests := map[string]struct {
		flows []*flow.Flow
		want  map[string]Lasting // by the digest's first letter, as it is masked
	}{
		"seen once": {[]*flow.Flow{sent(1, "a.example", IDFV, "idfv", "x")}, map[string]Lasting{"x": Unknown}},
		"seen often in one session": {[]*flow.Flow{sent(1, "a.example", IDFV, "idfv", "x"), sent(9, "a.example", IDFV, "idfv", "x")},
			map[string]Lasting{"x": Unknown}},
		"the same in two phases": {[]*flow.Flow{sent(1, "a.example", IDFV, "idfv", "x", morning), sent(2, "a.example", IDFV, "idfv", "x", evening)},
			map[string]Lasting{"x": Stable}},
		"the same a day later": {[]*flow.Flow{sent(1, "a.example", IDFV, "idfv", "x"), sent(24*60+1, "a.example", IDFV, "idfv", "x")},
			map[string]Lasting{"x": Stable}},
		"a new one in each phase": {[]*flow.Flow{sent(1, "a.example", InstallationID, "device_id", "x", morning), sent(2, "a.example", InstallationID, "device_id", "y", evening)},
			map[string]Lasting{"x": Session, "y": Session}},
		"two without phases are too few": {[]*flow.Flow{sent(1, "a.example", InstallationID, "device_id", "x"), sent(2, "a.example", InstallationID, "device_id", "y")},
			map[string]Lasting{"x": Unknown, "y": Unknown}},
		"one after the other, beside one that stays": {[]*flow.Flow{
			sent(1, "a.example", InstallationID, "device_id", "x"), sent(2, "a.example", InstallationID, "device_id", "y"), sent(3, "a.example", InstallationID, "device_id", "z"),
			sent(1, "b.example", IDFV, "idfv", "s", flowtest.ID(11)), sent(3, "b.example", IDFV, "idfv", "s", flowtest.ID(13)),
		}, map[string]Lasting{"x": Session, "y": Session, "z": Session, "s": Stable}},
		"turn by turn": {[]*flow.Flow{
			sent(1, "a.example", InstallationID, "device_id", "x"), sent(2, "a.example", InstallationID, "device_id", "y"),
			sent(3, "a.example", InstallationID, "device_id", "z"), sent(4, "a.example", InstallationID, "device_id", "x"),
		}, map[string]Lasting{"x": Unknown, "y": Unknown, "z": Unknown}},
		"of three devices": {[]*flow.Flow{
			sent(1, "a.example", InstallationID, "device_id", "x"), sent(2, "a.example", InstallationID, "device_id", "y", other),
			sent(3, "a.example", InstallationID, "device_id", "z", flowtest.From("192.168.1.98:4000")),
		}, map[string]Lasting{"x": Unknown, "y": Unknown, "z": Unknown}},
		"of three hosts": {[]*flow.Flow{
			sent(1, "a.example", InstallationID, "device_id", "x"), sent(2, "b.example", InstallationID, "device_id", "y"), sent(3, "c.example", InstallationID, "device_id", "z"),
		}, map[string]Lasting{"x": Unknown, "y": Unknown, "z": Unknown}},
		"people type different addresses": {[]*flow.Flow{
			sent(1, "a.example", Email, "mail", "x"), sent(2, "a.example", Email, "mail", "y"), sent(3, "a.example", Email, "mail", "z"),
		}, map[string]Lasting{"x": Unknown, "y": Unknown, "z": Unknown}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := map[string]Lasting{}
			for _, trail := range learned(test.flows...) {
				got[strings.TrimSuffix(trail.Masked, "…")] = trail.Lasting
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// crowd returns flows with more of everything than a book keeps.
func crowd(n int) []*flow.Flow {
	kinds := []string{AdvertisingID, MACAddress, Email, AccessToken, SSID, Location, "of-tomorrow"}
	flows := make([]*flow.Flow, n)
	for i := range n {
		f := &flow.Flow{ID: flow.ID(i + 1), Kind: flow.Tunnel, Outcome: flow.Completed, Phase: fmt.Sprint("phase ", i%53), Server: flow.Server{Asked: fmt.Sprintf("h%d.example:443", i%97)}}
		f.Times.Start = flowtest.Epoch.Add(time.Duration(i) * time.Second)
		f.Exposures = []flow.Exposure{{Kind: kinds[i%len(kinds)], Name: fmt.Sprint("name", i%5), Masked: "…", Digest: fmt.Sprintf("%c%x", 'a'+i%3, (i*7919)%(n*2/3))}}
		if i%4 == 0 { // one value that goes everywhere
			f.Exposures = append(f.Exposures, flow.Exposure{Kind: IDFV, Name: fmt.Sprint("n", i%7), Masked: "z…", Digest: "z"})
		}
		flows[i] = f
	}
	return flows
}

func TestBookIsTheSameInAnyOrder(t *testing.T) {
	const most = 1000
	flows := crowd(most * 3)
	want := newBook(most).learned(flows)
	if len(want) != most {
		t.Fatalf("%d trails, of %d flows", len(want), len(flows))
	}
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // an order, not a secret
	shuffled := slices.Clone(flows)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	got := newBook(most).learned(append(shuffled, shuffled[:500]...))
	for i := range want {
		if !reflect.DeepEqual(want[i], got[i]) {
			t.Fatal(cmp.Diff(want[i], got[i])) // one says enough
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d trails, then %d", len(want), len(got))
	}
	i := slices.IndexFunc(want, func(trail Trail) bool { return trail.Kind == IDFV })
	if i < 0 {
		t.Fatal("the value that goes everywhere is not there")
	}
	if everywhere := want[i]; len(everywhere.Hosts) != maxHosts || len(everywhere.Phases) != maxPhases || everywhere.Lasting != Stable {
		t.Errorf("%d hosts, %d phases, %q", len(everywhere.Hosts), len(everywhere.Phases), everywhere.Lasting)
	}
	if slices.ContainsFunc(want, func(trail Trail) bool { return trail.Kind == Location }) {
		t.Error("places were kept, and identifiers of the device left out")
	}
}

func TestBookFromManyGoroutines(t *testing.T) {
	flows := crowd(500)
	want := learned(flows...)
	b := NewBook()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, f := range flows {
				b.Learn(f, f.Host())
				if f.ID%100 == 0 {
					b.Trails()
				}
			}
		})
	}
	wg.Wait()
	if d := cmp.Diff(want, b.Trails()); d != "" {
		t.Error(d)
	}
}

// What a file says may be anything.
func TestBookKeepsLittleOfHostileExposures(t *testing.T) {
	long := strings.Repeat("x", 1<<16)
	f := sent(1, "a.example", long, long, "d")
	f.Exposures[0].Masked = long
	f.Exposures = append(f.Exposures, flow.Exposure{Kind: Email, Digest: long}, flow.Exposure{Kind: Email})
	b := NewBook()
	b.Learn(f, long)
	got := b.Trails()
	if len(got) != 1 {
		t.Fatalf("%d trails: without a digest, or with one that is none, there is nothing to follow", len(got))
	}
	if n := len(got[0].Kind) + len(got[0].Masked) + len(got[0].Names[0]) + len(got[0].Receivers[0]); n > 4*maxText {
		t.Errorf("%d bytes are kept", n)
	}
}

func BenchmarkBook(b *testing.B) {
	flows := crowd(maxValues)
	for b.Loop() {
		learned(flows...)
	}
}
