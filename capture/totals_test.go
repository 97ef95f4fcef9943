package capture_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
	"telltale/policy"
)

func summarize(t *testing.T, flows ...*flow.Flow) capture.Summary {
	t.Helper()
	s := capture.New(capture.Options{Judge: hostJudge{}})
	defer s.Close()
	observe(t, s, flows...)
	return s.Summary()
}

// The set-up page asks the browser whether it trusts the certificate: a refusal is
// its answer, neither a contact nor garbage.
func TestSetupPageMakesNoContact(t *testing.T) {
	sum := summarize(t, flowtest.Number(flowtest.Refused("setup.telltale"), flowtest.Refused("SETUP.telltale.:443"))...)
	if sum.Flows != 0 || sum.Health.Nameless != 0 || len(sum.Hosts) != 0 {
		t.Errorf("%d flows, %d nameless, hosts %v", sum.Flows, sum.Health.Nameless, sum.Hosts)
	}
}

func TestSummaryCountsContacts(t *testing.T) {
	nameless := flowtest.Tunnel("x")
	nameless.Server = flow.Server{}
	sum := summarize(t, flowtest.Number(
		flowtest.Get("https://a.canada.ca/"), flowtest.Get("https://a.canada.ca/"),
		flowtest.Get("https://captive.apple.com/"),
		flowtest.Get("https://x.waived.example/"),
		flowtest.Get("https://two.example/"), flowtest.Get("https://two.example/"),
		flowtest.Failed("https://down.example/", flow.FailureTimeout),
		flowtest.Get("https://gone.example/", flowtest.Outcome(flow.Abandoned)),
		flowtest.Refused("pinned.example"), flowtest.Tunnel("pinned.example:22"),
		flowtest.Get("http://setup.telltale/", flowtest.Outcome(flow.Served)),
		flowtest.Tunnel("x", flowtest.Outcome(flow.ClientDenied), flowtest.From("203.0.113.9:1")),
		nameless,
		flowtest.Get("https://a.canada.ca/", flowtest.Outcome(flow.Open)),
	)...)
	if sum.Flows != 11 || sum.Allowed != 3 || sum.Ignored != 1 || sum.Waived != 1 || sum.Violating != 6 {
		t.Errorf("flows %d, allowed %d, ignored %d, waived %d, violating %d", sum.Flows, sum.Allowed, sum.Ignored, sum.Waived, sum.Violating)
	}
	h := sum.Health
	if h.Failed != 2 || h.Nameless != 1 || h.Denied != 1 || h.Open != 1 {
		t.Errorf("failed %d, nameless %d, denied %d, open %d", h.Failed, h.Nameless, h.Denied, h.Open)
	}
	want := map[string]map[flow.Outcome]int{"pinned.example": {flow.ClientRefused: 1, flow.Tunnelled: 1}}
	if !cmp.Equal(h.Unread, want) {
		t.Errorf("unread %v", h.Unread)
	}
	if len(h.Devices) == 1 && !cmp.Equal(h.Devices[0].Outcomes, want["pinned.example"]) {
		t.Errorf("unread of the device %v", h.Devices[0].Outcomes)
	}
	if len(h.Devices) != 1 || h.Devices[0].Flows != 11 || h.Devices[0].Refused != 1 || !h.Devices[0].Decrypted.Equal(flowtest.Epoch) {
		t.Errorf("devices %+v", h.Devices)
	}
	if sum.Inconclusive() || !summarize(t).Inconclusive() || !summarize(t, nameless).Inconclusive() {
		t.Error("inconclusive is not: no contacts")
	}
	if len(sum.Waivers) != 1 || sum.Waivers[0].Finding.Host != "x.waived.example" {
		t.Errorf("waivers %+v", sum.Waivers)
	}
}

func TestHostRows(t *testing.T) {
	sum := summarize(t, flowtest.Number(
		flowtest.Get("https://b.canada.ca/", flowtest.UserAgentOf("B"), flowtest.At(time.Minute)),
		flowtest.Post("https://B.canada.ca./", "four", flowtest.UserAgentOf("A"), flowtest.ResponseBody("text/plain", "sixsix")),
		flowtest.Get("https://two.example/"),
		flowtest.Tunnel("two.example:22"),
	)...)
	if len(sum.Hosts) != 2 || sum.Hosts[0].Name != "b.canada.ca" || sum.Hosts[1].Name != "two.example" {
		t.Fatalf("hosts %+v", sum.Hosts)
	}
	b, two := sum.Hosts[0], sum.Hosts[1]
	if b.Verdict != policy.Allowed || b.Flows != 2 || b.BytesSent != 4 || b.BytesReceived != 6 || b.Rule != "" {
		t.Errorf("%+v", b)
	}
	if !cmp.Equal(b.Apps, []string{"A", "B"}) || !b.First.Equal(flowtest.Epoch) || b.Last.Before(flowtest.Epoch.Add(time.Minute)) {
		t.Errorf("%+v", b)
	}
	if two.Verdict != policy.Violation || two.Rule != policy.HostNotAllowed || two.Violating != 2 || two.Unread != 1 || two.BytesSent != 120 || two.Source.Text == "" {
		t.Errorf("%+v", two)
	}
}

func TestManyAppsAreCut(t *testing.T) {
	var flows []*flow.Flow
	for i := range 20 {
		flows = append(flows, flowtest.Get("https://x.example/", flowtest.UserAgentOf(fmt.Sprintf("app %02d", 19-i))))
	}
	apps := summarize(t, flowtest.Number(flows...)...).Hosts[0].Apps
	if len(apps) != capture.MaxApps || apps[0] != "app 00" || apps[7] != "app 07" {
		t.Errorf("apps %q", apps)
	}
}

func TestViolations(t *testing.T) {
	var flows []*flow.Flow
	for i := range 7 { // every 30 s, one of them late
		at := time.Duration(i) * 30 * time.Second
		if i == 3 {
			at += 10 * time.Second
		}
		flows = append(flows, flowtest.Head("https://two.example/generate_204", flowtest.At(at), flowtest.Origin("a.har", i+10, 100*i)))
	}
	flows[0].Request.Header = nil // the first has no User-Agent
	flows = append(flows, flowtest.Get("https://one.example/"))
	sum := summarize(t, flowtest.Number(flows...)...)
	var order []string
	for _, v := range sum.Violations {
		order = append(order, string(v.Finding.Rule)+" "+v.Finding.Host)
	}
	if want := []string{"host-not-allowed one.example", "host-not-allowed two.example", "cleartext two.example"}; !cmp.Equal(order, want) {
		t.Fatalf("order %v", order)
	}
	v := sum.Violations[1]
	if v.Count != 7 || v.Method != "HEAD" || v.URL != "https://two.example/generate_204" || v.App != flowtest.UserAgent || v.Interval != 30*time.Second {
		t.Errorf("%+v", v)
	}
	if v.ID != v.Finding.Fingerprint() || !v.First.Equal(flowtest.Epoch) || v.Last.Before(flowtest.Epoch.Add(180*time.Second)) {
		t.Errorf("%+v", v)
	}
	if want := (capture.Reference{Capture: "a.har", Entry: 11, Line: 100, ID: 2}); len(v.Flows) != 7 || v.Flows[1] != want {
		t.Errorf("references %+v", v.Flows)
	}
	if one := sum.Violations[0]; one.Interval != 0 || one.Flows[0].Entry != 8 {
		t.Errorf("%+v", one)
	}
}

func TestReferencesAreTheFirst(t *testing.T) {
	const n = 3 * capture.MaxReferences
	flows := make([]*flow.Flow, n)
	for i := range flows {
		flows[i] = flowtest.Get("https://x.example/", flowtest.At(time.Duration(i)*time.Second))
	}
	flowtest.Number(flows...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { flows[i], flows[j] = flows[j], flows[i] })
	v := summarize(t, flows...).Violations[0]
	if v.Count != n || len(v.Flows) != capture.MaxReferences || v.Interval != time.Second {
		t.Errorf("count %d, %d references, interval %v", v.Count, len(v.Flows), v.Interval)
	}
	for i, r := range v.Flows {
		if r.ID != flow.ID(i+1) {
			t.Fatalf("reference %d is flow %d", i, r.ID)
		}
	}
}

// The order in which flows end must not show, nor must open states before.
func TestSummaryDoesNotDependOnOrder(t *testing.T) {
	var flows []*flow.Flow
	hosts := []string{"a.canada.ca", "two.example", "x.waived.example", "captive.apple.com", "z.example"}
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 400 {
		f := flowtest.Get("https://"+hosts[random.IntN(len(hosts))]+fmt.Sprintf("/%c%d", "abcd"[random.IntN(4)], i), flowtest.At(time.Duration(random.IntN(1e6))*time.Millisecond),
			flowtest.UserAgentOf(fmt.Sprintf("app %d", random.IntN(12))), flowtest.From(fmt.Sprintf("192.168.1.%d:99", random.IntN(15))), flowtest.Device(fmt.Sprint("d", i)), flowtest.Phase([]string{"", "a", "b", "c"}[random.IntN(4)]))
		if i%9 == 0 {
			f = flowtest.Refused(hosts[i%len(hosts)])
		}
		if i%7 == 0 {
			f.Outcome, f.Request = flow.Served, &flow.Request{Method: "GET", URL: fmt.Sprintf("http://setup.telltale/%d", random.IntN(40))}
		}
		for range random.IntN(3) {
			who := fmt.Sprint(random.IntN(6))
			f.Exposures = append(f.Exposures, flow.Exposure{Kind: "e-mail", Name: "mail", Where: "query mail", Masked: who + "…", Digest: "d" + who})
		}
		f.Examined = 1
		flows = append(flows, f)
	}
	for i := range 20 { // a rhythm, with others of its shape between
		flows = append(flows, flowtest.Head("https://two.example/beat", flowtest.At(time.Duration(i)*time.Minute)))
	}
	flowtest.Number(flows...)
	want := summarize(t, flows...)
	if len(want.Shapes) < 10 || len(want.Trails) == 0 || want.Hosts[2].Rhythm.String() != "every minute" {
		t.Errorf("%d shapes, trails %v, rhythm %v of %s", len(want.Shapes), want.Trails, want.Hosts[2].Rhythm, want.Hosts[2].Name)
	}
	for range 5 {
		random.Shuffle(len(flows), func(i, j int) { flows[i], flows[j] = flows[j], flows[i] })
		s := capture.New(capture.Options{Judge: hostJudge{}})
		for _, f := range flows[:200] {
			opened := *f
			opened.Outcome = flow.Open
			s.Observe(&opened)
		}
		observe(t, s)
		s.Summary()
		observe(t, s, flows...)
		if diff := cmp.Diff(want, s.Summary(), capture.SameEvidence); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		s.Close()
	}
}

// A summary that was handed out stays as it is, whatever comes, in order or not.
func TestSummaryNeverChanges(t *testing.T) {
	s := capture.New(capture.Options{Judge: hostJudge{}})
	defer s.Close()
	random := rand.New(rand.NewPCG(5, 6))
	ids := random.Perm(capture.MaxReferences + 500)
	type moment struct {
		summary capture.Summary
		text    string
	}
	var moments []moment
	for i, id := range ids {
		f := flowtest.Get("https://two.example/", flowtest.ID(flow.ID(id+1)), flowtest.At(time.Duration(id)*time.Second),
			flowtest.UserAgentOf(fmt.Sprint("app ", id%40)), flowtest.From(fmt.Sprintf("192.168.1.%d:99", id%40)), flowtest.Phase(fmt.Sprint("phase ", id%100)))
		switch id % 5 {
		case 0:
			f.Outcome = flow.Open
		case 1:
			f = flowtest.Refused("two.example", flowtest.ID(f.ID))
		case 2:
			f.Outcome, f.Request.URL = flow.Served, fmt.Sprintf("http://setup.telltale/%d", id)
		}
		s.Observe(f)
		if i%raced.Size(50, 300) == 0 {
			observe(t, s)
			s.Note(fmt.Sprint("note ", i))
			sum := s.Summary()
			moments = append(moments, moment{sum, fmt.Sprintf("%+v", sum)})
		}
	}
	observe(t, s)
	s.Summary()
	for i, m := range moments {
		if now := fmt.Sprintf("%+v", m.summary); now != m.text {
			t.Fatalf("summary %d moved", i)
		}
	}
}

func TestNotesAreKeptOnce(t *testing.T) {
	s, path := create(t, capture.Options{})
	s.Note("one")
	s.Note("two")
	s.Note("one")
	s.Note("")
	s.Close()
	if got := reopen(t, path, capture.Options{}).Summary().Health.Notes; !cmp.Equal(got, []string{"one", "two"}) {
		t.Errorf("notes %q", got)
	}
}

// A breach in a frame is a violation of the WebSocket although later states hold
// other frames, and although the capture is read back in pages.
func TestBreachesInFramesStay(t *testing.T) {
	s, path := create(t, capture.Options{Judge: frameJudge{}})
	frame := func(i int) flow.Frame {
		return flowtest.Text(true, time.Duration(i)*time.Second, fmt.Sprintf("secret%d", i%2))
	}
	for i := range 3 {
		f := flowtest.WebSocket("wss://x.example/", []flow.Frame{frame(i)}, flowtest.ID(1), flowtest.Outcome(flow.Open))
		f.FrameOffset = i
		observe(t, s, f)
	}
	last := flowtest.WebSocket("wss://x.example/", nil, flowtest.ID(1))
	last.FrameOffset = 3
	observe(t, s, last)
	check := func(s *capture.Store, what string) {
		t.Helper()
		if got := s.Summary(); len(got.Violations) != 2 || got.Violating != 1 {
			t.Errorf("%s: %+v", what, got.Violations)
		}
	}
	check(s, "live")
	s.Close()
	check(reopen(t, path, capture.Options{Judge: frameJudge{}}), "read back")
}

type frameJudge struct{}

func (frameJudge) Judge(f *flow.Flow) policy.Judgement {
	j := policy.Judgement{Host: f.Host(), Verdict: policy.Allowed}
	for _, fr := range f.Frames {
		j.Verdict = policy.Violation
		j.Findings = append(j.Findings, policy.Finding{Rule: policy.ValueLeaked, Host: f.Host(), Subject: string(fr.Data)})
	}
	return j
}
