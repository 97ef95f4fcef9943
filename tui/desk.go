package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
	"telltale/flow/plain"
	"telltale/policy"
)

// desk is where a person decides: what the policy file says, what it will say once
// it is written, and how to come back.
type desk struct {
	cfg    Policy
	policy *policy.Policy // in force
	text   []byte         // the file as it would say so
	saved  []byte         // the file as it is; nil: there is none
	kept   *policy.Policy // what the file says
	past   []decision     // undone from the end
	since  int            // of them, those before the file was last written
	busy   bool           // everything is being judged again
}

// decision is the state before one change.
type decision struct {
	change policy.Change
	policy *policy.Policy
	text   []byte
}

// deskMsg is the end of what ran beside the loop: a policy in force, or a file
// written.
type deskMsg struct {
	past   []decision // from then on; nil when nothing came into force
	policy *policy.Policy
	text   []byte
	saved  []byte         // the file, where it was written or read again
	kept   *policy.Policy // what it says
	since  int            // as in desk
	judged bool           // it ends what desk.judging began
	leave  bool           // the person wants to leave
	host   string         // that was decided on
	say    string
	err    error
}

func newDesk(cfg Policy) desk {
	d := desk{cfg: cfg, policy: cfg.Current, kept: cfg.Current, text: cfg.Text, saved: cfg.Text}
	if d.text == nil {
		d.text = cfg.Draft
	}
	return d
}

// judge returns what flows are judged by where a policy is in force.
func (cfg *Policy) judge(p *policy.Policy) policy.Judge {
	if cfg.Beside == nil {
		return p
	}
	return cfg.Beside(p)
}

// unsaved reports whether decisions would be lost by leaving.
func (d *desk) unsaved() bool {
	if d.saved == nil {
		return len(d.past) > 0
	}
	return !bytes.Equal(d.text, d.saved)
}

// judging brings a policy into force and judges everything again, beside the loop.
// prepare makes the message that says what is in force then.
func (d *desk) judging(m *model, prepare func() (deskMsg, error)) tea.Cmd {
	d.busy = true
	m.violations.list.settle, m.hosts.list.settle = true, true
	m.status = status{text: "judging every flow again …"}
	store, ctx, cfg := m.cfg.Store, m.ctx, d.cfg
	progress := newLoading()
	judge := func() tea.Msg {
		defer progress.end()
		var msg deskMsg
		err := m.awaited(func() (err error) {
			if msg, err = prepare(); err == nil {
				err = store.Rejudge(ctx, cfg.judge(msg.policy), progress.report)
			}
			if err == nil && cfg.Adopt != nil {
				cfg.Adopt(msg.policy)
			}
			return err
		})
		if err != nil {
			return deskMsg{judged: true, err: fmt.Errorf("the policy in force stays: %w", err)}
		}
		msg.judged = true
		if msg.host != "" {
			msg.say += effect(store.Summary().Hosts, msg.host, msg.say)
		}
		return msg
	}
	return tea.Batch(judge, progress.next)
}

// apply brings a decision into force.
func (d *desk) apply(m *model, text []byte, c policy.Change, host string) tea.Cmd {
	past := append(slices.Clone(d.past), decision{c, d.policy, d.text})
	parse := d.cfg.Parse
	return d.judging(m, func() (deskMsg, error) {
		p, err := parse(text)
		return deskMsg{past: past, policy: p, text: text, say: decided(c), host: host}, err
	})
}

// undo takes the last decision back. What was written stays written until it is
// written again.
func (d *desk) undo(m *model) tea.Cmd {
	switch {
	case d.busy:
		return nil
	case len(d.past) == 0:
		m.status = status{text: "nothing to undo"}
		if len(m.lab.names()) > 0 {
			m.status.text += ": experiments are no decisions, X switches them"
		}
		return nil
	}
	last := d.past[len(d.past)-1]
	past := slices.Clone(d.past[:len(d.past)-1])
	return d.judging(m, func() (deskMsg, error) {
		return deskMsg{past: past, policy: last.policy, text: last.text, say: "undone: " + decided(last.change)}, nil
	})
}

// discard comes back to what the file says, so that the verdict in the reports is
// one that can be repeated.
func (d *desk) discard(m *model) tea.Cmd {
	kept, saved := d.kept, d.saved
	return d.judging(m, func() (deskMsg, error) {
		return deskMsg{past: []decision{}, policy: kept, text: saved, leave: true}, nil
	})
}

// abandon takes back what was decided and neither written nor given up: the screen
// was ended by something else than the person.
func (d *desk) abandon(store *capture.Store) {
	if !d.busy && !d.unsaved() {
		return
	}
	if err := store.Rejudge(context.Background(), d.cfg.judge(d.kept), nil); err != nil {
		return // what the store cannot do it has said itself
	}
	if d.cfg.Adopt != nil {
		d.cfg.Adopt(d.kept)
	}
	if d.cfg.Dropped != nil {
		d.cfg.Dropped()
	}
}

// rebase takes over a file that somebody else has changed, and makes the decisions
// that are not written yet anew in it.
func (d *desk) rebase(m *model) tea.Cmd {
	cfg, unwritten := d.cfg, d.past[d.since:]
	past, inForce, text, kept := slices.Clone(d.past), d.policy, d.text, d.kept
	return d.judging(m, func() (deskMsg, error) {
		saved, err := os.ReadFile(cfg.File)
		if errors.Is(err, fs.ErrNotExist) {
			return deskMsg{past: past, policy: inForce, text: text, kept: kept, say: cfg.File + " is gone: w writes it anew"}, nil
		}
		if err != nil {
			return deskMsg{}, err
		}
		kept, err := cfg.Parse(saved)
		msg := deskMsg{past: []decision{}, policy: kept, text: saved, saved: saved, kept: kept}
		for _, decision := range unwritten {
			if err == nil {
				err = msg.decide(cfg, decision.change)
			}
		}
		msg.say = cfg.File + " was changed by somebody else: its text is in force, with your decisions (w shows them)"
		return msg, err
	})
}

// decide adds a decision to what will be in force. One that the file has already
// is no decision any more.
func (msg *deskMsg) decide(cfg Policy, c policy.Change) error {
	text, err := policy.Edit(cfg.File, msg.text, c, cfg.Options)
	if errors.Is(err, policy.ErrUnchanged) {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := cfg.Parse(text)
	if err == nil {
		msg.past = append(msg.past, decision{c, msg.policy, msg.text})
		msg.policy, msg.text = p, text
	}
	return err
}

// write puts the text into the file.
func (d *desk) write(m *model) tea.Cmd {
	file, saved := d.cfg.File, d.saved
	msg := deskMsg{saved: d.text, kept: d.policy, since: len(d.past), say: "wrote " + file}
	return func() tea.Msg {
		if err := m.awaited(func() error { return policy.WriteFile(file, msg.saved, saved) }); err != nil {
			return deskMsg{err: err}
		}
		return msg
	}
}

// take takes over what ran beside the loop.
func (d *desk) take(m *model, msg deskMsg) tea.Cmd {
	if errors.Is(msg.err, policy.ErrFileChanged) && !d.busy {
		return d.rebase(m)
	}
	d.busy = d.busy && !msg.judged
	if msg.err != nil {
		m.status = status{text: sentence(msg.err), trouble: true}
		return nil
	}
	m.status = status{text: msg.say}
	if msg.kept != nil {
		d.saved, d.kept, d.since = msg.saved, msg.kept, min(msg.since, len(d.past))
	}
	if msg.policy == nil {
		return nil
	}
	undone := len(msg.past) < len(d.past)
	d.policy, d.text, d.past = msg.policy, msg.text, msg.past
	d.since = min(d.since, len(d.past))
	if d.unsaved() && msg.kept == nil && !undone {
		m.status.text += "  (w writes it to the policy, u undoes it)"
	}
	m.nameDevices() // by what must not be shown from now on
	m.search.again()
	return m.applySearch()
}

// sentence writes an error on one line, with what to do about it.
func sentence(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n") // below it stands the place in a file
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		text += " (" + h.Hint() + ")"
	}
	return text
}

// decide opens the form of a decision about what is selected.
func (m *model) decide(kind policy.ChangeKind) tea.Cmd {
	s, ok := m.selected()
	switch {
	case m.desk.busy:
		return nil
	case !ok || s.host == "":
		m.status = status{text: "nothing is selected that could be decided on"}
		return nil
	}
	m.list().hold() // the cursor stays with what is decided on
	patterns := m.patternsOf(s)
	if len(patterns) == 0 {
		m.status = status{text: "no pattern of a policy can name this: " + s.host, trouble: true}
		return nil
	}
	rules := m.rulesOf(s)
	about := rules // of a host, any of them; of a violation, its own
	if s.violation != nil {
		about = rules[:1]
	}
	if kind != policy.ChangeWaive && !slices.ContainsFunc(about, func(rule string) bool { return policy.Rule(rule).OfContact() }) {
		m.status = status{text: fmt.Sprintf("%s breaks %s, which no permission changes: x excuses it", s.host, rules[0])}
		return nil
	}
	fields := []*field{textField("host", patterns[0], patterns...)}
	if kind == policy.ChangeWaive {
		until := m.cfg.Now().AddDate(0, 3, 0).Format(time.DateOnly)
		fields = append(fields, textField("rule", rules[0], rules...), textField("reason", ""), textField("until", until))
	} else {
		fields = append(fields, textField("reason", ""))
	}
	return m.openForm(&form{
		title: capital(string(kind)) + " " + m.shown(s.host), fields: fields, verb: "apply",
		changed: func(m *model, f *form) { m.desk.preview(m, f, kind) },
		submit:  func(m *model, f *form) (tea.Cmd, string) { return m.desk.submit(m, f, kind, s.host) },
	})
}

// patternsOf returns the patterns by which a policy can name what is selected, the
// narrowest first.
func (m *model) patternsOf(s selection) []string {
	if s.domain {
		return []string{"." + s.host, "*." + s.host, s.host}
	}
	return policy.Suggest(s.host)
}

// rulesOf returns the rules that can be waived here, the one at hand first.
func (m *model) rulesOf(s selection) []string {
	var rules []string
	if s.violation != nil {
		rules = append(rules, string(s.violation.Finding.Rule))
	}
	for _, v := range m.news.sum.Violations {
		if v.Finding.Host == s.host && (s.violation == nil || v.Finding.Rule != s.violation.Finding.Rule) {
			rules = append(rules, string(v.Finding.Rule))
		}
	}
	if len(rules) == 0 {
		rules = append(rules, string(policy.HostNotAllowed))
	}
	return rules
}

// change reads the decision out of its form.
func change(f *form, kind policy.ChangeKind) (policy.Change, error) {
	c := policy.Change{Kind: kind, Pattern: f.fields[0].value()}
	if kind != policy.ChangeWaive {
		c.Reason = f.fields[1].value()
		return c, nil
	}
	c.Rule, c.Reason = policy.Rule(f.fields[1].value()), f.fields[2].value()
	until, err := time.Parse(time.DateOnly, f.fields[3].value())
	if err != nil {
		return c, errors.New("until: write a day as 2027-01-31")
	}
	c.Until = until
	return c, nil
}

// preview shows the change of the file under the form.
func (d *desk) preview(m *model, f *form, kind policy.ChangeKind) {
	f.preview = nil
	c, err := change(f, kind)
	var text []byte
	if err == nil {
		text, err = policy.Edit(d.cfg.File, d.text, c, d.cfg.Options)
	}
	if kind == policy.ChangeWaive && c.Reason == "" {
		f.preview = []string{m.theme.dim.Render("  write why: whoever reads the policy will ask")}
		f.brief = f.preview
		return
	}
	if err != nil {
		for _, line := range wrap(plain.Text(sentence(err)), max(10, m.width-2)) {
			f.preview = append(f.preview, "  "+m.theme.warning.Render(line))
		}
		f.brief = f.preview
		return
	}
	covers := m.theme.dim.Render("  " + m.covers(c.Pattern))
	f.preview = append(m.diffLines(policy.DiffLines(d.text, text)), covers)
	f.brief = append(m.diffLines(slices.DeleteFunc(policy.DiffLines(d.text, text), func(l policy.DiffLine) bool {
		return l.Kind != policy.DiffAdded && l.Kind != policy.DiffRemoved
	})), covers)
}

// covers says what of the capture a pattern names.
func (m *model) covers(pattern string) string {
	p, err := policy.ParsePattern(pattern)
	if err != nil {
		return ""
	}
	hosts, flows := 0, 0
	for _, h := range m.news.sum.Hosts {
		if p.Match(h.Name, "") {
			hosts++
			flows += h.Flows
		}
	}
	return fmt.Sprintf("names %s of this capture, %s", plural(hosts, "host"), plural(flows, "flow"))
}

func (d *desk) submit(m *model, f *form, kind policy.ChangeKind, host string) (tea.Cmd, string) {
	c, err := change(f, kind)
	if err != nil {
		return nil, err.Error()
	}
	text, err := policy.Edit(d.cfg.File, d.text, c, d.cfg.Options)
	if err != nil {
		return nil, plain.Text(sentence(err))
	}
	return d.apply(m, text, c, host), ""
}

// decided says a decision in a few words.
func decided(c policy.Change) string {
	switch c.Kind {
	case policy.ChangeAllow:
		return "allowed " + c.Pattern
	case policy.ChangeIgnore:
		return "ignored " + c.Pattern
	}
	return fmt.Sprintf("waived %s for %s until %s", c.Rule, c.Pattern, c.Until.Format(time.DateOnly))
}

// diffLines colours a diff of the policy. Values that must never leave the device
// stand in it too.
func (m *model) diffLines(diff []policy.DiffLine) []string {
	t, secrets := &m.theme, m.mask(false)
	var lines []string
	for _, l := range diff {
		style := t.dim
		switch l.Kind {
		case policy.DiffAdded:
			style = t.added
		case policy.DiffRemoved:
			style = t.removed
		}
		lines = append(lines, "  "+style.Render(plain.Text(secrets.text(l.String()))))
	}
	return lines
}

// effect says what a decision did to its host, where its words do not.
func effect(hosts []capture.Host, host, what string) string {
	for _, h := range hosts {
		if h.Name != host {
			continue
		}
		if h.Verdict == policy.Violation {
			return fmt.Sprintf("; %s still is a violation: %s", host, h.Rule)
		}
		if now := verdicts[h.Verdict].word; what != now+" "+host {
			return fmt.Sprintf("; %s is %s now", host, now)
		}
	}
	return ""
}
