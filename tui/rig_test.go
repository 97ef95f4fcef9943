package tui

import (
	"context"
	"flag"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
	"go.uber.org/goleak"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

var update = flag.Bool("update", false, "write the goldens anew")

func TestMain(m *testing.M) {
	time.Local = time.UTC
	goleak.VerifyTestMain(m)
}

// noon is the moment at which the screen is looked at: ten minutes into the audit.
var noon = flowtest.Epoch.Add(10 * time.Minute)

const (
	secretMail  = "alice@example.ca" // under never-send
	secretToken = "s3cr3t-bearer-t0ken"
)

const covidPolicy = `version: 1
name: COVID Alert talks to the Government of Canada only
app:
  user-agent: "CovidShield*"

# The servers of the app.
allow:
  - "*.canada.ca"   # all of them
ignore:
  - preset: ios-system
never-send:
  - name: e-mail of the test account
    value: ` + secretMail + `
waivers:
  - rule: host-not-allowed
    host: fonts.example.org
    reason: is taken out in the next version
    until: 2027-01-31
`

// rig drives the model as the program would, without a terminal: what a message
// starts is run to its end before the next message comes.
type rig struct {
	t      testing.TB
	m      *model
	store  *capture.Store
	file   string // of the policy
	now    time.Time
	quit   bool     // the program was asked to end
	copied []string // what was put on the clipboard
	wrote  []string // reports
	cmds   int      // commands run for the present message
	held   []tea.Cmd
	hold   bool // commands wait in held
}

// setting changes what a rig starts with.
type setting struct {
	flows  []*flow.Flow
	text   string // of the policy; "" is covidPolicy
	change func(*Config)
	theme  *theme
	w, h   int
	noFile bool   // the policy is not in a file yet
	file   string // as the screen names the policy's; "": where it is
}

func newRig(t testing.TB, s setting) *rig {
	t.Helper()
	r := &rig{t: t, now: noon}
	if s.text == "" {
		s.text = covidPolicy
	}
	dir := t.TempDir()
	r.file = filepath.Join(dir, "telltale.yaml")
	options := policy.Options{Now: func() time.Time { return noon }}
	pol, err := policy.Parse("telltale.yaml", []byte(s.text), options)
	check(t, err)
	r.store, err = capture.Create(filepath.Join(dir, "audit.telltale"), capture.Options{Judge: pol, Now: func() time.Time { return noon }})
	check(t, err)
	t.Cleanup(func() { r.store.Close() })
	cfg := Config{
		Store: r.store, Capture: "audit.telltale", Live: true, Connect: testConnect(),
		Policy: Policy{
			Current: pol, File: r.file, Text: []byte(s.text), Options: options,
			Parse: func(text []byte) (*policy.Policy, error) { return policy.Parse("telltale.yaml", text, options) },
		},
		Reports: Reports{
			Base: "audit", Write: func(files []string) error { r.wrote = append(r.wrote, files...); return nil },
			Formats: []ReportFormat{{".html", "for people, one file"}, {".md", "for a bug tracker"}, {".json", "for programs"}},
		},
		Now:       func() time.Time { return r.now },
		Clipboard: func(text string) (string, error) { r.copied = append(r.copied, text); return "", nil },
		Copies: []Copy{
			{"u", "URL", func(f *flow.Flow, _ policy.Judgement, mask func(string) string) string { return masked(f.URL(), mask) }},
			{"c", "curl command", func(f *flow.Flow, _ policy.Judgement, mask func(string) string) string {
				if f.Request == nil {
					return ""
				}
				return masked("curl "+f.URL()+" "+string(f.Request.Body.Content), mask)
			}},
		},
	}
	if s.file != "" {
		cfg.Policy.File = s.file
	}
	if s.noFile {
		cfg.Policy.Draft, cfg.Policy.Text = cfg.Policy.Text, nil
	} else {
		check(t, os.WriteFile(r.file, []byte(s.text), 0o600))
	}
	if s.change != nil {
		s.change(&cfg)
	}
	th := plainTheme()
	if s.theme != nil {
		th = *s.theme
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	r.m = newModel(ctx, cfg, th)
	t.Cleanup(r.m.feed.close)
	if s.w == 0 {
		s.w, s.h = 80, 24
	}
	r.observe(s.flows...)
	r.send(tea.WindowSizeMsg{Width: s.w, Height: s.h})
	r.news()
	return r
}

func masked(s string, mask func(string) string) string {
	if mask == nil {
		return s
	}
	return mask(flow.WithoutUser(s))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plainTheme has neither colours nor other styles: what goldens show is text.
func plainTheme() theme {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(termenv.Ascii)
	return themeOf(r, false)
}

// colourTheme has the sixteen colours.
func colourTheme(dark bool) *theme {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(termenv.ANSI)
	r.SetHasDarkBackground(dark)
	t := themeOf(r, true)
	return &t
}

// observe records flows, to the end.
func (r *rig) observe(flows ...*flow.Flow) {
	r.t.Helper()
	for _, f := range flows {
		r.store.Observe(f)
	}
	check(r.t, r.store.Sync())
}

// news lets the model know what the store has.
func (r *rig) news() { r.t.Helper(); r.send(r.m.feed.read()) }

// send handles a message, and everything that comes of it.
func (r *rig) send(msg tea.Msg) {
	r.t.Helper()
	r.cmds = 0
	r.handle(msg)
}

func (r *rig) handle(msg tea.Msg) {
	r.t.Helper()
	if msg == nil {
		return
	}
	if _, ok := msg.(tea.QuitMsg); ok {
		r.quit = true
		return
	}
	if v := reflect.ValueOf(msg); v.Kind() == reflect.Slice && v.Type().Elem() == reflect.TypeFor[tea.Cmd]() {
		for i := range v.Len() { // a batch or a sequence
			r.run(v.Index(i).Interface().(tea.Cmd))
		}
		return
	}
	_, cmd := r.m.Update(msg)
	r.m.View() // as the program does
	r.run(cmd)
}

// waiting are commands that end when something happens, not by themselves.
var waiting = []string{"(*feed).next", "(*loading).next", "(*originPanel).next", "bubbles/cursor"}

func (r *rig) run(cmd tea.Cmd) {
	r.t.Helper()
	if cmd == nil {
		return
	}
	name := runtime.FuncForPC(reflect.ValueOf(cmd).Pointer()).Name()
	for _, w := range waiting {
		if strings.Contains(name, w) {
			return
		}
	}
	if r.hold && !strings.Contains(name, "compactCmds") && !strings.HasSuffix(name, "tea.Quit") { // a batch is unpacked at once
		r.held = append(r.held, cmd)
		return
	}
	if r.cmds++; r.cmds > 500 {
		r.t.Fatalf("commands start each other without end; the last one is %s", name)
	}
	r.handle(cmd())
}

// release runs what was held back.
func (r *rig) release() {
	r.t.Helper()
	r.hold, r.cmds = false, 0
	held := r.held
	r.held = nil
	for _, cmd := range held {
		r.run(cmd)
	}
}

// keys are the keys that have a name.
var keys = map[string]tea.KeyType{
	"enter": tea.KeyEnter, "esc": tea.KeyEsc, "tab": tea.KeyTab, "shift+tab": tea.KeyShiftTab, "up": tea.KeyUp, "down": tea.KeyDown,
	"left": tea.KeyLeft, "right": tea.KeyRight, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd,
	"space": tea.KeySpace, "backspace": tea.KeyBackspace, "ctrl+c": tea.KeyCtrlC, "ctrl+u": tea.KeyCtrlU, "ctrl+b": tea.KeyCtrlB, "ctrl+f": tea.KeyCtrlF,
}

func keyMsg(name string) tea.KeyMsg {
	if kind, ok := keys[name]; ok {
		msg := tea.KeyMsg{Type: kind}
		if kind == tea.KeySpace {
			msg.Runes = []rune{' '}
		}
		return msg
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(name)}
}

// press presses keys, one after the other.
func (r *rig) press(names ...string) *rig {
	r.t.Helper()
	for _, name := range names {
		r.send(keyMsg(name))
	}
	return r
}

// typeText types a text letter by letter.
func (r *rig) typeText(text string) *rig {
	r.t.Helper()
	for _, c := range text {
		if c == ' ' {
			r.press("space")
			continue
		}
		r.press(string(c))
	}
	return r
}

func (r *rig) resize(w, h int) *rig {
	r.t.Helper()
	r.send(tea.WindowSizeMsg{Width: w, Height: h})
	return r
}

// sees fails unless the screen shows every one of the texts.
func (r *rig) sees(texts ...string) {
	r.t.Helper()
	view := r.m.View()
	for _, text := range texts {
		if !strings.Contains(view, text) {
			r.t.Fatalf("the screen does not show %q:\n%s", text, view)
		}
	}
}

// seesNot fails when the screen shows one of the texts.
func (r *rig) seesNot(texts ...string) {
	r.t.Helper()
	view := r.m.View()
	for _, text := range texts {
		if strings.Contains(view, text) {
			r.t.Fatalf("the screen shows %q:\n%s", text, view)
		}
	}
}

// line returns the number and the text of the row under the cursor.
func (r *rig) line() (int, string) {
	for i, l := range strings.Split(ansi.Strip(r.m.View()), "\n") {
		if rest, ok := strings.CutPrefix(l, "▸ "); ok {
			return i, rest
		}
	}
	return -1, ""
}

// onto moves the cursor of a view onto the row that holds a text.
func (r *rig) onto(view, text string) *rig {
	r.t.Helper()
	r.press(view, "home")
	for range 200 {
		if _, line := r.line(); strings.Contains(line, text) {
			return r
		}
		r.press("down")
	}
	r.t.Fatalf("no row holds %q:\n%s", text, r.m.View())
	return r
}

// testConnect has the outline of the real one: two addresses, two platforms.
func testConnect() *Connect {
	qr := make([]string, 17)
	for i := range qr {
		var b strings.Builder
		for j := range 33 {
			b.WriteRune([]rune(" ▀▄█")[(i*7+j*5+i*j)%4])
		}
		qr[i] = b.String()
	}
	place := func(host string) Place {
		return Place{Host: host, Port: "8080", Page: "http://" + host + ":8080/", QR: qr, QRInverse: qr}
	}
	return &Connect{
		Places: []Place{place("192.168.1.20"), place("10.0.0.7")},
		Guides: func(p Place) []Guide {
			return []Guide{
				{"iPhone and iPad", []string{
					"Settings › Wi-Fi: info button, Configure Proxy › Manual. Server " + p.Host + ", port 8080.",
					"Scan the code, tap Download the profile, and install it: Settings › General › VPN & Device Management.",
					"Switch it on: Settings › General › About › Certificate Trust Settings. Then restart the app.",
				}},
				{"Android", []string{
					"Settings › Network & internet › Internet: gear, pencil, Proxy › Manual. Host " + p.Host + ", port 8080.",
					"Scan the code, tap Download the certificate. In Settings, search for CA certificate and install it.",
					"Apps trust it only if built to, as Chrome is (see telltale setup android). Restart the app.",
				}},
			}
		},
		Checklist: func(d capture.Device, _ Place, found []diagnosis.Diagnosis, _ time.Time) []Check {
			state := func(done bool) CheckState {
				if done {
					return CheckDone
				}
				return CheckWaiting
			}
			list := []Check{
				{Text: "The device reached telltale", State: state(d.Addr != "")},
				{Text: "It opened the set-up page", State: state(len(d.Served) > 0)},
				{Text: "It fetched the certificate", State: CheckSkipped},
				{Text: "Its TLS was read", State: state(!d.Decrypted.IsZero())},
				{Text: "The app made a contact", State: state(d.Flows > 1)},
			}
			if d.Refused > 0 && d.Decrypted.IsZero() {
				list[3].State, list[3].Diagnosed = CheckTrouble, len(found) > 0
				list[3].Advice = []string{
					"The device refused the certificate for " + d.Refusal.Host + ": it does not trust it yet, or the app pins its own.",
					"If every host is refused, switch the certificate on: Settings › General › About › Certificate Trust Settings.",
				}
			}
			return list
		},
	}
}

// story is the audit of COVID Alert, with everything that a capture can hold.
func story() []*flow.Flow {
	at := flowtest.At
	const s = time.Second
	probe := func(d time.Duration) *flow.Flow {
		return flowtest.Head("https://clients3.google.com/generate_204", at(d))
	}
	flows := []*flow.Flow{
		flowtest.Get("https://retrieval.covid-notification.alpha.canada.ca/exposure-configuration/CA.json", at(0),
			flowtest.ResponseBody("application/json", `{"minimumRiskScore":0,"attenuationDurationThresholds":[50,62],"région":"CA"}`)),
		probe(2 * s),
		flowtest.Post("https://submission.covid-notification.alpha.canada.ca/claim-key", `{"oneTimeCode":"AAAABBBB"}`, at(5*s),
			flowtest.Header("Authorization", "Bearer "+secretToken), flowtest.Header("Cookie", "session="+secretToken)),
		flowtest.Refused("api.pinned.example.com", at(8*s)),
		probe(62 * s),
		flowtest.Get("http://captive.example.net/hotspot", at(64*s), flowtest.ResponseBody("text/html", "<html><body><p>Success</p></body></html>")),
		flowtest.Post("https://app-measurement.com/a?user="+secretMail, `{"mail":"`+secretMail+`","events":[1,2,3]}`, at(70*s),
			flowtest.Header("X-Account", secretMail)),
		flowtest.Get("https://mesu.apple.com/assets/com_apple_MobileAsset", at(75*s), flowtest.UserAgentOf("MobileAsset/1.1")),
		flowtest.Get("https://fonts.example.org/inter.woff2", at(80*s)),
		flowtest.WebSocket("wss://push.canada.ca/socket", []flow.Frame{
			flowtest.Text(true, 90*s, `{"subscribe":"keys"}`), flowtest.Text(false, 91*s, `{"hello":"`+secretMail+`"}`),
			{Time: flowtest.Epoch.Add(92 * s), Opcode: 2, Size: 4, Data: []byte{0, 1, 2, 255}},
		}, at(90*s)),
		flowtest.Request("POST", "https://forms.canada.ca/submit", at(95*s), flowtest.Header("Content-Type", "application/x-www-form-urlencoded"),
			flowtest.RequestBody("name=Zo%C3%AB&consent=yes&empty=")),
		flowtest.Request("POST", "https://forms.canada.ca/upload", at(96*s), flowtest.Header("Content-Type", "multipart/form-data; boundary=xx"),
			flowtest.RequestBody("--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--xx--\r\n")),
		flowtest.Request("POST", "https://grpc.canada.ca/v1.Keys/Get", at(97*s), flowtest.Proto("HTTP/2"), flowtest.Header("Content-Type", "application/x-protobuf"),
			flowtest.RequestBody("\x08\x96\x01\x12\x07testing")),
		flowtest.Get("https://www.canada.ca/logo.png", at(98*s), flowtest.ResponseBody("image/png",
			smallPNG())),
		flowtest.Get("https://www.canada.ca/private", at(99*s), flowtest.Status(401)),
		flowtest.Failed("https://down.canada.ca/health", flow.FailureDNS, at(100*s)),
		flowtest.Tunnel("push.example.com:5228", at(101*s)),
		flowtest.Get("https://slow.canada.ca/poll", at(110*s), flowtest.Outcome(flow.Open)),
		probe(122 * s),
		probe(182 * s),
	}
	flows[14].Request.URL = "https://user:" + secretToken + "@www.canada.ca/private"
	flows[17].Response = nil
	return flowtest.Number(flows...)
}

func smallPNG() string {
	var b strings.Builder
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 32))); err != nil {
		panic(err)
	}
	return b.String()
}

// hostile is text that would take a terminal over.
const hostile = "a\x1b[31mred\x1b]0;title\x07\u202eoverride\u2066\u200b\u0000\x7f\u009b2J\r\n\t日本語 e\u0301\u0301 \xff\xfe 👩‍👩‍👧 end"

// hostileFlow has it everywhere.
func hostileFlow(id flow.ID) *flow.Flow {
	f := flowtest.Post("https://xn--evil.example/"+hostile+"?q="+hostile, hostile, flowtest.ID(id), flowtest.At(5*time.Minute),
		flowtest.Header(hostile, hostile), flowtest.UserAgentOf(hostile), flowtest.Device(hostile), flowtest.Phase(hostile),
		flowtest.Altered(hostile), flowtest.ResponseHeader("X-"+hostile, hostile), flowtest.ResponseBody("text/plain; x="+hostile, hostile))
	f.Request.Method = "GE\x1bT\u202e"
	f.Request.Proto = hostile
	f.Response.Reason = hostile
	f.Server.Asked = hostile + ":443"
	f.Server.Host, f.Server.SNI = hostile, hostile
	f.Client.ALPN, f.Client.Hello.Alert = hostile, hostile
	f.Server.TLS.Invalid, f.Server.TLS.ALPN = hostile, hostile
	f.Server.TLS.Certificate = &flow.Certificate{Subject: hostile, Issuer: hostile, DNSNames: []string{hostile}, SHA256: hostile}
	f.Error = hostile
	return f
}
