package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/flow/plain"
)

// patients are the captures that an examination has to tell.
var patients = map[string]func() *Examination{
	"unread":   blocked,
	"readable": func() *Examination { return &Examination{Report: clean(), Fetched: fetchedAt(epoch)} },
	"system":   systemAlone,
	"keepers":  keepersAlone,
	"settled":  settled,
	"reread":   reread,
	"noapp":    func() *Examination { return &Examination{Report: clean(), AppUnseen: true} },
	"guess":    guessed,
	"untold":   untold,
	"unclear":  func() *Examination { return &Examination{Report: unreadAndWaived()} },
	"empty":    func() *Examination { return &Examination{Report: nothingCame()} },
	"turnedaway": func() *Examination {
		return &Examination{Report: nothingCame(), Away: []diagnosis.TurnedAway{
			{Client: "192.168.1.5", Why: "the client did not give the proxy's user and password", Attempts: 3},
			{Client: "192.168.1.9", Why: "the client is not one of the devices that were named", Attempts: 1},
			{Client: "203.0.113.9", Why: "the client has a public address: it must be named to be let in", Attempts: 2},
			{Why: "the client has more than 16384 connections open", Attempts: 1},
		}}
	},
	"pageonly": pageOnly,
	"har":      func() *Examination { return &Examination{Report: covidAlert()} },
	"unnamed":  unnamed,
	"damaged":  func() *Examination { return &Examination{Report: damaged()} },
	"hostile":  sick,
}

func fetchedAt(at time.Time) func(capture.Device) time.Time {
	return func(capture.Device) time.Time { return at }
}

// blocked has an app that cannot be read, and much else that went wrong.
func blocked() *Examination {
	r := threeDevices()
	r.Summary.Health.Unread["pass.example"] = map[flow.Outcome]int{flow.PassedThrough: 4}
	return &Examination{
		Report: r, Skew: -3 * time.Hour,
		Fetched: func(d capture.Device) time.Time {
			if d.Refused > 0 {
				return after(30 * time.Second)
			}
			return time.Time{}
		},
		Failures: []diagnosis.Failure{
			{Class: flow.FailureDNS, Contacts: 3, Hosts: []string{"a.internal", "b.internal", "c.internal", "d.internal", "e.internal", "f.internal"}, MoreHosts: 2},
			{Class: flow.FailureCertificate, Contacts: 1, Hosts: []string{"self-signed.example"}},
			{Class: diagnosis.Local, Contacts: 1, Hosts: []string{"127.0.0.1"}},
			{Class: "new", Contacts: 1, Hosts: []string{"x.example"}},
		},
	}
}

// keepersAlone has nothing that was read, and services of the system that refuse.
func keepersAlone() *Examination {
	e := systemAlone()
	e.Summary.Health.Devices[1].Decrypted = time.Time{}
	return e
}

// reread was refused after the device trusted us, and is read since.
func reread() *Examination {
	var c diagnosis.Collector
	agent := flowtest.UserAgentOf(app)
	early := flowtest.Refused(retrieval)
	early.Request = &flow.Request{Method: "CONNECT", Header: []flow.Field{flow.NewField("User-Agent", app)}}
	flowtest.At(10 * time.Second)(early)
	for _, f := range []*flow.Flow{
		flowtest.Get("https://other.example/", agent), early,
		flowtest.Get("https://"+retrieval+"/", agent, flowtest.At(20*time.Second)),
	} {
		c.Add(f)
	}
	e := settled()
	d := &e.Summary.Health.Devices[0]
	d.Refusal.At, d.Evidence = after(10*time.Second), c.Evidence()
	return e
}

// guessed is a capture in which the TLS stack alone says whose the refusals are.
func guessed() *Examination {
	r := threeDevices()
	r.Summary.Health.Devices[1].Decrypted = after(time.Second)
	r.Diagnose = func(d capture.Device) []diagnosis.Diagnosis {
		all := diagnoseOther(d)
		if all != nil {
			all[0].Cause, all[0].Certainty, all[0].Guess, all[0].AtLeast = diagnosis.AppPinning, diagnosis.Possible, true, true
			all[0].Title = "curl pins its certificates"
		}
		return all
	}
	return &Examination{Report: r}
}

// untold is a HAR of which some connections failed at a certificate.
func untold() *Examination {
	r := covidAlert()
	r.Summary.Health.Unread = map[string]map[flow.Outcome]int{probe: {flow.UpstreamFailed: 2}}
	return &Examination{
		Report: r, Untold: 2, Failures: []diagnosis.Failure{{Class: flow.FailureCertificate, Contacts: 2, Hosts: []string{probe}}},
		Unnamed: &capture.Device{Flows: 9, Unread: 2, Outcomes: map[flow.Outcome]int{flow.UpstreamFailed: 2}, First: epoch, Last: after(time.Minute)},
	}
}

func systemAlone() *Examination {
	r := threeDevices()
	r.Summary.Health.Devices[1].Decrypted = after(time.Second)
	r.Diagnose = func(d capture.Device) []diagnosis.Diagnosis {
		if all := diagnoseOther(d); all != nil {
			return all[1:]
		}
		return nil
	}
	return &Examination{Report: r}
}

func settled() *Examination {
	r := clean()
	r.Summary.Health.Unread = map[string]map[flow.Outcome]int{retrieval: {flow.ClientRefused: 2}}
	d := &r.Summary.Health.Devices[0]
	d.Unread, d.Refused, d.Refusal = 2, 2, capture.Refusal{At: epoch, Host: retrieval}
	return &Examination{Report: r}
}

func nothingCame() *Report {
	r := base()
	r.Modes, r.Captures = nil, []CaptureInfo{{File: "audit.telltale", Producer: "telltale"}}
	return r
}

func pageOnly() *Examination {
	r := nothingCame()
	r.Summary.Health.Devices = []capture.Device{{Addr: "192.168.1.23", First: epoch, Last: epoch}}
	return &Examination{Report: r, Fetched: fetchedAt(epoch)}
}

// unnamed is a file of another program that has connections which could not be read,
// and no addresses.
func unnamed() *Examination {
	r := covidAlert()
	r.Summary.Health.Unread = map[string]map[flow.Outcome]int{probe: {flow.ClientRefused: 2}}
	return &Examination{Report: r, Unnamed: &capture.Device{Flows: 9, Unread: 2, Refused: 2, First: epoch, Last: after(time.Minute)}}
}

// sick is an examination whose texts are all hostile.
func sick() *Examination { return sickWith(attack + secret) }

func sickWith(bad string) *Examination {
	r := hostileWith(bad)
	return &Examination{
		Report: r, Unnamed: &capture.Device{Name: bad, Unread: 1},
		Failures: []diagnosis.Failure{{Class: bad, Contacts: 1, Hosts: []string{bad, "=" + bad}}},
		Away:     []diagnosis.TurnedAway{{Client: bad, Why: "public address " + bad, Attempts: 1}, {Client: bad, Why: bad, Attempts: 1}},
	}
}

func examine(t testing.TB, e *Examination, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := e.Write(&b, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var doctorExt = map[string]string{"text": ".txt", "markdown": ".md", "json": ".json"}

func TestDoctorGoldens(t *testing.T) {
	want := map[string]bool{}
	for name, build := range patients {
		for _, format := range DoctorFormats {
			file := filepath.Join("testdata", "doctor", name+doctorExt[format])
			want[file] = true
			got := examine(t, build(), format)
			for range 4 {
				if examine(t, build(), format) != got {
					t.Fatalf("%s of %s differs from run to run", format, name)
				}
			}
			sameAsGolden(t, file, got)
		}
	}
	files, err := filepath.Glob("testdata/doctor/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !want[file] {
			t.Errorf("%s belongs to no case", file)
		}
	}
}

func TestDoctorVerdicts(t *testing.T) {
	for name, want := range map[string]string{
		"keepers": Unclear, "reread": Readable, "noapp": Unclear, "guess": Unclear, "untold": Unclear,
		"unread": Unread, "readable": Readable, "system": Readable, "settled": Readable, "unclear": Unclear, "empty": Empty,
		"turnedaway": Empty, "pageonly": Empty, "har": Readable, "damaged": Unclear, "unnamed": Unclear, "hostile": Unread,
	} {
		if got := patients[name]().Verdict(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	passed := &Examination{Report: clean()}
	passed.Summary.Health.Unread = map[string]map[flow.Outcome]int{"a.example": {flow.PassedThrough: 2, flow.Tunnelled: 1}}
	if got := passed.Verdict(); got != Readable {
		t.Errorf("what was passed through as asked is %s", got)
	}
	for _, cause := range diagnosis.Causes {
		e := &Examination{Report: clean()}
		e.Diagnose = func(capture.Device) []diagnosis.Diagnosis { return []diagnosis.Diagnosis{{Cause: cause, Title: "x"}} }
		want := Unread
		if cause == diagnosis.SystemPinning || cause == diagnosis.HiddenByRelay {
			want = Readable
		}
		if got := e.Verdict(); got != want {
			t.Errorf("%s is %s, want %s", cause, got, want)
		}
	}
}

// TestDoctorOfWhatLeavesNothingUnread checks that what leads round the proxy, and
// another device that never used the app, make no capture unreadable, but are said.
func TestDoctorOfWhatLeavesNothingUnread(t *testing.T) {
	aside := map[diagnosis.Cause]diagnosis.Diagnosis{
		diagnosis.ProxyIgnored:  {Cause: diagnosis.ProxyIgnored, Certainty: diagnosis.Possible, Title: "the app never came"},
		diagnosis.HiddenByRelay: {Cause: diagnosis.HiddenByRelay, Certainty: diagnosis.Possible, Title: "a relay may lead round"},
	}
	for cause, d := range aside {
		e := &Examination{Report: clean()}
		e.Diagnose = func(capture.Device) []diagnosis.Diagnosis { return []diagnosis.Diagnosis{d} }
		want := "nothing of an app stayed unread, but " + d.Title + " (possible)"
		if got := e.examine().finding(onTerminal); e.Verdict() != Readable || got != want {
			t.Errorf("%s is %s: %s", cause, e.Verdict(), got)
		}
		e.Summary.Health.Unread = map[string]map[flow.Outcome]int{"a.example": {flow.ClientRefused: 2}}
		e.Summary.Health.Devices[0].Unread = 2
		if got := e.examine().finding(onTerminal); e.Verdict() != Unclear || !strings.HasPrefix(got, "2 connections could not be read") {
			t.Errorf("%s explains connections that it is not about: %s, %s", cause, e.Verdict(), got)
		}
	}
}

// TestDoctorOfOneDeviceThatIsPassedThrough checks that picking a device changes nothing
// where there is no other.
func TestDoctorOfOneDeviceThatIsPassedThrough(t *testing.T) {
	e := &Examination{Report: clean()}
	outcomes := map[flow.Outcome]int{flow.PassedThrough: 1, flow.Tunnelled: 1}
	e.Summary.Health.Unread = map[string]map[flow.Outcome]int{"bank.example": outcomes}
	d := &e.Summary.Health.Devices[0]
	d.Unread, d.Outcomes = 2, outcomes
	for _, e.Device = range []string{"", d.Addr} {
		if got := examine(t, e, "text"); e.Verdict() != Readable || !strings.Contains(got, "1 connection: not decrypted, as asked.") {
			t.Errorf("with --device %q:\n%s", e.Device, got)
		}
	}
}

// TestDoctorWords checks what an examination must not say.
func TestDoctorWords(t *testing.T) {
	for name, build := range patients {
		got := examine(t, build(), "text")
		for _, never := range []string{"no   none", "could not be read: 0", "UNREAD  Curl", "All that is in the capture could be read; it"} {
			if strings.Contains(got, never) && name != "har" {
				t.Errorf("%s says %q:\n%s", name, never, got)
			}
		}
	}
	got := examine(t, untold(), "text")
	for _, never := range []string{"uses the proxy", "this machine does not trust", "READABLE"} {
		if strings.Contains(got, never) {
			t.Errorf("a HAR does not tell %q:\n%s", never, got)
		}
	}
	e := guessed()
	e.Report.Diagnose = func(d capture.Device) []diagnosis.Diagnosis {
		return []diagnosis.Diagnosis{{Cause: diagnosis.NotInstalled, Certainty: diagnosis.Likely, Title: "curl does not have it", App: "curl/8"}}
	}
	if got := examine(t, e, "text"); !strings.HasPrefix(got, "UNREAD  curl does not") {
		t.Error(got)
	}
}

// TestDoctorIsHarmless checks that no byte acts on a terminal, that nothing can be
// forged in Markdown, and that never-send values are masked, whatever the capture holds.
func TestDoctorIsHarmless(t *testing.T) {
	for name, build := range patients {
		for _, format := range DoctorFormats {
			got := examine(t, build(), format)
			if !utf8.ValidString(got) {
				t.Errorf("%s of %s is not UTF-8", format, name)
			}
			for _, r := range got {
				if r != '\n' && !plain.Shows(r) {
					t.Errorf("%s of %s holds %U", format, name, r)
				}
			}
			if strings.Contains(got, secret) {
				t.Errorf("%s of %s shows a never-send value", format, name)
			}
			if format == "json" && !json.Valid([]byte(got)) {
				t.Errorf("%s is not JSON", name)
			}
		}
		for i, line := range strings.Split(examine(t, build(), "markdown"), "\n") {
			bare := ours.ReplaceAllString(outsideCode(strings.TrimPrefix(line, "  ")), "")
			if meaning := activeMarkup(bare); meaning != "" {
				t.Errorf("%s, line %d: %q is active in %q", name, i+1, meaning, line)
			}
		}
	}
}

func TestDoctorFits(t *testing.T) {
	for name, build := range patients {
		for _, width := range []int{0, 20, 40, 66, 200} {
			e := build()
			e.Width = width
			for _, line := range strings.Split(examine(t, e, "text"), "\n") {
				if most := min(max(e.Width, minWidth), maxWidth); width > 0 && cells(line) > most {
					t.Errorf("%s at %d columns: %d in %q", name, width, cells(line), line)
				}
			}
		}
	}
}

// TestDoctorBounds checks that many devices and findings do not make the document
// endless, and that what is left out is counted; JSON has all.
func TestDoctorBounds(t *testing.T) {
	e := &Examination{Report: huge(200)}
	for i := range 50 {
		e.Away = append(e.Away, diagnosis.TurnedAway{Client: fmt.Sprintf("203.0.113.%d", i), Why: "the client has a public address", Attempts: 1})
	}
	for _, format := range []string{"text", "markdown"} {
		got := examine(t, e, format)
		if len(got) > 400_000 || !strings.Contains(got, "185 more devices") || !strings.Contains(got, "40 more clients were turned away") {
			t.Errorf("%s has %d bytes", format, len(got))
		}
	}
	var doc doctorDocument
	if err := json.Unmarshal([]byte(examine(t, e, "json")), &doc); err != nil || len(doc.Devices) != 200 || len(doc.Away) != 50 {
		t.Errorf("%d devices, %d clients, %v", len(doc.Devices), len(doc.Away), err)
	}
}

func TestDoctorOfOneDevice(t *testing.T) {
	e := blocked()
	e.Device = "test phone"
	e.Summary.Health.Devices = e.Summary.Health.Devices[:1]
	if got := e.Verdict(); got != Readable {
		t.Errorf("the device that can be read is %s", got)
	}
	if got := examine(t, e, "text"); strings.Contains(got, "Pixel") || !strings.Contains(got, "READABLE") {
		t.Error(got)
	}
	if err := e.Write(os.Stdout, "xml"); err == nil {
		t.Error("there is a format that is not there")
	}
}
