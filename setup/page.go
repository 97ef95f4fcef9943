package setup

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.html
var pageText string

//go:embed page.css
var style string

// policy lets the page use its own style and nothing else; the style is named by
// its hash (Content Security Policy Level 3, 2.3.1), which is why page.css must
// reach the browser byte for byte.
var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// view is what the page shows.
type view struct {
	Style       template.CSS
	Place       Place
	Through     bool     // the visitor came through the proxy
	Elsewhere   []string // URLs for another device, when the visitor is this machine
	Fingerprint []string // in lines
	Until       string
	Platforms   []platformView // the visitor's first
}

type platformView struct {
	ID, Name string
	Open     bool
	Steps    []stepView
	Undo     []stepView
	Notes    [][]part
}

type stepView struct {
	Text []part
	Link string
	Why  []part
	Code string
	Done bool
}

// page returns the page for one visitor.
func (h *handler) page(r *http.Request) ([]byte, error) {
	own, place := PlatformOf(r.UserAgent()), h.place(r)
	v := view{
		Style:       template.CSS(style), //nolint:gosec // a file of ours
		Place:       place,
		Through:     throughProxy(r),
		Fingerprint: inLines(fingerprint(h.authority)),
		Until:       h.authority.Certificate().NotAfter.UTC().Format("2 January 2006"),
	}
	// Who looks at the page on this very machine wants to connect a phone,
	// which needs another address. A phone that comes by loopback does not: it
	// is on a cable (`adb reverse`).
	forPhones := place
	if place.loopback() && !own.mobile {
		addresses, err := h.addresses()
		if err != nil {
			return nil, err
		}
		for i, address := range addresses {
			elsewhere := Place{address, place.Port, place.Authority}
			v.Elsewhere = append(v.Elsewhere, elsewhere.Page())
			if i == 0 {
				forPhones = elsewhere
			}
		}
	}
	v.Platforms = append(v.Platforms, viewOf(own, place, true))
	v.Platforms[0].Steps[0].Done = v.Through
	for _, p := range Platforms {
		at := place
		if p.mobile {
			at = forPhones
		}
		if p.ID != own.ID {
			v.Platforms = append(v.Platforms, viewOf(p, at, false))
		}
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("set-up page: %w", err)
	}
	return b.Bytes(), nil
}

func viewOf(p Platform, at Place, open bool) platformView {
	v := platformView{ID: p.ID, Name: p.Name, Open: open, Steps: stepViews(p.Steps, at), Undo: stepViews(p.Undo, at)}
	for _, note := range p.Notes {
		v.Notes = append(v.Notes, parse(note, at))
	}
	return v
}

func stepViews(steps []Step, at Place) []stepView {
	var views []stepView
	for _, s := range steps {
		views = append(views, stepView{Text: parse(s.Text, at), Link: s.Link, Why: parse(s.Why, at), Code: fill(s.Code, at)})
	}
	return views
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
