package setup

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

//go:embed page.html
var pageText string

//go:embed page.css
var style string

//go:embed page.js
var script string

// policy lets the page use its own style and script and nothing else, which are
// named by their hashes (Content Security Policy Level 3, 2.3.1): page.css and
// page.js must reach the browser byte for byte. The script may ask the page's own
// origin for progress, and by the name that only the proxy knows whether it is
// set and trusted; the one form leads to a profile of ours.
var policy = "default-src 'none'; style-src " + hashSource(style) + "; script-src " + hashSource(script) +
	"; connect-src 'self' http://" + Host + " https://" + Host +
	"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// view is what the page shows.
type view struct {
	Style       template.CSS
	Script      template.JS
	Live        bool // the script runs: the page was opened by a name that its answers trust
	Place       Place
	Elsewhere   []Place  // for another device, when the visitor is this machine
	Code        *drawing // QR code of the first of them
	Print       string   // fingerprint of the root
	Fingerprint []string // the same in lines
	Until       string
	ID, Name    string // of the visitor's platform
	Status      string
	Sentences   []statusText
	Stages      []stageView
	Steps       []seenView // what was recorded; none without a record
	Undo        []stepView
	Notes       [][]part
	Devices     []Platform
	Reload      string
	Tunnel      []stepView // with WireGuard instead of the proxy; none where it is off
	TunnelCode  *drawing   // QR code of its configuration, when the visitor is this machine
}

// statusText is what the status says while a stage is next, as an attribute for the
// script.
type statusText struct{ stage, text string }

// Attr returns the attribute.
func (s statusText) Attr() template.HTMLAttr {
	return template.HTMLAttr(`data-` + s.stage + `="` + s.text + `"`) //nolint:gosec // of the table below
}

var sentences = []statusText{
	{"proxy", "Next: set the proxy."},
	{"certificate", "The proxy is set. Next: the certificate."},
	{"app", "The certificate is trusted. Next: open the app."},
	{"done", "All set: telltale sees this device. Take both off again when the audit is over."},
}

type stageView struct {
	ID, Title string
	Short     string // the title in a word
	Done      bool
	State     string // "done", "now" or "later"
	Values    bool   // server and port stand out
	Profile   bool   // a profile can do it
	Steps     []stepView
}

type stepView struct {
	Link, Label string // of the button; "" for none
	Bare        bool   // the label says it all
	Text        []part
	Why         []part
	Code        string
}

// seenView is one line of the checklist.
type seenView struct{ Text, State, Advice string }

// page returns the page for one visitor.
func (h *handler) page(r *http.Request) ([]byte, error) {
	own, place := PlatformOf(r.UserAgent()), h.place(r)
	reload := pagePath
	if chosen, ok := platformByID(r.URL.Query().Get("device")); ok {
		own, reload = chosen, pagePath+"?"+url.Values{"device": {chosen.ID}}.Encode()
	}
	forPhones, elsewhere, err := h.forPhones(place)
	if err != nil {
		return nil, err
	}
	// A phone that comes by loopback is on a cable (`adb reverse`): it needs no
	// other address. The steps for a phone that are read on this machine do.
	if byLoopback := elsewhere != nil; byLoopback && PlatformOf(r.UserAgent()).mobile {
		elsewhere = nil
	} else if byLoopback && own.mobile {
		place = forPhones
	}
	observed := h.observed(r)
	v := view{
		Style:       template.CSS(style), //nolint:gosec // a file of ours
		Script:      template.JS(script), //nolint:gosec // a file of ours
		Live:        trusted(r.Host),
		Place:       place,
		Elsewhere:   elsewhere,
		Print:       fingerprint(h.Authority),
		Fingerprint: inLines(fingerprint(h.Authority)),
		Until:       h.Authority.Certificate().NotAfter.UTC().Format("2 January 2006"),
		ID:          own.ID,
		Name:        own.Name,
		Sentences:   sentences,
		Undo:        stepViews(own.Undo, place),
		Devices:     Platforms,
		Reload:      reload,
	}
	v.Stages, v.Status = stageViews(own, place, observed.reach)
	for _, step := range observed.Steps {
		v.Steps = append(v.Steps, seenView(step))
	}
	for _, note := range own.Notes {
		v.Notes = append(v.Notes, parse(note, place))
	}
	if len(elsewhere) > 0 {
		code, err := QR(elsewhere[0].Page())
		if err != nil {
			return nil, err
		}
		v.Code = code.drawing()
	}
	if err := h.offerTunnel(&v, r, own, place); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("set-up page: %w", err)
	}
	return b.Bytes(), nil
}

// stageViews returns the stages of a platform, and what the status says. The
// first stage that is not done is the one to do now.
func stageViews(p Platform, at Place, reached reach) ([]stageView, string) {
	stages := []stageView{
		SetProxy:       {ID: "proxy", Title: "Set the proxy", Short: "Proxy", Done: reached.Proxied, Values: true, Profile: p.ID == "ios"},
		TrustAuthority: {ID: "certificate", Title: "Install the certificate", Short: "Certificate", Done: reached.Trusted},
		OpenApp:        {ID: "app", Title: "Open the app", Short: "App", Done: reached.App},
	}
	next := len(stages)
	for i := range stages {
		var steps []Step
		for _, step := range p.Steps {
			if step.Stage == Stage(i) {
				steps = append(steps, step)
			}
		}
		stages[i].Steps = stepViews(steps, at)
		switch {
		case stages[i].Done:
			stages[i].State = "done"
		case next == len(stages):
			next, stages[i].State = i, "now"
		default:
			stages[i].State = "later"
		}
	}
	return stages, sentences[next].text
}

func stepViews(steps []Step, at Place) []stepView {
	var views []stepView
	for _, s := range steps {
		v := stepView{Text: parse(s.Text, at), Why: parse(s.Why, at), Code: fill(s.Code, at)}
		for _, part := range v.Text {
			if part.Kind == linkPart {
				v.Link, v.Label, v.Bare = fill(s.Link, at), part.Text, len(v.Text) == 1
			}
		}
		views = append(views, v)
	}
	return views
}

// drawing is a QR code as paths of SVG.
type drawing struct{ Box, Ground, Modules string }

// drawing draws the code with a margin of four modules (ISO/IEC 18004, 6.3.8), a
// run of dark modules in one stroke.
func (c Code) drawing() *drawing {
	const quiet = 4
	side := c.Size() + 2*quiet
	var b strings.Builder
	for y := range c.Size() {
		for x := 0; x < c.Size(); {
			n := 0
			for x+n < c.Size() && c.code.Black(x+n, y) {
				n++
			}
			if n > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, n, n)
			}
			x += max(n, 1)
		}
	}
	return &drawing{fmt.Sprintf("0 0 %d %d", side, side), fmt.Sprintf("M0 0h%dv%dh-%dz", side, side, side), b.String()}
}

// inLines parts a fingerprint into lines that fit a phone, eight bytes each.
func inLines(fingerprint string) []string {
	var lines []string
	for fingerprint != "" {
		n := min(len(fingerprint), 8*len("00:"))
		lines = append(lines, strings.TrimSuffix(fingerprint[:n], ":"))
		fingerprint = fingerprint[n:]
	}
	return lines
}
