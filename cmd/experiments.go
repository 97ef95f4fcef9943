package cmd

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"telltale/capture"
	"telltale/consequence"
	"telltale/experiment"
	"telltale/experiment/link"
	"telltale/experiment/rules"
	"telltale/flow"
	"telltale/policy"
	"telltale/proxy"
	"telltale/reports"
	"telltale/tui"
)

// experimentFlags say what is done to traffic on purpose.
type experimentFlags struct {
	enforce  string // form; "" is off
	refuse   []string
	simulate []string
	modify   []string

	later bool // they are begun by somebody, not with the audit
	open  bool // somebody may switch on what no flag names

	form     experiment.Form
	refusals []refusedHost
	specs    []experiment.Spec
	rules    []*rules.Rules
}

// refusedHost is one --refuse.
type refusedHost struct {
	hosts policy.Pattern
	form  experiment.Form
}

func (e *experimentFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&e.enforce, "enforce", "", "refuse what the policy forbids, not only record it, in a `form` that the app sees: "+strings.Join(experiment.Forms, ", "))
	f.Lookup("enforce").NoOptDefVal = experiment.Forms[0]
	f.StringArrayVar(&e.refuse, "refuse", nil, "refuse hosts that match `PATTERN[=FORM]`, whatever the policy says; repeatable")
	f.StringArrayVar(&e.simulate, "simulate", nil, "an experiment, as `NAME[=VARIANT][@PATTERN]`, repeatable: "+strings.Join(simulationNames(), ", "))
	f.StringArrayVar(&e.modify, "modify", nil, "alter messages by the rules in `file` (martian's JSON modifiers); repeatable")
	_ = c.MarkFlagFilename("modify", "json")
	_ = c.RegisterFlagCompletionFunc("simulate", cobra.FixedCompletions(simulationNames(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("enforce", cobra.FixedCompletions(experiment.Forms, cobra.ShellCompDirectiveNoFileComp))
}

func simulationNames() []string {
	var names []string
	for _, s := range experiment.Simulations {
		names = append(names, s.Name)
	}
	return names
}

// misplaced is the error of an argument that was meant as the form of --enforce.
func (e *experimentFlags) misplaced(argument string) error {
	if e.enforce != experiment.Forms[0] || !slices.Contains(experiment.Forms, argument) {
		return nil
	}
	return withHint(fmt.Errorf("unexpected argument %q behind --enforce", argument), "write it as --enforce=%s", argument)
}

// none reports whether no flag asks for an experiment.
func (e *experimentFlags) none() bool {
	return e.enforce == "" && len(e.refuse)+len(e.simulate)+len(e.modify) == 0
}

// read checks the flags against the policy that they go with.
func (e *experimentFlags) read(s *streams, pol *policy.Policy) (err error) {
	if e.enforce != "" {
		if e.form, err = experiment.ParseForm(e.enforce); err != nil {
			return fmt.Errorf("--enforce: %w", err)
		}
	}
	for _, text := range e.refuse {
		hosts, form, err := experiment.ParseRefuse(text)
		if err != nil {
			return fmt.Errorf("--refuse: %w", err)
		}
		if slices.ContainsFunc(e.refusals, func(other refusedHost) bool { return other.hosts == hosts && other.form != form }) {
			return withHint(fmt.Errorf("--refuse: %s cannot be refused in two forms", hosts), "leave one of them out")
		}
		e.refusals = append(e.refusals, refusedHost{hosts, form})
	}
	for _, text := range e.simulate {
		spec, err := experiment.ParseSimulation(text)
		if err != nil {
			return fmt.Errorf("--simulate: %w", err)
		}
		if spec.Name == "consent-refused" && pol.Consent() == nil {
			return withHint(fmt.Errorf("--simulate: %s needs the hosts that wait for consent, and %s has no section consent", spec.Name, policyLabel(pol)), "docs/policy.md says what one looks like")
		}
		if slices.ContainsFunc(e.specs, func(other experiment.Spec) bool { return other.Name == spec.Name && other.Variant != spec.Variant }) {
			return withHint(fmt.Errorf("--simulate: %s cannot be on in two ways", spec.Name), "leave one of them out, or try one after the other: telltale watch, then X")
		}
		e.specs = append(e.specs, spec)
	}
	for _, file := range e.modify {
		r, err := rules.Read(file)
		if err != nil {
			return fmt.Errorf("--modify: %w", err)
		}
		if slices.ContainsFunc(e.rules, func(other *rules.Rules) bool { return other.Name() == r.Name() }) {
			return withHint(fmt.Errorf("--modify: two files are named %s, and the record could not tell them apart", filepath.Base(file)), "copy one of them under another name")
		}
		for _, warning := range r.Warnings() {
			s.say("warning: %s", warning)
		}
		e.rules = append(e.rules, r)
	}
	return nil
}

// portalPath is where the sign-in page of a simulated captive portal is.
const portalPath = "/portal"

// experiments are those of one audit: what decides, and the link that they slow.
type experiments struct {
	*experiment.Set
	audit *audit
	link  *link.Link
	flags *experimentFlags
}

// newExperiments returns the experiments of an audit, none of them in force; nil where
// there can be none.
func newExperiments(a *audit) *experiments {
	flags := &a.flags.experiments
	if flags.none() && !flags.open {
		return nil
	}
	e := &experiments{audit: a, flags: flags, link: link.New(1)}
	var files []experiment.Rules
	for _, r := range flags.rules {
		files = append(files, r)
	}
	e.Set = experiment.New(experiment.Config{
		Forbids:   a.forbids,
		Consent:   func() *policy.Consent { return a.policy.Load().Consent() },
		Authority: a.authority,
		Rules:     files,
		Portal:    "http://" + flow.SetupHost + portalPath,
		Changed:   e.changed,
	})
	return e
}

// changed records what is in force from now on.
func (e *experiments) changed(active []string) {
	e.link.Use(link.Find(e.Link()))
	e.audit.store.SetExperiments(active)
}

// active names the experiments in force.
func (e *experiments) active() []string {
	if e == nil {
		return nil
	}
	return e.Active()
}

// begin puts in force what the flags ask for, at once.
func (e *experiments) begin() error {
	return e.Together(func(set *experiment.Set) error {
		if e.flags.enforce != "" {
			set.Enforce(e.flags.form, true)
		}
		for _, r := range e.flags.refusals {
			set.Refuse(r.hosts, r.form, true)
		}
		for _, spec := range e.flags.specs {
			if err := set.Switch(spec, true); err != nil {
				return fmt.Errorf("--simulate: %w", err)
			}
		}
		for _, r := range e.flags.rules {
			if err := set.SwitchRules(r.Name(), true); err != nil {
				return fmt.Errorf("--modify: %w", err)
			}
		}
		return nil
	})
}

// configure has the proxy carry out what is decided.
func (e *experiments) configure(cfg *proxy.Config) {
	if e == nil {
		return
	}
	cfg.Modify, cfg.Shape = e.Modifier, e.link.Wrap
	if home := cfg.Home; home != nil {
		portal := e.PortalHandler()
		cfg.Home = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == portalPath {
				portal.ServeHTTP(w, r)
				return
			}
			home.ServeHTTP(w, r)
		})
	}
}

// end lifts whatever is in force.
func (e *experiments) end() {
	_ = e.Together(func(set *experiment.Set) error {
		for _, state := range set.State() {
			if state.On {
				_ = switchState(set, state, state.Variant, false) // what was switched on can be switched off
			}
		}
		return nil
	})
}

// close ends what runs for the link, when nothing passes any more. What is in force stays so
// for the record.
func (e *experiments) close() {
	if e != nil {
		e.link.Use(nil)
	}
}

// switchState switches one of those that [experiment.Set.State] lists.
func switchState(set *experiment.Set, state experiment.State, variant string, on bool) error {
	switch state.Kind {
	case experiment.KindEnforce:
		set.Enforce(experiment.Form(variant), on)
	case experiment.KindRefuse:
		for _, p := range state.Hosts {
			set.Refuse(p, experiment.Form(variant), on)
		}
	case experiment.KindRules:
		return set.SwitchRules(state.Name, on)
	case experiment.KindSimulation:
		return set.Switch(experiment.Spec{Name: state.Name, Variant: variant, Hosts: state.Hosts}, on)
	}
	return nil
}

// follow says in a document what followed the experiments of its capture.
func (r *reportFlags) follow(doc *reports.Report, store *capture.Store) {
	if len(doc.Summary.Experiments) == 0 {
		return
	}
	followed, err := consequence.Of(context.Background(), store)
	if err != nil {
		doc.Notes = append(doc.Notes, fmt.Sprintf("What followed the experiments could not be read: %v.", err))
		return
	}
	doc.Consequences = followed
	if trusting := trustingHosts(followed); len(trusting) > 0 {
		doc.Warnings = append(doc.Warnings, fmt.Sprintf("Grave: the app sent requests over a certificate that it must refuse, for %s: who is on its path can read and change them.", strings.Join(trusting, ", ")))
	}
}

// trustingHosts are those for which a client took a certificate with a fault, at most five
// and how many more.
func trustingHosts(r *consequence.Result) []string {
	const most = 5
	var hosts []string
	if r == nil {
		return nil
	}
	for _, stretch := range r.Stretches {
		for _, h := range stretch.Trusted {
			hosts = append(hosts, h.Name)
		}
	}
	slices.Sort(hosts)
	if hosts = slices.Compact(hosts); len(hosts) > most {
		hosts = append(hosts[:most:most], fmt.Sprintf("%d more", len(hosts)-most))
	}
	return hosts
}

// screenExperiments are the experiments as the screen switches them.
type screenExperiments struct{ *experiments }

// forScreen returns nil where there are none.
func (e *experiments) forScreen() tui.Experiments {
	if e == nil {
		return nil
	}
	return screenExperiments{e}
}

// List leaves out refused hosts, which have a list of their own.
func (e screenExperiments) List() []tui.Experiment {
	var list []tui.Experiment
	for _, state := range e.State() {
		if state.Kind == experiment.KindRefuse {
			continue
		}
		shown := tui.Experiment{Name: state.Name, Help: state.Help, Variants: state.Variants, On: state.On, Note: state.Note}
		if state.On {
			shown.Variant = state.Variant
		}
		for _, p := range state.Hosts {
			shown.Hosts = append(shown.Hosts, p.String())
		}
		list = append(list, shown)
	}
	return list
}

// Switch finds an experiment by its name.
func (e screenExperiments) Switch(name, variant string, on bool) error {
	for _, state := range e.State() {
		if state.Kind != experiment.KindRefuse && state.Name == name {
			return switchState(e.Set, state, cmp.Or(variant, state.Variant), on)
		}
	}
	return fmt.Errorf("there is no experiment %q", name)
}

// Forms lists how a host can be refused.
func (e screenExperiments) Forms() []string { return experiment.Forms }

// Refuse refuses a host, or lifts that.
func (e screenExperiments) Refuse(host, form string) error {
	p, err := policy.ParsePattern(host)
	if err != nil {
		return err
	}
	e.Set.Refuse(p, experiment.Form(form), form != "")
	return nil
}

// Refused lists the hosts that are refused.
func (e screenExperiments) Refused() []tui.Refusal {
	var refused []tui.Refusal
	for _, state := range e.State() {
		if state.Kind == experiment.KindRefuse && state.On {
			for _, p := range state.Hosts {
				refused = append(refused, tui.Refusal{Host: p.String(), Form: state.Variant})
			}
		}
	}
	return refused
}

// experimentNames are those of a summary.
func experimentNames(sum capture.Summary) []string {
	var names []string
	for _, e := range sum.Experiments {
		names = append(names, e.Name)
	}
	return names
}

// besideVerdict is what no verdict of an audit with experiments stands without.
func besideVerdict(sum capture.Summary) string {
	if len(sum.Experiments) == 0 {
		return ""
	}
	return ", with experiments"
}
