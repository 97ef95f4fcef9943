package tui

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// The devices of withDevices.
const (
	pixel  = "192.168.1.23" // sends the story
	iphone = "192.168.1.30"
	tablet = "192.168.1.40" // has only refused a certificate
)

// sentBy says which device sends a flow. One without a name does not say what it is
// either.
func sentBy(addr, name string) flowtest.Option {
	return func(f *flow.Flow) {
		f.Client.Addr = netip.AddrPortFrom(netip.MustParseAddr(addr), 50123)
		if f.Client.Device = name; name == "" && f.Request != nil {
			flowtest.UserAgentOf("")(f)
		}
	}
}

// withDevices is the story of three devices, with diagnoses and names.
func withDevices() setting {
	flows := story()
	for _, f := range flows {
		f.Client.Device = "Pixel of the lab"
	}
	at := func(d time.Duration) flowtest.Option { return flowtest.At(3*time.Minute + d) }
	flows = append(flows,
		flowtest.Head("https://clients3.google.com/generate_204", at(10*time.Second), sentBy(iphone, "iPhone of Zoë")),
		flowtest.Get("https://www.canada.ca/index", at(12*time.Second), sentBy(iphone, "iPhone of Zoë")),
		flowtest.Get("https://fonts.example.org/inter.woff2", at(14*time.Second), sentBy(iphone, "iPhone of Zoë")),
		flowtest.Refused("www.canada.ca", at(20*time.Second), sentBy(tablet, "")),
	)
	return setting{flows: flowtest.Number(flows...), change: func(c *Config) {
		c.Diagnose = storyDiagnoses
		c.NameDevice = func(string, string) error { return nil }
	}}
}

func fromNobody() []*flow.Flow {
	return flowtest.Number(flowtest.Get("https://www.canada.ca/", func(f *flow.Flow) { f.Client.Addr = netip.AddrPort{} }))
}

// storyDiagnoses says what keeps the devices of withDevices from being read.
func storyDiagnoses(d capture.Device) []diagnosis.Diagnosis {
	at := func(s int) time.Time { return flowtest.Epoch.Add(time.Duration(s) * time.Second) }
	switch d.Addr {
	case pixel:
		return []diagnosis.Diagnosis{{
			Cause: diagnosis.AppPinning, Certainty: diagnosis.Likely, Title: "the app pins its certificates", App: "CovidShield/1.0 (Android 13)",
			Hosts: []string{"api.pinned.example.com"}, Connections: 1, First: at(8), Last: at(8),
			Evidence: []string{
				"CovidShield/1.0 refused the certificate for api.pinned.example.com, while 18 other connections of this device were read.",
				"The alert was unknown_ca.",
			},
			Next: []string{
				"Take a build of the app without pinning, or switch its pinning off for the test: `android:networkSecurityConfig` names the file.",
				"If you cannot, judge these hosts by their names: `telltale flows --where 'outcome == \"client-refused\"'` lists them.",
			},
		}, {
			Cause: diagnosis.SystemPinning, Certainty: diagnosis.Certain, Title: "services of Google refuse every interception",
			Hosts: []string{"mtalk.google.com", "play.googleapis.com"}, MoreHosts: 3, Connections: 12, First: at(3), Last: at(170),
			Evidence: []string{"These hosts are known to accept Google's own authorities alone."},
			Next:     []string{"Nothing: they are judged by their names."},
		}}
	case tablet:
		return []diagnosis.Diagnosis{{
			Cause: diagnosis.NotInstalled, Certainty: diagnosis.Certain, Title: "the certificate is not installed",
			Hosts: []string{"www.canada.ca"}, Connections: 1, First: at(200), Last: at(200),
			Evidence: []string{"The device refused the certificate for every host.", "It never opened the set-up page."},
			Next:     []string{"Open `http://setup.telltale/` on the device, and follow its steps."},
		}}
	}
	return nil
}

// hostileDiagnoses have the text of the wire everywhere.
func hostileDiagnoses(capture.Device) []diagnosis.Diagnosis { return diagnosesOf(hostile) }

// diagnosesOf has a text in all of its parts.
func diagnosesOf(text string) []diagnosis.Diagnosis {
	return []diagnosis.Diagnosis{{
		Cause: diagnosis.AppPinning, Certainty: diagnosis.Possible, Title: text, App: text, Hosts: []string{text, "t.example"}, Connections: 2,
		Evidence: []string{text}, Next: []string{text},
	}}
}

// rows returns the rows of the view, without the mark of the cursor.
func (r *rig) rows() (rows []string) {
	lines := strings.Split(r.m.View(), "\n")
	a := r.m.split()
	for _, line := range lines[a.head+1 : a.head+a.body] {
		if line = strings.TrimSpace(strings.TrimPrefix(line, "▸ ")); line != "" {
			rows = append(rows, line)
		}
	}
	return rows
}

// TestOneDeviceAlone restricts every view to a device, by all that was recorded and
// not by the lists of a summary, which have an end.
func TestOneDeviceAlone(t *testing.T) {
	t.Parallel()
	var flows []*flow.Flow
	for i := range capture.MaxClients + 8 { // the lists of clients end before the last one
		flows = append(flows, flowtest.Get("https://tracker.example/a", sentBy(fmt.Sprintf("10.0.0.%d", i+1), "")))
	}
	last := fmt.Sprintf("10.0.0.%d", capture.MaxClients+8)
	flows = append(flows, flowtest.Get("https://www.canada.ca/own", sentBy("::ffff:"+last, "")), flowtest.Get("https://www.canada.ca/other", sentBy("10.0.0.1", "")))
	r := newRig(t, setting{flows: flowtest.Number(flows...), w: 120, h: 60})
	r.onto("4", last).press("space")
	r.sees("only " + last)
	for view, want := range map[string]int{"1": 1, "2": 2, "3": 2} {
		r.press(view)
		if got := r.rows(); len(got) != want {
			t.Errorf("view %s has the rows %q, want %d", view, got, want)
		}
		r.sees("only " + last)
	}
	r.press("2")
	r.sees("1/" + fmt.Sprint(capture.MaxClients+8))

	// What comes later is restricted too.
	r.observe(flowtest.Get("https://late.example/", flowtest.ID(1000), sentBy(last, "")), flowtest.Get("https://elsewhere.example/", flowtest.ID(1001), sentBy("10.0.0.2", "")))
	r.news()
	r.sees("late.example")
	r.seesNot("elsewhere.example")

	// A filter narrows it, and is dropped before it.
	r.press("3", "/").typeText("own").press("enter")
	if got := r.rows(); len(got) != 1 || !strings.Contains(got[0], "/own") {
		t.Errorf("the filter leaves %q", got)
	}
	r.press("f")
	if got := r.rows(); len(got) != 3 {
		t.Errorf("without the filter there are the rows %q, want 3", got)
	}
	r.press("f", "esc").sees("only " + last)
	if got := r.rows(); len(got) != 3 {
		t.Errorf("dropping the filter leaves %q, want 3 rows", got)
	}
	r.press("esc").seesNot("only 10")
	if got := r.rows(); len(got) != len(flows)+2 {
		t.Errorf("all flows are %d rows, want %d", len(got), len(flows)+2)
	}
	r.press("4", "space").sees("only 10")
	r.press("space").seesNot("only 10")
}

// TestWhatIsOpenedIsOfTheDevice opens a host and a violation that several devices
// contacted, and steps through their flows.
func TestWhatIsOpenedIsOfTheDevice(t *testing.T) {
	t.Parallel()
	var flows []*flow.Flow
	for i := range 1200 { // more than a page
		addr := iphone
		if i%600 == 5 {
			addr = pixel
		}
		flows = append(flows, flowtest.Get(fmt.Sprintf("https://tracker.example/%d", i), sentBy(addr, "")))
	}
	r := newRig(t, setting{flows: flowtest.Number(flows...), w: 120, h: 40})
	r.onto("4", pixel).press("space")
	for _, view := range []string{"1", "2"} {
		r.press(view, "enter").sees("/605", pixel)
		r.press("n").sees("no flow further", "/605")
		r.press("p").sees("/5 ", pixel)
		r.press("p").sees("no flow further")
		r.press("esc")
	}
}

func TestNamingADevice(t *testing.T) {
	t.Parallel()
	var named []string
	fail := errors.New("disk full")
	s := withDevices()
	diagnosed := s.change
	s.change = func(c *Config) {
		diagnosed(c)
		c.NameDevice = func(addr, name string) error {
			named = append(named, addr+"="+name)
			if name == "" {
				return fail
			}
			return nil
		}
	}
	r := newRig(t, s)
	r.onto("4", tablet).press("N").typeText("Tablet").press("enter")
	r.sees(tablet + " is called Tablet")
	r.press("enter", "N").typeText("x").press("esc").press("N", "enter").sees("! disk full")
	if want := []string{tablet + "=Tablet", tablet + "="}; !slices.Equal(named, want) {
		t.Errorf("named %q, want %q", named, want)
	}
	r.m.cfg.NameDevice = nil
	r.press("N").sees("cannot be written")
}

// TestTheDeviceThatIsConnected is the newest until another one is chosen, and stays
// whoever talks meanwhile.
func TestTheDeviceThatIsConnected(t *testing.T) {
	t.Parallel()
	r := newRig(t, withDevices())
	r.press("c").sees("Device "+tablet, "2 more devices (4)")
	r.observe(flowtest.Get("https://www.canada.ca/", flowtest.ID(100), flowtest.At(8*time.Minute), sentBy(iphone, "")))
	r.news()
	r.sees("Device " + tablet)
	r.onto("4", "Pixel").press("0").sees("Device Pixel of the lab ("+pixel+")", "2 more")
	r.observe(flowtest.Get("https://www.canada.ca/", flowtest.ID(101), flowtest.At(9*time.Minute), sentBy("192.168.1.50", "")))
	r.news()
	r.sees("Device Pixel of the lab", "3 more")
}

// TestDiagnosesAreAskedForOncePerNews and never by drawing.
func TestDiagnosesAreAskedForOncePerNews(t *testing.T) {
	t.Parallel()
	asked := map[string]int{}
	s := withDevices()
	s.change = func(c *Config) {
		c.Diagnose = func(d capture.Device) []diagnosis.Diagnosis { asked[d.Addr]++; return storyDiagnoses(d) }
	}
	r := newRig(t, s)
	clear(asked)
	everywhereIn(r, func() { r.m.View() })
	if len(asked) > 0 {
		t.Errorf("keys and pictures asked for diagnoses: %v", asked)
	}
	r.news()
	for _, addr := range []string{pixel, iphone, tablet} {
		if asked[addr] != 1 {
			t.Errorf("%s: asked %d times for one piece of news", addr, asked[addr])
		}
	}
}

func TestDiagnosesLeadOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, withDevices())
	r.press("1").sees("192.168.1.40: the certificate is not installed (certain)  D what to do")
	r.resize(100, 24).sees("D what to do  1 of 2 diagnoses")
	r.resize(80, 24)
	r.press("D").sees("The certificate is not installed · certain", "device 1 of 3", "never opened the set-up page")
	r.press("n", "n").sees("Pixel of the lab", "The app pins its certificates · likely", "1. Take a build")
	r.press("n").sees("no device further")
	r.press("pgdown").sees("mtalk.google.com", "and 3 more")
	r.press("esc").sees("[4 Devices 3]")
	if _, line := r.line(); !strings.Contains(line, "Pixel") {
		t.Errorf("the list has its cursor on %q", line)
	}

	// Of one device alone, that device's; what the system refuses is none.
	r.press("space").sees("the app pins its certificates (likely)")
	r.seesNot("of 2 diagnoses")
	r.onto("1", "pinned").press("enter").sees("Why it could not be read", "The app pins its certificates (likely).", "Next: Take a build")
	r.press("D").sees("device 3 of 3")

	// A flow that was read needs none.
	r.press("esc", "esc")
	r.onto("2", "retrieva").press("enter").seesNot("Why it could not be read")

	none := newRig(t, withStory())
	none.press("D").sees("no diagnosis")
}

// TestAnExplanationChanges while the flow is open.
func TestAnExplanationChanges(t *testing.T) {
	t.Parallel()
	title := "the app pins its certificates"
	s := withDevices()
	s.change = func(c *Config) {
		c.Diagnose = func(d capture.Device) []diagnosis.Diagnosis {
			found := storyDiagnoses(d)
			if len(found) > 0 {
				found[0].Title = title
			}
			return found
		}
	}
	r := newRig(t, s)
	r.onto("1", "pinned").press("enter").sees("The app pins its certificates (likely).")
	title = "it is the user's own authority"
	r.news()
	r.sees("It is the user's own authority (likely).")
}

// TestAMaskedDiagnosisExplains a flow whose host holds what must not be shown.
func TestAMaskedDiagnosisExplains(t *testing.T) {
	t.Parallel()
	const host = "s3cr3t-tenant-name.example.com"
	s := setting{flows: flowtest.Number(flowtest.Refused(host)), text: strings.Replace(covidPolicy, secretMail, "s3cr3t-tenant-name", 1)}
	var m *model
	s.change = func(c *Config) {
		c.Diagnose = func(capture.Device) []diagnosis.Diagnosis {
			found := diagnosesOf("the app pins its certificates")
			found[0].Hosts = []string{m.mask(false).text(host)}
			return found
		}
	}
	flows := s.flows
	s.flows = nil
	r := newRig(t, s)
	m = r.m
	r.observe(flows...)
	r.news()
	r.press("3", "enter").sees("The app pins its certificates (possible).")
	r.seesNot("s3cr3t-tenant-name")
}

func TestDevicesOfOneNameAreToldApart(t *testing.T) {
	t.Parallel()
	names := namesOf([]capture.Device{{Addr: pixel, Name: "Pixel"}, {Addr: iphone, Name: "iPhone"}, {Addr: tablet, Name: "Pixel"}, {Addr: "10.0.0.1"}})
	want := map[string]string{pixel: "Pixel (" + pixel + ")", iphone: "iPhone", tablet: "Pixel (" + tablet + ")"}
	if !maps.Equal(names, want) {
		t.Errorf("the names are %v, want %v", names, want)
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{"3/1,200": share(3, 1200), "4": share(4, 4), "0/4": share(0, 4), "5": share(6, 5)} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestDevicesShowNoSecret gives devices, hosts and diagnoses texts with a value that must
// never be sent: none is shown before a person asks for it.
func TestDevicesShowNoSecret(t *testing.T) {
	t.Parallel()
	const host = "s3cr3t-tenant-name.example.com"
	secrets := []string{secretMail, "s3cr3t-tenant"}
	s := setting{w: 140, h: 45, text: covidPolicy + "devices:\n  - name: \"tab of " + secretMail + "\"\n    address: " + tablet + "\n"}
	s.text = strings.Replace(s.text, "waivers:", "  - name: tenant\n    value: s3cr3t-tenant-name\nwaivers:", 1)
	s.change = func(c *Config) {
		c.NameDevice = func(string, string) error { return errors.New("no room for " + secretMail) }
		c.Connect.Checklist = func(capture.Device, Place, []diagnosis.Diagnosis, time.Time) []Check {
			return []Check{{Text: "Of " + secretMail, Advice: []string{"Ask " + secretMail, "or " + host}}}
		}
		c.Diagnose = func(capture.Device) []diagnosis.Diagnosis {
			found := diagnosesOf("pinned by " + secretMail)
			found[0].Hosts = []string{host}
			return found
		}
		c.Problems = func() []string { return []string{"trouble at " + host} }
	}
	s.flows = flowtest.Number(
		flowtest.Get("https://"+host+"/", sentBy(pixel, "phone of "+secretMail)), flowtest.Refused(host, sentBy(pixel, "phone of "+secretMail)),
		flowtest.Get("https://b."+host+"/", sentBy(tablet, "")), flowtest.Get("https://c."+host+"/", sentBy(iphone, "phone of "+secretMail)),
	)
	look := func(r *rig, keys ...string) {
		t.Helper()
		for _, key := range keys {
			r.press(key)
			r.seesNot(secrets...)
		}
	}
	r := newRig(t, s)
	look(r, "c", "1", "enter", "tab", "D", "n", "pgdown", "N", "x", "enter", "esc", "a", "esc", "esc", "2", "d", "d", "F", "space", "3", "enter", "esc", "4", "space", "1", "2", "3", "4", "space", "enter", "end", "esc", "0")
	r.press("1")
	r.observe(flowtest.Get("https://d."+host+"/", flowtest.ID(90), flowtest.At(5*time.Minute), sentBy("192.168.1.50", secretMail)))
	r.news()
	r.seesNot(secrets...)
	r.press("2")
	r.observe(flowtest.Get("https://d."+host+"/", flowtest.ID(91), flowtest.At(6*time.Minute), sentBy("192.168.1.51", secretMail)))
	r.news()
	r.seesNot(secrets...)

	shown := s.change
	s.change = func(c *Config) { shown(c); c.Reveal = true }
	r = newRig(t, s)
	r.press("4").sees("phone of "+secretMail, "pinned by "+secretMail)
	r.press("enter").sees(host, "Ask "+secretMail)
	r.press("2").sees(host)
}

// TestThePageSaysADiagnosisOnce, above the checklist; where there is no page above it,
// the checklist has to say it.
func TestThePageSaysADiagnosisOnce(t *testing.T) {
	t.Parallel()
	const diagnosed, own = "Open the set-up page on the device.", "Close the app and open it again."
	s := withDevices()
	given := s.change
	s.change = func(c *Config) {
		given(c)
		c.Diagnose = func(capture.Device) []diagnosis.Diagnosis {
			return []diagnosis.Diagnosis{{Cause: diagnosis.NotInstalled, Certainty: diagnosis.Certain, Title: "it is not installed", Connections: 1, Next: []string{diagnosed}}}
		}
		c.Connect.Checklist = func(_ capture.Device, _ Place, found []diagnosis.Diagnosis, _ time.Time) []Check {
			return []Check{{Text: "Its TLS can be read", State: CheckTrouble, Advice: found[0].Next, Diagnosed: true}, {Text: "The app made its first contact", Advice: []string{own}}}
		}
	}
	s.w, s.h = 100, 50
	r := newRig(t, s)
	r.press("c").sees("✗ Its TLS can be read", diagnosed, own)
	r.press("4", "enter").sees("✗ Its TLS can be read", own)
	if n := strings.Count(r.m.View(), diagnosed); n != 1 {
		t.Errorf("the page says what to do %d times:\n%s", n, r.m.View())
	}
	r.press("c").sees(diagnosed)
}
