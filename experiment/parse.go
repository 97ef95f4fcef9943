package experiment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"telltale/policy"
)

// A Spec says which simulation, in which way, for whom. [ParseSimulation] makes one.
type Spec struct {
	Name    string
	Variant string           // "": the usual one
	Hosts   []policy.Pattern // only these; nil for all
}

// String returns the name under which flows and records keep it: "offline", "slow edge",
// "offline @*.example.com".
func (s Spec) String() string { return named(s.Name, s.Variant, s.Hosts) }

// EnforceName is the name of enforcement in a form: "enforce", "enforce 204".
func EnforceName(form Form) string { return named("enforce", form.unusual(), nil) }

// RefuseName is the name of a refusal: "refuse clients3.google.com".
func RefuseName(p policy.Pattern, form Form) string {
	return named("refuse "+p.String(), form.unusual(), nil)
}

func (f Form) unusual() string {
	if f == FormRefused {
		return ""
	}
	return string(f)
}

// named makes every name of an experiment.
func named(name, variant string, hosts []policy.Pattern) string {
	if variant != "" {
		name += " " + variant
	}
	for i, host := range hosts {
		if i == 0 {
			name += " @" + host.String()
		} else {
			name += "," + host.String()
		}
	}
	return name
}

// An Error says why a text names no experiment, or why one cannot be switched on.
type Error struct {
	Problem string
	hint    string
}

// Error returns what is wrong.
func (e *Error) Error() string { return e.Problem }

// Hint says what to write instead, or what there is.
func (e *Error) Hint() string { return e.hint }

// ParseSimulation reads NAME[=VARIANT][@PATTERN]. Errors are an [*Error], or a
// [*policy.PatternError].
func ParseSimulation(text string) (Spec, error) {
	rest, pattern, restricted := strings.Cut(text, "@")
	name, variant, varied := strings.Cut(rest, "=")
	s, ok := FindSimulation(name)
	if !ok {
		return Spec{}, unknown("simulation", name, simulationNames())
	}
	spec := Spec{Name: name}
	var err error
	if spec.Variant, err = s.variant(variant, varied); err != nil {
		return Spec{}, err
	}
	if !restricted {
		return spec, nil
	}
	if s.Whole {
		return Spec{}, s.notRestricted()
	}
	host, err := policy.ParsePattern(pattern)
	if err != nil {
		return Spec{}, err
	}
	spec.Hosts = []policy.Pattern{host}
	return spec, nil
}

func (s Simulation) notRestricted() error {
	return &Error{s.Name + " is of the whole link: it cannot be restricted to hosts", "write it without @: --simulate " + s.Name}
}

// variant checks what was written behind the name, and fills in the usual one.
func (s Simulation) variant(written string, varied bool) (string, error) {
	switch {
	case s.Seeded && !varied:
		return "1", nil
	case s.Seeded:
		if seed, err := strconv.ParseUint(written, 10, 64); err != nil || strconv.FormatUint(seed, 10) != written {
			return "", &Error{fmt.Sprintf("%s: the seed %.80q is not a number", s.Name, written), "a seed is a number from 0 to 18446744073709551615, as in --simulate " + s.Name + "=42"}
		}
		return written, nil
	case len(s.Variants) == 0 && varied:
		return "", &Error{fmt.Sprintf("%s has no variants, found %.80q", s.Name, written), "write --simulate " + s.Name}
	case len(s.Variants) == 0:
		return "", nil
	case !varied:
		return s.Variants[0], nil
	case !slices.Contains(s.Variants, written):
		return "", unknown(s.Name+" variant", written, s.Variants)
	}
	return written, nil
}

// ParseForm reads the name of a form. The error is an [*Error].
func ParseForm(text string) (Form, error) {
	if !slices.Contains(Forms, text) {
		return "", unknown("form of refusal", text, Forms)
	}
	return Form(text), nil
}

// ParseRefuse reads PATTERN[=FORM]. Errors are an [*Error], or a [*policy.PatternError].
func ParseRefuse(text string) (policy.Pattern, Form, error) {
	pattern, written, varied := strings.Cut(text, "=")
	form := FormRefused
	if varied {
		var err error
		if form, err = ParseForm(written); err != nil {
			return policy.Pattern{}, "", err
		}
	}
	host, err := policy.ParsePattern(pattern)
	if err != nil {
		return policy.Pattern{}, "", err
	}
	return host, form, nil
}

// unknown is the error of a word that is none of a list.
func unknown(what, word string, known []string) error {
	e := &Error{fmt.Sprintf("there is no %s %.80q", what, word), "one of: " + strings.Join(known, ", ")}
	if near := policy.Nearest(word, known); near != "" {
		e.Problem += fmt.Sprintf("; did you mean %q?", near)
	}
	return e
}

func simulationNames() []string {
	names := make([]string, len(Simulations))
	for i, s := range Simulations {
		names[i] = s.Name
	}
	return names
}
