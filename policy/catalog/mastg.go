package catalog

// A Test is one of the OWASP Mobile Application Security Testing Guide (mas.owasp.org/MASTG)
// that a finding bears on.
type Test struct {
	ID       string `yaml:"id"`       // "MASTG-TEST-0206"
	Title    string `yaml:"title"`    // what it looks for, in words of our own
	Platform string `yaml:"platform"` // "android", "ios"; "" for both
	Weakness string `yaml:"weakness"` // "MASWE-0108", of the Mobile Application Security Weakness Enumeration
	Note     string `yaml:"note"`     // how a finding relates to it; ""
}

// A bearing connects a rule of findings with tests.
type bearing struct {
	Rule     string   `yaml:"rule"`
	Subjects []string `yaml:"subjects"` // globs; empty: any
	Tests    []string `yaml:"tests"`    // ids
	Note     string   `yaml:"note"`     // instead of the test's own
}

// mastg is the table of tests.
type mastg struct {
	Tests    []Test    `yaml:"tests"`
	Bearings []bearing `yaml:"bearings"`
}

// Tests returns the tests that a finding of a rule bears on, in the order of the table;
// the subject tells findings of one rule apart, and may be "". None is no fault: MASTG
// has no test for everything.
func Tests(rule, subject string) []Test {
	d := load()
	var out []Test
	for i := range d.mastg.Bearings {
		b := &d.mastg.Bearings[i]
		if b.Rule != rule || len(b.Subjects) > 0 && !matchAny(b.Subjects, subject) {
			continue
		}
		for _, id := range b.Tests {
			t := d.tests[id]
			if b.Note != "" {
				t.Note = b.Note
			}
			out = append(out, t)
		}
	}
	return out
}

func (d *data) addTests() {
	d.tests = map[string]Test{}
	for _, t := range d.mastg.Tests {
		d.tests[t.ID] = t
	}
}
