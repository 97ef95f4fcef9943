package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"telltale/flow/plain"
)

// Bounds of the sections notify and on.
const (
	maxDestinations  = 64
	maxRoutes        = 256
	maxActions       = 64
	maxName          = 60 // columns of a terminal
	maxGroup         = time.Hour
	maxSend          = 5 * time.Minute
	maxEscalation    = 7 * 24 * time.Hour // what waits longer is given up
	maxActionTimeout = time.Hour
	maxActionOutput  = 16 << 20
	minActionMemory  = 1 << 20
)

// checkTelling refuses what each part of the sections notify, on and record cannot show for
// itself.
func (d *decoder) checkTelling(doc *document) error {
	if err := d.checkNotify(&doc.Notify); err != nil {
		return err
	}
	if len(doc.On) > maxActions {
		e := &doc.On[maxActions]
		return d.errorAt(e.Line, e.Column, fmt.Sprintf("more than %d programs", maxActions), "one program may handle several kinds of events")
	}
	for i := range doc.On {
		if err := d.checkAction(&doc.On[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) checkNotify(e *notifyEntry) error {
	names := map[string]int{} // with their lines
	for i := range e.To {
		to := &e.To[i]
		at := to.Name.place
		switch other := names[to.Name.Value]; {
		case i >= maxDestinations:
			return d.errorAt(to.Line, to.Column, fmt.Sprintf("more than %d destinations", maxDestinations), "")
		case to.Name.Value != plain.Name(to.Name.Value, maxName):
			return d.errorAt(at.Line, at.Column, fmt.Sprintf("the name of a destination takes more than %d columns, or holds what does not show", maxName), "give it a short name in plain text")
		case isWebAddress(to.Name.Value):
			return d.errorAt(at.Line, at.Column, "the name of a destination is a URL, which may be a secret", "give it a short name in plain text")
		case other != 0:
			return d.errorAt(at.Line, at.Column, fmt.Sprintf("two destinations are named %q: the other one is in line %d", to.Name.Value, other), "routes tell destinations apart by their names")
		}
		names[to.Name.Value] = max(at.Line, 1)
		if err := d.checkDestination(to); err != nil {
			return err
		}
	}
	if len(e.Routes) > maxRoutes {
		r := &e.Routes[maxRoutes]
		return d.errorAt(r.Line, r.Column, fmt.Sprintf("more than %d routes", maxRoutes), "")
	}
	for i := range e.Routes {
		if err := d.checkRoute(&e.Routes[i], names); err != nil {
			return err
		}
	}
	if err := d.checkAtMost(e.Group, maxGroup); err != nil {
		return err
	}
	return d.checkAtMost(e.Timeout, maxSend)
}

// checkAtMost refuses a duration that is too long to be meant.
func (d *decoder) checkAtMost(v duration, most time.Duration) error {
	if v.Value <= most {
		return nil
	}
	return d.errorAt(v.Line, v.Column, fmt.Sprintf("%s is longer than %s", v.written, brief(most)), "")
}

// brief writes a duration without the units that are zero.
func brief(v time.Duration) string {
	s := v.String()
	s = strings.TrimSuffix(s, "0s")
	if s = strings.TrimSuffix(s, "0m"); s == "" {
		return "0s"
	}
	return s
}

// checkDestination holds that a destination is of one kind, and has what this kind needs and
// nothing else.
func (d *decoder) checkDestination(e *destinationEntry) error {
	kinds := e.kinds()
	if len(kinds) == 0 {
		return d.errorAt(e.Line, e.Column, "the destination does not say how it is reached", "add one of: "+strings.Join(destinationKindNames(), ", "))
	}
	if len(kinds) > 1 {
		at := kinds[1].place
		return d.errorAt(at.Line, at.Column, fmt.Sprintf("a destination is of one kind, and this is %s and %s", kinds[0].kind, kinds[1].kind), "make two destinations of it")
	}
	kind := kinds[0].kind
	if c := kinds[0].credential; c != nil && c.Text != "" {
		if problem, hint := checkWebURL(c.Text); problem != "" {
			return d.errorAt(c.Line, c.Column, problem, hint)
		}
	}
	for _, part := range e.parts() {
		wanted := slices.Contains(part.of, kind)
		switch {
		case part.at.present() && !wanted:
			return d.errorAt(part.at.Line, part.at.Column, fmt.Sprintf("%s has no %s", kindTitles[kind], part.key), "remove it; it is for: "+joinKinds(part.of))
		case wanted && part.need && !part.at.present():
			return d.errorAt(e.Line, e.Column, part.key+" is missing", "add "+part.key+": "+part.hint)
		}
	}
	return d.checkServer(e)
}

// checkServer looks at the server of e-mail.
func (d *decoder) checkServer(e *destinationEntry) error {
	if e.SMTP.Text == "" {
		return nil
	}
	if problem, hint := checkSMTPURL(e.SMTP.Text); problem != "" {
		return d.errorAt(e.SMTP.Line, e.SMTP.Column, problem, hint)
	}
	user, password := userOf(e.SMTP.Text)
	switch {
	case password && e.Password.present():
		return d.errorAt(e.Password.Line, e.Password.Column, "the password stands here and in the URL of the server", "take it out of the URL")
	case user == "" && e.Password.present():
		return d.errorAt(e.SMTP.Line, e.SMTP.Column, "there is a password and no user", "write smtp://user@host:587")
	}
	return nil
}

// kindTitles call the kinds of destinations by their names.
var kindTitles = map[DestinationKind]string{
	Slack: "Slack", Teams: "Microsoft Teams", Discord: "Discord", Mattermost: "Mattermost", Webhook: "a webhook",
	Mail: "e-mail", GitHub: "GitHub", GitLab: "GitLab",
}

// A destinationPart is a key that only some kinds have.
type destinationPart struct {
	key  string
	at   place
	of   []DestinationKind
	need bool
	hint string // an example
}

func (e *destinationEntry) parts() []destinationPart {
	tracker, mail := []DestinationKind{GitHub, GitLab}, []DestinationKind{Mail}
	labels := place{}
	if len(e.Labels) > 0 {
		labels = e.Labels[0].place
	}
	return []destinationPart{
		{"sign", e.Sign.place, []DestinationKind{Webhook}, false, ""},
		{"from", e.From.place, mail, true, "telltale@example.ca"},
		{"smtp", e.SMTP.place, mail, true, "smtp://user@mail.example:587"},
		{"password", e.Password.place, mail, false, ""},
		{"token", e.Token.place, tracker, true, "{env: GITHUB_TOKEN}"},
		{"api", e.API.place, tracker, false, ""},
		{"labels", labels, tracker, false, ""},
	}
}

func joinKinds(kinds []DestinationKind) string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = string(kind)
	}
	return strings.Join(names, ", ")
}

func (d *decoder) checkRoute(e *routeEntry, names map[string]int) error {
	if err := d.checkNames(e.To, names); err != nil {
		return err
	}
	if err := d.checkWhen(&e.When); err != nil {
		return err
	}
	if !e.Escalate.present() {
		return nil
	}
	if err := d.checkAtMost(e.Escalate.After, maxEscalation); err != nil {
		return err
	}
	return d.checkNames(e.Escalate.To, names)
}

// checkNames refuses names that no destination has. What looks like a URL is not quoted.
func (d *decoder) checkNames(to []text, names map[string]int) error {
	for _, name := range to {
		if names[name.Value] != 0 {
			continue
		}
		if isWebAddress(name.Value) {
			return d.errorAt(name.Line, name.Column, "a URL stands where the name of a destination is expected", "give the destination a name under notify: to, and write that name here")
		}
		known := make([]string, 0, len(names))
		for other := range names {
			known = append(known, other)
		}
		slices.Sort(known)
		suffix, hint := didYouMean(name.Value, known)
		return d.errorAt(name.Line, name.Column, fmt.Sprintf("no destination is named %q%s", name.Value, suffix), hint)
	}
	return nil
}

func (d *decoder) checkWhen(e *whenEntry) error {
	for _, host := range e.Hosts {
		if host.Pattern.port != "" {
			return d.errorAt(host.Line, host.Column, "events have no port, so that this never fits", "name the host alone")
		}
	}
	return nil
}

func (d *decoder) checkAction(e *actionEntry) error {
	if strings.TrimSpace(e.Run[0].Value) == "" {
		return d.errorAt(e.Run[0].Line, e.Run[0].Column, "the program has no name", "write run: [./program.py, argument]")
	}
	if err := d.checkWhen(&e.When); err != nil {
		return err
	}
	if err := d.checkAtMost(e.Timeout, maxActionTimeout); err != nil {
		return err
	}
	switch {
	case e.Output.Value > maxActionOutput:
		return d.errorAt(e.Output.Line, e.Output.Column, e.Output.written+" is more than 16MiB", "a program's answer is short; let it write files of its own")
	case e.Memory.present() && e.Memory.Value < minActionMemory:
		return d.errorAt(e.Memory.Line, e.Memory.Column, e.Memory.written+" is less than 1MiB", "no program runs in so little memory")
	}
	return nil
}
