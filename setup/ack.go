package setup

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"telltale/flow/plain"
)

// AcknowledgePath is where the page of an acknowledgement is served.
const AcknowledgePath = "/acknowledge"

// Acknowledgements is what the page of an acknowledgement asks. Its functions are called
// by several goroutines at once.
type Acknowledgements struct {
	// Check returns what a token is for, or why it is good for nothing, in words for
	// people that hold nothing of the token.
	Check func(token string) (subject string, err error)
	// Describe returns the violation that a subject means; an error of what is not here
	// (any more) is shown.
	Describe func(subject string) (Acknowledgeable, error)
	// Acknowledge notes that somebody knows of it. To do so again changes nothing.
	Acknowledge func(subject string) error
	// Refused is told of each token that is no good: the client's address, and why. Nil:
	// nobody is.
	Refused func(address string, err error)
}

// Acknowledgeable is a violation as the page shows it. Secrets in it are masked.
type Acknowledgeable struct {
	Title       string // what is wrong, in a sentence
	Rule, Host  string
	Policy      string // its name; ""
	Count       int    // flows so far
	First, Last time.Time
	// Acknowledged is when somebody did already, By who; zero: nobody did.
	Acknowledged time.Time
	By           string
}

type acknowledgement struct {
	Acknowledgements
	now     func() time.Time
	guesses guesses
}

//go:embed ack.html
var acknowledgementText string

var acknowledgementTemplate = template.Must(template.New("acknowledgement").Parse(acknowledgementText))

// acknowledgementPolicy lets the page use its style and send its form, no more.
var acknowledgementPolicy = "default-src 'none'; style-src " + hashSource(style) + "; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// acknowledgementView is what the page shows.
type acknowledgementView struct {
	Style         template.CSS
	Title, Lead   string
	Violation     *acknowledgeableView
	Token, Action string // of the form; "" where there is none
}

type acknowledgeableView struct{ Title, Rule, Host, Seen, Policy, Before string }

// NewAcknowledgement returns the handler of [AcknowledgePath]: the page that a link in a
// notification opens. A GET with ?token= shows what would be acknowledged and changes
// nothing, since chat programs open links by themselves; the button in it sends the same
// token in a form. What permits is the token alone: the page needs no cookie, works
// without scripts, and is kept by no browser and no search engine.
func NewAcknowledgement(c Acknowledgements) http.Handler {
	return &acknowledgement{Acknowledgements: c, now: time.Now}
}

// WithAcknowledgement returns a handler that serves the set-up page and, at
// [AcknowledgePath], the page of an acknowledgement.
func WithAcknowledgement(page, acknowledgement http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == AcknowledgePath {
			acknowledgement.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// ServeHTTP answers one request.
func (a *acknowledgement) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	w.Header().Set("Content-Security-Policy", acknowledgementPolicy)
	w.Header().Set("X-Robots-Tag", "noindex, nofollow")
	switch {
	case r.URL.Path != AcknowledgePath:
		a.answer(w, http.StatusNotFound, acknowledgementView{Title: "Nothing is here", Lead: "The link may be incomplete."})
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		a.show(w, r)
	case r.Method == http.MethodPost:
		a.take(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		a.answer(w, http.StatusMethodNotAllowed, acknowledgementView{Title: "This is a page to look at", Lead: "It takes nothing but its own form."})
	}
}

// show answers with what would be acknowledged.
func (a *acknowledgement) show(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	_, violation, ok := a.permitted(w, r, token)
	if !ok {
		return
	}
	view := acknowledgementView{Title: "Acknowledge this violation?", Violation: violation.view(), Token: token, Action: AcknowledgePath,
		Lead: "To acknowledge says that somebody knows of it and takes care: nobody else is called on about it."}
	if !violation.Acknowledged.IsZero() {
		view.Title, view.Lead, view.Token = "Already acknowledged", "Somebody knows of it. There is nothing left to do here.", ""
	}
	a.answer(w, http.StatusOK, view)
}

// maxForm is how long a form may be, in bytes: twice a token.
const maxForm = 8 << 10

// take acknowledges.
func (a *acknowledgement) take(w http.ResponseWriter, r *http.Request) {
	if !fromOwnPage(r) {
		a.answer(w, http.StatusForbidden, acknowledgementView{Title: "Not from here", Lead: "Another site sent this form. Open the link of the notification instead."})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		a.answer(w, http.StatusBadRequest, acknowledgementView{Title: "That was no form", Lead: "Open the link of the notification again."})
		return
	}
	subject, violation, ok := a.permitted(w, r, r.PostForm.Get("token"))
	if !ok {
		return
	}
	if err := a.Acknowledge(subject); err != nil {
		a.answer(w, http.StatusInternalServerError, acknowledgementView{Title: "It could not be noted", Lead: sentence(err), Violation: violation.view()})
		return
	}
	a.answer(w, http.StatusOK, acknowledgementView{Title: "Acknowledged", Lead: "Thank you. This page can be closed.", Violation: violation.view()})
}

// permitted returns what a token is for, or answers why it is for nothing.
func (a *acknowledgement) permitted(w http.ResponseWriter, r *http.Request, token string) (subject string, of Acknowledgeable, ok bool) {
	client, _ := clientOf(r)
	if !a.guesses.left(client, a.now()) {
		w.Header().Set("Retry-After", "60")
		a.answer(w, http.StatusTooManyRequests, acknowledgementView{Title: "Too many wrong links", Lead: "Try again in a minute."})
		return "", Acknowledgeable{}, false
	}
	subject, err := a.Check(token)
	if err != nil {
		a.guesses.wrong(client)
		if a.Refused != nil {
			a.Refused(r.RemoteAddr, err)
		}
		a.answer(w, http.StatusForbidden, acknowledgementView{Title: "This link does not work",
			Lead: sentence(err) + " Nothing was acknowledged. A violation can be acknowledged on telltale's screen too, or with telltale ack."})
		return "", Acknowledgeable{}, false
	}
	of, err = a.Describe(subject)
	if err != nil {
		a.answer(w, http.StatusNotFound, acknowledgementView{Title: "That violation is not here", Lead: sentence(err)})
		return "", Acknowledgeable{}, false
	}
	return subject, of, true
}

func (a *acknowledgement) answer(w http.ResponseWriter, status int, view acknowledgementView) {
	view.Style = template.CSS(style) //nolint:gosec // our own style sheet
	var page bytes.Buffer
	if err := acknowledgementTemplate.Execute(&page, view); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // a visitor who left is nobody's trouble
}

// view returns the violation in words; what came from the wire is made harmless.
func (v Acknowledgeable) view() *acknowledgeableView {
	const minute = "2006-01-02 15:04 MST"
	view := &acknowledgeableView{Title: plain.Text(v.Title), Rule: plain.Text(v.Rule), Host: plain.Text(v.Host), Policy: plain.Text(v.Policy)}
	last := v.Last.UTC().Format(minute)
	view.Seen = fmt.Sprintf("%d times, %s to %s", v.Count, v.First.UTC().Format(minute), last)
	if v.Count == 1 {
		view.Seen = "once, " + last
	}
	if !v.Acknowledged.IsZero() {
		view.Before = v.Acknowledged.UTC().Format(minute)
		if v.By != "" {
			view.Before += ", by " + plain.Text(v.By)
		}
	}
	return view
}

// sentence returns an error as a sentence.
func sentence(err error) string {
	text := plain.Text(err.Error())
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// fromOwnPage reports whether a form can come from our page. Browsers say so over https
// and from this machine (Sec-Fetch-Site); elsewhere they say the page's origin, or, as the
// page asks them to tell no site where they came from, "null" (Fetch Standard, "append a
// request Origin header"). A forged form would need the token all the same.
func fromOwnPage(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none"
	}
	origin := r.Header.Get("Origin")
	if origin == "" || origin == "null" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

const (
	maxGuesses = 20 // wrong tokens of one address in a minute
	maxClients = 1000
)

// guesses counts wrong tokens by address, for a minute. Tokens cannot be guessed; the
// limit keeps whoever tries from filling what is told of it.
type guesses struct {
	mu    sync.Mutex
	since time.Time
	of    map[netip.Addr]int
}

// left reports whether an address may try.
func (g *guesses) left(client netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	// A clock that was set back must lock nobody out.
	if age := now.Sub(g.since); age >= time.Minute || age < 0 {
		g.since, g.of = now, map[netip.Addr]int{}
	}
	return g.of[g.countedAs(client)] < maxGuesses
}

// wrong counts a try.
func (g *guesses) wrong(client netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.of[g.countedAs(client)]++
}

// countedAs returns an address, or, beyond so many, the one that stands for all others.
func (g *guesses) countedAs(client netip.Addr) netip.Addr {
	if _, known := g.of[client]; !known && len(g.of) >= maxClients {
		return netip.Addr{}
	}
	return client
}
