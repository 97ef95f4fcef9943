package experiment

import (
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/google/go-cmp/cmp"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
	"telltale/policy"
	"telltale/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faulty is an authority that notes what was asked of it.
type faulty struct{ name, fault string }

func (f *faulty) Faulty(name, fault string) (*tls.Certificate, error) {
	f.name, f.fault = name, fault
	return &tls.Certificate{}, nil
}

// rewriting is a file of rules.
type rewriting struct{ name string }

func (r rewriting) Name() string { return r.name }

func (r rewriting) ModifyRequest(*http.Request) ([]proxy.Alteration, error) {
	return []proxy.Alteration{{By: r.name, What: "a request"}}, nil
}

func (r rewriting) ModifyResponse(*http.Response) ([]proxy.Alteration, error) {
	return []proxy.Alteration{{By: r.name, What: "an answer"}}, errors.New("trouble of " + r.name)
}

const testPolicy = `version: 1
allow: ["*.example"]
deny: [bad.example]
consent: [ads.example]
`

// config has everything that experiments need.
func config(t testing.TB) Config {
	t.Helper()
	p, err := policy.Parse("telltale.yaml", []byte(testPolicy), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Forbids: func(f *flow.Flow) (bool, string) {
			j := p.Judge(f)
			if j.Verdict != policy.Violation {
				return false, ""
			}
			return true, string(j.Rule()) + ": " + j.Findings[0].Title
		},
		Consent:   p.Consent,
		Authority: &faulty{},
		Rules:     []Rules{rewriting{"modify b.json"}, rewriting{"modify a.json"}},
		Portal:    "http://setup.telltale/portal",
	}
}

// on switches a simulation on, written as on the command line.
func on(t testing.TB, s *Set, texts ...string) {
	t.Helper()
	for _, text := range texts {
		spec, err := ParseSimulation(text)
		if err == nil {
			err = s.Switch(spec, true)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestSwitchesAreToldInOrder(t *testing.T) {
	var told []string
	cfg := config(t)
	cfg.Changed = func(active []string) { told = append(told, strings.Join(active, " | ")) }
	s := New(cfg)
	if s.Active() != nil || s.Link() != "" || s.Modifier() != nil {
		t.Fatal("a new set has something in force")
	}
	on(t, s, "slow=edge", "offline@b.example", "offline@a.example", "offline@a.example")
	s.Enforce(FormRefused, true)
	s.Refuse(pattern(t, "x.example"), FormHang, true)
	s.Refuse(pattern(t, "x.example"), FormRefused, true)
	if err := s.SwitchRules("modify a.json", true); err != nil {
		t.Fatal(err)
	}
	if s.Link() != "edge" {
		t.Errorf("link %q", s.Link())
	}
	on(t, s, "slow=satellite", "offline")
	s.Enforce(FormRefused, false)
	s.Enforce(FormRefused, false)
	s.Refuse(pattern(t, "x.example"), "", false)
	for _, err := range []error{s.SwitchRules("modify a.json", false), s.Switch(Spec{Name: "offline"}, false), s.Switch(Spec{Name: "slow"}, false)} {
		if err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"slow edge",
		"offline @b.example | slow edge",
		"offline @a.example,b.example | slow edge",
		"enforce | offline @a.example,b.example | slow edge",
		"enforce | offline @a.example,b.example | refuse x.example hang | slow edge",
		"enforce | offline @a.example,b.example | refuse x.example | slow edge",
		"enforce | modify a.json | offline @a.example,b.example | refuse x.example | slow edge",
		"enforce | modify a.json | offline @a.example,b.example | refuse x.example | slow satellite",
		"enforce | modify a.json | offline | refuse x.example | slow satellite",
		"modify a.json | offline | refuse x.example | slow satellite",
		"modify a.json | offline | slow satellite",
		"offline | slow satellite",
		"slow satellite",
		"",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	if s.now.Load() != nil {
		t.Error("something is left in force")
	}
}

func TestWhatCannotBeSwitchedOn(t *testing.T) {
	full, bare := New(config(t)), New(Config{})
	on(t, full, "bad-certificate=self-signed")
	for _, tt := range []struct {
		name        string
		err         error
		words, hint string
	}{
		{"two faults", full.Switch(Spec{Name: "clock-skew"}, true), "cannot be on together", "switch bad-certificate off first"},
		{"no such name", full.Switch(Spec{Name: "offlin"}, true), `did you mean "offline"`, "slow"},
		{"no such variant", full.Switch(Spec{Name: "slow", Variant: "4g"}, true), `no slow variant "4g"`, "satellite"},
		{"a link for hosts", full.Switch(Spec{Name: "slow", Hosts: []policy.Pattern{pattern(t, "*")}}, true), "whole link", "--simulate slow"},
		{"no seed", full.Switch(Spec{Name: "flaky", Variant: "x"}, true), "not a number", "42"},
		{"no consent", bare.Switch(Spec{Name: "consent-refused"}, true), "the policy names none", "consent:"},
		{"no authority", bare.Switch(Spec{Name: "clock-skew"}, true), "needs an authority", ""},
		{"no portal", bare.Switch(Spec{Name: "captive-portal"}, true), "sign-in page", ""},
		{"no rules", full.SwitchRules("modify c.json", true), "there is no file of rules", "modify a.json"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.words) || !strings.Contains(hint(tt.err), tt.hint) {
			t.Errorf("%s: %v (hint: %s)", tt.name, tt.err, hint(tt.err))
		}
	}
	bare.Enforce(FormRefused, true)
	if got := strings.Join(full.Active(), " ") + strings.Join(bare.Active(), " "); got != "bad-certificate self-signed" {
		t.Errorf("in force: %s", got)
	}
}

func TestState(t *testing.T) {
	s := New(config(t))
	if n := len(s.State()); n != 1+len(Simulations)+2 {
		t.Fatalf("%d states", n)
	}
	s.Enforce("", true)
	s.Refuse(pattern(t, "y.example"), "", true)
	if got := strings.Join(s.Active(), ", "); got != "enforce, refuse y.example" || s.State()[0].Variant != "refused" || s.State()[1].Variant != "refused" {
		t.Errorf("in force: %s, %+v", got, s.State()[:2])
	}
	on(t, s, "captive-portal", "server-error=502@a.example", "slow")
	s.Refuse(pattern(t, "x.example"), FormHang, true)
	s.Enforce(FormReset, true)
	found := map[string]State{}
	for _, state := range s.State() {
		if state.Help == "" || state.Kind == "" || found[state.Name].Name != "" {
			t.Errorf("state %+v", state)
		}
		found[state.Name] = state
	}
	for name, want := range map[string]string{
		"enforce":          "enforce on reset ",
		"refuse x.example": "refuse on hang ",
		"captive-portal":   "simulation on  ",
		"server-error":     "simulation on 502 has an effect only for devices that have signed in, while captive-portal is on",
		"slow":             "simulation on 3g has an effect only for devices that have signed in, while captive-portal is on",
		"flaky":            "simulation off 1 ",
		"offline":          "simulation off  ",
		"modify a.json":    "rules off  ",
	} {
		state, is := found[name], "off"
		if state.On {
			is = "on"
		}
		if got := string(state.Kind) + " " + is + " " + state.Variant + " " + state.Note; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	on(t, s, "offline")
	for _, state := range s.State() {
		if state.Name == "captive-portal" && state.Note != "has no effect while offline is on" {
			t.Errorf("%s: %q", state.Name, state.Note)
		}
	}
}

// Whatever is switched meanwhile, each decision is that of one moment: it names what it
// does, and blocks with a reason.
func TestSwitchingWhileDeciding(t *testing.T) {
	var mu sync.Mutex
	var last []string
	cfg := config(t)
	cfg.Changed = func(active []string) { mu.Lock(); last = active; mu.Unlock() }
	s := New(cfg)
	flows := []*flow.Flow{
		flowtest.Get("https://ads.example/"), flowtest.Get("http://bad.example/"), flowtest.Tunnel("a.example", flowtest.Outcome(flow.Open)),
		flowtest.Refused("b.example"), flowtest.DNS("c.example"), flowtest.QUIC("192.0.2.9", "d.example"), flowtest.Datagrams("192.0.2.9:123"),
	}
	rounds := raced.Size(400, 60)
	var done sync.WaitGroup
	for _, sim := range Simulations {
		done.Go(func() {
			for i := range rounds {
				variant := ""
				if len(sim.Variants) > 0 {
					variant = sim.Variants[i%len(sim.Variants)]
				}
				_ = s.Switch(Spec{Name: sim.Name, Variant: variant}, i%2 == 0) // two of them exclude each other
			}
			_ = s.Switch(Spec{Name: sim.Name}, false)
		})
	}
	done.Go(func() {
		host := pattern(t, "*.example")
		for i := range rounds {
			s.Enforce(Form(Forms[i%len(Forms)]), i%3 != 0)
			s.Refuse(host, Form(Forms[i%len(Forms)]), i%5 == 0)
			if err := s.SwitchRules("modify a.json", i%2 == 0); err != nil {
				t.Error(err)
			}
			s.State()
		}
		s.Enforce("", false)
		s.Refuse(host, "", false)
		_ = s.SwitchRules("modify a.json", false)
	})
	for range 2 {
		done.Go(func() {
			for i := range rounds * 5 {
				f := flows[i%len(flows)]
				d := s.Decide(f)
				if d.Admission == proxy.Block && (len(d.By) == 0 || d.Why == "") {
					t.Errorf("%s is blocked by %q: %q", f.URL(), d.By, d.Why)
				}
				if d.Answer != nil && f.Request == nil {
					t.Errorf("%s has an answer without a request", f.URL())
				}
				s.Link()
				if m := s.Modifier(); m != nil {
					_, _ = m.ModifyResponse(&http.Response{Header: http.Header{}})
				}
			}
		})
	}
	done.Wait()
	if len(last) != 0 || s.now.Load() != nil {
		t.Errorf("left in force: %q, told %q", s.Active(), last)
	}
}

func TestNothingInForceCostsNothing(t *testing.T) {
	s := New(config(t))
	f := flowtest.Get("https://a.example/")
	if n := testing.AllocsPerRun(100, func() {
		s.Decide(f)
		s.Modifier()
		s.Link()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Several switches at once are told of once, and not at all where one of them fails.
func TestTogether(t *testing.T) {
	var told [][]string
	s := New(Config{Forbids: func(*flow.Flow) (bool, string) { return false, "" }, Changed: func(active []string) { told = append(told, active) }})
	all := func(set *Set) error {
		set.Enforce(FormHang, true)
		return set.Switch(Spec{Name: "offline"}, true)
	}
	if err := s.Together(all); err != nil {
		t.Fatal(err)
	}
	if err := s.Together(all); err != nil { // nothing is new
		t.Fatal(err)
	}
	failing := func(set *Set) error {
		set.Enforce("", false)
		return set.Switch(Spec{Name: "bad-certificate"}, true) // there is no authority
	}
	if s.Together(failing) == nil {
		t.Error("what cannot be switched on was")
	}
	want := [][]string{{"enforce hang", "offline"}}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[0], s.Active()); diff != "" {
		t.Error(diff)
	}
}
