package policy

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// tellingPolicy has every key of notify, on and record.
const tellingPolicy = `version: 1
allow: [a.example]
notify:
  to:
    - name: lab
      slack: ${HOOK}
    - {name: team, teams: {env: TEAMS_HOOK}}
    - {name: guild, discord: {file: s/discord}}
    - {name: room, mattermost: {keychain: telltale/room}}
    - name: ci
      webhook: https://ci.example/hook
      sign: {env: HOOK_SECRET}
      ca: certs/ci.pem
    - name: privacy
      mail: [privacy@example.ca, "Ann <ann@example.ca>"]
      from: telltale@example.ca
      smtp: smtp://user@mail.example:587
      password: {keychain: telltale/mail}
    - name: tracker
      github: owner/repository
      token: {env: GITHUB_TOKEN}
      api: https://github.example/api/v3/
      labels: [privacy, "help wanted"]
    - {name: forge, gitlab: group/sub/project, token: {file: /run/secrets/gitlab}}
    - {name: night, mail: night@example.ca, from: telltale@example.ca, smtp: "smtps://mail.example"}
  routes:
    - to: [lab, tracker]
      when: {events: [violation], rules: [tracker], severity: error, hosts: ["*.google.com"], devices: ["::ffff:192.0.2.7", Pixel], phases: [before consent]}
      escalate: {after: 30m, to: [privacy]}
    - to: [ci, team, guild, room, forge, night]
  group: 30s
  timeout: 3s
  link: https://lab.example:8080/
on:
  - when: {rules: [tracker]}
    run: [./triage.py, --fast, ""]
    timeout: 10s
    output: 64KiB
    memory: 256MiB
    environment: [PATH, LANG]
  - run: [notify-send]
record:
  bodies: violations
  hosts: ["*.canada.ca"]
  never: ["*.bank.example", "pay.example:443"]
`

const hook = "https://hooks.slack.com/services/T0/B0/x9SECRETx9"

// tellingOptions are those of a process that has the webhook's URL in a variable.
func tellingOptions() Options {
	o := options()
	env := o.Env
	o.Env = func(name string) (string, bool) {
		if name == "HOOK" {
			return hook, true
		}
		return env(name)
	}
	return o
}

func parseTelling(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse(filepath.Join("lab", "telltale.yaml"), []byte(text), tellingOptions())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNotify(t *testing.T) {
	n := parseTelling(t, tellingPolicy).Notify()
	if n.Group != 30*time.Second || n.Timeout != 3*time.Second || n.Link != "https://lab.example:8080" {
		t.Errorf("group %s, timeout %s, link %s", n.Group, n.Timeout, n.Link)
	}
	var to []string
	for _, d := range n.To {
		to = append(to, fmt.Sprintf("%s %s url=%v repository=%s labels=%q token=%v sign=%v to=%q from=%s password=%v ca=%s line=%d",
			d.Name, d.Kind, d.URL, d.Repository, d.Labels, d.Token, d.Sign, d.Recipients, d.From, d.Password, filepath.ToSlash(d.CA), d.Source.Line))
	}
	want := []string{
		`lab slack url=[redacted] repository= labels=[] token= sign= to=[] from= password= ca= line=5`,
		`team teams url=environment variable TEAMS_HOOK repository= labels=[] token= sign= to=[] from= password= ca= line=7`,
		`guild discord url=file ` + filepath.Join("lab", "s", "discord") + ` repository= labels=[] token= sign= to=[] from= password= ca= line=8`,
		`room mattermost url=keychain entry telltale/room repository= labels=[] token= sign= to=[] from= password= ca= line=9`,
		`ci webhook url=[redacted] repository= labels=[] token= sign=environment variable HOOK_SECRET to=[] from= password= ca=lab/certs/ci.pem line=10`,
		`privacy mail url=[redacted] repository= labels=[] token= sign= to=["privacy@example.ca" "Ann <ann@example.ca>"] from=telltale@example.ca password=keychain entry telltale/mail ca= line=14`,
		`tracker github url=[redacted] repository=owner/repository labels=["privacy" "help wanted"] token=environment variable GITHUB_TOKEN sign= to=[] from= password= ca= line=19`,
		`forge gitlab url= repository=group/sub/project labels=[] token=file /run/secrets/gitlab sign= to=[] from= password= ca= line=24`,
		`night mail url=[redacted] repository= labels=[] token= sign= to=["night@example.ca"] from=telltale@example.ca password= ca= line=25`,
	}
	for i := range want {
		if to[i] != want[i] && !strings.HasPrefix(to[i], "forge") { // an absolute path is another one on Windows
			t.Errorf("got  %s\nwant %s", to[i], want[i])
		}
	}
	api, err := n.To[6].URL.Resolve(Sources{})
	if err != nil || api != "https://github.example/api/v3" {
		t.Errorf("api %q, %v", api, err)
	}
	r := n.Routes[0]
	if !slices.Equal(r.To, []string{"lab", "tracker"}) || r.Escalate.After != 30*time.Minute || !slices.Equal(r.Escalate.To, []string{"privacy"}) {
		t.Errorf("route %+v", r)
	}
	if w := r.When; !slices.Equal(w.Events, []string{"violation"}) || w.Rules[0] != Tracker || w.Severity != SeverityError ||
		w.Hosts[0].String() != "*.google.com" || !slices.Equal(w.Devices, []string{"192.0.2.7", "Pixel"}) || !slices.Equal(w.Phases, []string{"before consent"}) {
		t.Errorf("when %+v", w)
	}
	if !reflect.DeepEqual(n.Routes[1].When, Selection{}) || n.Routes[1].Escalate != nil {
		t.Errorf("route %+v", n.Routes[1])
	}
}

func TestActionsAndRecording(t *testing.T) {
	p := parseTelling(t, tellingPolicy)
	a := p.Actions()
	if len(a) != 2 || !slices.Equal(a[0].Run, []string{"./triage.py", "--fast", ""}) || a[0].Timeout != 10*time.Second || a[0].Output != 64<<10 ||
		a[0].Memory != 256<<20 || !slices.Equal(a[0].Environment, []string{"PATH", "LANG"}) || a[0].When.Rules[0] != Tracker {
		t.Errorf("actions %+v", a)
	}
	r := p.Recording()
	violation, allowed := Judgement{Verdict: Violation}, Judgement{Verdict: Allowed}
	for _, test := range []struct {
		host, port string
		j          Judgement
		want       bool
	}{
		{"www.canada.ca", "443", violation, true},
		{"www.canada.ca", "443", allowed, false},
		{"other.example", "443", violation, false},
		{"my.bank.example", "443", violation, false},
	} {
		if got := r.Keeps(test.host, test.port, test.j); got != test.want {
			t.Errorf("Keeps(%s, %s) = %v", test.host, test.j.Verdict, got)
		}
	}
	none := parse(t, twoKeys)
	if n := none.Notify(); len(n.To) != 0 || n.Routes != nil || none.Actions() != nil || !none.Recording().Keeps("a.example", "", allowed) {
		t.Errorf("without the sections: %+v, %+v, %+v", n, none.Actions(), none.Recording())
	}
}

const oneDestination = twoKeys + "notify:\n  to:\n    - {name: lab, slack: {env: HOOK}}\n"

// destination is a policy whose destination has these keys; they stand in line 5 from column 19.
func destination(keys string) string {
	return twoKeys + "notify:\n  to:\n    - {name: x, " + keys + "}\n"
}

const mailKeys = "mail: a@example.ca, from: b@example.ca, "

var badTellings = []badPolicy{
	{"notify without destinations", twoKeys + "notify:\n  group: 30s\n", 4, 3, "to is missing", "add to"},
	{"no destinations", twoKeys + "notify:\n  to: []\n", 4, 3, "to is an empty list", "give it an entry"},
	{"an unknown key of notify", oneDestination + "  grup: 30s\n", 6, 3, `unknown key "grup"; did you mean "group"?`, `"group"`},
	{"a destination without a name", twoKeys + "notify:\n  to:\n    - slack: {env: HOOK}\n", 5, 7, "name is missing", ""},
	{"a destination of no kind", twoKeys + "notify:\n  to:\n    - name: x\n", 5, 7, "does not say how it is reached", "slack, teams, discord, mattermost, webhook, mail, github, gitlab"},
	{"a destination of two kinds", destination("slack: {env: A}, teams: {env: B}"), 5, 42, "of one kind, and this is slack and teams", "two destinations"},
	{"an unknown kind of destination", destination("slak: {env: A}"), 5, 17, `did you mean "slack"?`, ""},
	{"two destinations of one name", oneDestination + "    - {name: lab, teams: {env: B}}\n", 6, 14, `two destinations are named "lab": the other one is in line 5`, ""},
	{"a name that is a URL", twoKeys + "notify:\n  to:\n    - {name: \"" + hook + "\", slack: {env: A}}\n", 5, 14, "is a URL", "short name"},
	{"a name of a destination that does not show", twoKeys + "notify:\n  to:\n    - {name: \"a\\u202eb\", slack: {env: A}}\n", 5, 14, "holds what does not show", ""},
	{"a webhook that is no URL", destination("slack: hunter2hunter2"), 5, 24, "must start with https:// or http://", "https://host/path"},
	{"a webhook of another scheme", destination("webhook: ftp://hunter2.example/x"), 5, 26, "must start with https:// or http://", ""},
	{"a webhook without a host", destination("webhook: https:///hunter2"), 5, 26, "names no host", ""},
	{"a webhook with a password", destination("webhook: https://me:hunter2@ci.example/"), 5, 26, "holds a user or a password", "sign"},
	{"a webhook with a bad port", destination("webhook: https://ci.example:99999/hunter2"), 5, 26, "a port that is none", "65535"},
	{"a webhook that cannot be parsed", destination("webhook: \"https://ci.example/%zzhunter2\""), 5, 26, "is not a URL", ""},
	{"a webhook with a space", destination("webhook: \"https://ci.example/hunter2 x\""), 5, 26, "do not show", "again"},
	{"a variable that is not set", destination("slack: \"${NOPE}\""), 5, 24, "NOPE is not set", "export NOPE"},
	{"a secret in two places", destination("slack: {env: A, file: b}"), 5, 25, "stands in one place", "{env: NAME}"},
	{"a secret nowhere", destination("slack: {}"), 5, 24, "stands in one place", ""},
	{"an unknown place of a secret", destination("slack: {environment: A}"), 5, 25, `unknown key`, "env, file, keychain"},
	{"a bad name of a variable", destination("slack: {env: $A}"), 5, 30, "not the name of an environment variable", "without $"},
	{"a bad entry of the keychain", destination("slack: {keychain: mail}"), 5, 35, "SERVICE/ACCOUNT", "telltale/mail"},
	{"a secret as a number", destination("slack: 12345"), 5, 24, "expected text, found a number", "quotes"},
	{"a secret as a list", destination("slack: [a]"), 5, 24, "expected text, found a list", ""},
	{"a signature of Slack", destination("slack: {env: A}, sign: {env: B}"), 5, 41, "Slack has no sign", "it is for: webhook"},
	{"labels of a mail", destination(mailKeys + "smtp: \"smtp://h\", labels: [x]"), 5, 0, "e-mail has no labels", "github, gitlab"},
	{"a mail without a sender", destination("mail: a@example.ca, smtp: \"smtp://h\""), 5, 8, "from is missing", "telltale@example.ca"},
	{"a mail without a server", destination(mailKeys[:len(mailKeys)-2]), 5, 8, "smtp is missing", "smtp://"},
	{"an address that is none", destination("mail: [a@example.ca, hunter2], from: b@example.ca, smtp: \"smtp://h\""), 5, 38, "not the address of an e-mail", ""},
	{"no addresses of a mail", destination("mail: [], from: b@example.ca, smtp: \"smtp://h\""), 5, 23, "mail is an empty list", ""},
	{"a header in an address", destination("mail: \"a@example.ca\\nBcc: x@example.ca\", from: b@example.ca, smtp: \"smtp://h\""), 5, 23, "not the address", ""},
	{"a server of another scheme", destination(mailKeys + "smtp: \"https://h\""), 5, 63, "must start with smtp:// or smtps://", "smtp://user@host:587"},
	{"a server with a path", destination(mailKeys + "smtp: \"smtp://h/hunter2\""), 5, 63, "ends behind its port", ""},
	{"a server without a host", destination(mailKeys + "smtp: \"smtp://\""), 5, 63, "names no host", ""},
	{"a server with a bad port", destination(mailKeys + "smtp: \"smtp://h:0\""), 5, 63, "a port that is none", ""},
	{"two passwords", destination(mailKeys + "smtp: \"smtp://u:hunter2@h\", password: {env: P}"), 5, 0, "here and in the URL", ""},
	{"a password without a user", destination(mailKeys + "smtp: \"smtp://h\", password: {env: P}"), 5, 63, "no user", "smtp://user@host:587"},
	{"a repository as a URL", destination("github: https://github.com/owner/name, token: {env: T}"), 5, 25, "not a repository of GitHub", "owner/name"},
	{"a repository without an owner", destination("github: name, token: {env: T}"), 5, 25, "not a repository of GitHub", ""},
	{"a repository that climbs", destination("github: owner/.., token: {env: T}"), 5, 25, "not a repository of GitHub", ""},
	{"a project without a group", destination("gitlab: name, token: {env: T}"), 5, 25, "not a project of GitLab", "group/project"},
	{"a project that climbs", destination("gitlab: a/../b, token: {env: T}"), 5, 25, "not a project of GitLab", ""},
	{"a tracker without a token", destination("github: o/n"), 5, 8, "token is missing", "GITHUB_TOKEN"},
	{"an API with a query", destination("github: o/n, token: {env: T}, api: \"https://h/?x=hunter2\""), 5, 52, "cannot have a query", ""},
	{"a label with a comma", destination("github: o/n, token: {env: T}, labels: [\"a,b\"]"), 5, 56, "no comma", ""},
	{"no labels", destination("github: o/n, token: {env: T}, labels: []"), 5, 47, "labels is an empty list", ""},
	{"no routes", oneDestination + "  routes: []\n", 6, 3, "routes is an empty list", ""},
	{"a route to nobody", oneDestination + "  routes:\n    - when: {severity: error}\n", 7, 7, "to is missing", ""},
	{"a route to a stranger", oneDestination + "  routes:\n    - to: [lob]\n", 7, 12, `no destination is named "lob"; did you mean "lab"?`, `"lab"`},
	{"a route to a URL", oneDestination + "  routes:\n    - to: [\"" + hook + "\"]\n", 7, 12, "a URL stands where", "name"},
	{"an unknown event", oneDestination + "  routes:\n    - {to: [lab], when: {events: [violations]}}\n", 7, 35, `an event cannot be "violations"; did you mean "violation"?`, ""},
	{"a route for tests", oneDestination + "  routes:\n    - {to: [lab], when: {events: [test]}}\n", 7, 35, `an event cannot be "test"`, "violation, device, trouble, summary, action"},
	{"no events", oneDestination + "  routes:\n    - {to: [lab], when: {events: []}}\n", 7, 26, "events is an empty list", ""},
	{"an unknown rule of a route", oneDestination + "  routes:\n    - {to: [lab], when: {rules: [trackr]}}\n", 7, 34, `did you mean "tracker"?`, ""},
	{"an unknown severity", oneDestination + "  routes:\n    - {to: [lab], when: {severity: fatal}}\n", 7, 36, `severity cannot be "fatal"`, "error, warning"},
	{"a bad pattern of a route", oneDestination + "  routes:\n    - {to: [lab], when: {hosts: [\"*x\"]}}\n", 7, 34, "not a whole label", ""},
	{"a port of a route", oneDestination + "  routes:\n    - {to: [lab], when: {hosts: [\"a.example:443\"]}}\n", 7, 34, "events have no port", ""},
	{"an escalation at once", oneDestination + "  routes:\n    - {to: [lab], escalate: {after: 0s, to: [lab]}}\n", 7, 37, "not longer than nothing", "30s"},
	{"an escalation without end", oneDestination + "  routes:\n    - {to: [lab], escalate: {after: 169h, to: [lab]}}\n", 7, 37, "169h is longer than 168h", ""},
	{"an escalation without time", oneDestination + "  routes:\n    - {to: [lab], escalate: {to: [lab]}}\n", 7, 30, "after is missing", ""},
	{"an escalation to nobody", oneDestination + "  routes:\n    - {to: [lab], escalate: {after: 1m}}\n", 7, 30, "to is missing", ""},
	{"an escalation to a stranger", oneDestination + "  routes:\n    - {to: [lab], escalate: {after: 1m, to: [boss]}}\n", 7, 46, `no destination is named "boss"`, "lab"},
	{"a duration as a number", oneDestination + "  group: 30\n", 6, 10, "expected a duration, found a number", "30s"},
	{"a duration without a unit", oneDestination + "  group: \"30\"\n", 6, 10, `"30" is not a duration`, "30s"},
	{"a negative duration", oneDestination + "  group: -30s\n", 6, 10, "not longer than nothing", ""},
	{"a long group", oneDestination + "  group: 61m\n", 6, 10, "61m is longer than 1h", ""},
	{"a long timeout", oneDestination + "  timeout: 6m\n", 6, 12, "6m is longer than 5m", ""},
	{"a link that is none", oneDestination + "  link: lab.example\n", 6, 9, "must start with https:// or http://", ""},
	{"no programs", twoKeys + "on: []\n", 3, 1, "on is an empty list", ""},
	{"a program without a command", twoKeys + "on:\n  - when: {rules: [tracker]}\n", 4, 5, "run is missing", ""},
	{"an empty command", twoKeys + "on:\n  - run: []\n", 4, 5, "run is an empty list", ""},
	{"a command without a name", twoKeys + "on:\n  - run: [\" \", x]\n", 4, 11, "the program has no name", ""},
	{"a command as text", twoKeys + "on:\n  - run: ./x.py\n", 4, 10, "expected a list, found text", "dash"},
	{"an argument with a NUL", twoKeys + "on:\n  - run: [x, \"a\\0b\"]\n", 4, 14, "holds a NUL", ""},
	{"a number as an argument", twoKeys + "on:\n  - run: [x, 5]\n", 4, 14, "expected text, found a number", "quotes"},
	{"a long program", twoKeys + "on:\n  - {run: [x], timeout: 61m}\n", 4, 25, "61m is longer than 1h", ""},
	{"a size as a number", twoKeys + "on:\n  - {run: [x], output: 65536}\n", 4, 24, "expected a size, found a number", "64KiB"},
	{"a size that is none", twoKeys + "on:\n  - {run: [x], output: 64 potatoes}\n", 4, 24, `"64 potatoes" is not a size`, ""},
	{"a size of nothing", twoKeys + "on:\n  - {run: [x], output: 0KiB}\n", 4, 24, "is not a size", ""},
	{"a size without end", twoKeys + "on:\n  - {run: [x], output: 9999999999GiB}\n", 4, 24, "is not a size", ""},
	{"much output", twoKeys + "on:\n  - {run: [x], output: 17MiB}\n", 4, 24, "more than 16MiB", ""},
	{"little memory", twoKeys + "on:\n  - {run: [x], memory: 1KiB}\n", 4, 24, "less than 1MiB", ""},
	{"a bad variable of a program", twoKeys + "on:\n  - {run: [x], environment: [A=b]}\n", 4, 30, "not the name of an environment variable", ""},
	{"unknown bodies", twoKeys + "record: {bodies: some}\n", 3, 18, `bodies cannot be "some"`, "all, violations, none"},
	{"no hosts of bodies", twoKeys + "record: {hosts: []}\n", 3, 10, "hosts is an empty list", ""},
	{"a bad pattern of bodies", twoKeys + "record: {never: [\"*x\"]}\n", 3, 18, "not a whole label", ""},
	{"an unknown key of record", twoKeys + "record: {body: all}\n", 3, 10, `unknown key "body"`, ""},
	{"notify of a device", twoKeys + "devices:\n  - {name: x, address: 192.0.2.1, notify: {to: []}}\n", 4, 35, "unknown key", ""},
	{"only notify", "version: 1\nnotify: {to: [{name: x, slack: {env: A}}]}\n", 1, 1, "the policy names nothing", ""},
}

func TestParseBadTellings(t *testing.T) { checkBad(t, badTellings) }

func TestTellingErrorsLook(t *testing.T) { golden(t, "telling-errors.txt", errorsOf(t, badTellings)) }

// No error shows a secret, wherever in the file it stands and whatever is wrong.
func TestErrorsKeepSecretsOfDestinations(t *testing.T) {
	texts := []string{
		twoKeys + "notify:\n  to:\n    - slack: " + hook + "\n",
		twoKeys + "notify:\n  to:\n    - name: x\n      slak: " + hook + "\n",
		twoKeys + "notify:\n  to:\n    - name: x\n      sleck_url: " + hook + "\n",
		twoKeys + "notify:\n  to: " + hook + "\n",
		twoKeys + "notify: " + hook + "\n",
		twoKeys + "notfy:\n  to:\n    - slack: " + hook + "\n",
		twoKeys + "notify:\n  to:\n    - {name: x, webhook: https://h.example/x, sign: x9SECRETx9, teams: {env: A}}\n",
		twoKeys + "notify:\n  to:\n    - {name: x, github: o, token: x9SECRETx9}\n",
		twoKeys + "notify:\n  to:\n    - {name: x, slack: !!str " + hook + "}\n",
		twoKeys + "notify:\n  to:\n    - {name: x, slack: *x9SECRETx9}\n",
		twoKeys + "notify:\n  to:\n    - {name: x, slack: \"" + hook + "}\n",
		twoKeys + "notify:\n  to:\n    - {name: x, slack: {" + hook + ": a}}\n",
		twoKeys + "notify: {to: [{name: x, slack: \"" + hook + "\"}], " + "group: x}\n",
		"version: 1\nallow: [\"*x\"] # " + hook + "\nnotify:\n  to:\n    - {name: x, slack: ${HOOK}}\n",
		"version: 1\nallow: [\"*" + hook + "\"]\nnotify:\n  to:\n    - {name: x, slack: ${HOOK}}\n",
		oneDestination + "  routes:\n    - to: [\"" + hook + "\"]\n",
		oneDestination + "  link: ftp://x9SECRETx9\n",
		destination("slack: \"${HOOK}x\", mail: a@example.ca} # " + hook),
		destination(mailKeys + "smtp: \"smtp://u:x9SECRETx9@h/x\""),
	}
	for _, text := range texts {
		p, err := Parse("p.yaml", []byte(text), tellingOptions())
		if err == nil {
			t.Errorf("no error: %v\n%s", p.Notify(), text)
			continue
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%T", err)
		}
		if strings.Contains(e.Error()+e.Hint(), "x9SECRETx9") {
			t.Errorf("shows the secret:\n%s\nof\n%s", e.Error()+"\n"+e.Hint(), text)
		}
	}
}

func TestLintOfTelling(t *testing.T) {
	p := parseTelling(t, twoKeys+`notify:
  to:
    - {name: written, slack: "https://hooks.slack.com/services/x9SECRETx9"}
    - {name: known, webhook: "http://ci.example/x", sign: x9SECRETx9}
    - {name: mail, mail: a@example.ca, from: b@example.ca, smtp: "smtp://u:x9SECRETx9@h"}
    - {name: safe, slack: "${HOOK}"}
    - {name: home, webhook: "http://127.0.0.1:8000/"}
    - {name: idle, discord: {env: A}}
  routes:
    - {to: [written, known, mail, safe, home], when: {events: [trouble]}, escalate: {after: 1m, to: [safe]}}
record: {bodies: none, never: [a.example]}
`)
	var got []string
	for _, w := range Lint(p, today) {
		if strings.Contains(w.String()+w.Hint(), "x9SECRETx9") {
			t.Errorf("shows the secret: %s", w)
		}
		got = append(got, strings.TrimPrefix(filepath.ToSlash(w.String()), "lab/telltale.yaml:"))
	}
	want := []string{
		"5:30: slack stands in the file itself: whoever can read the file has it",
		"6:59: sign stands in the file itself: whoever can read the file has it",
		"6:1: the URL is http: everybody on the way reads the messages, and the URL",
		"7:66: smtp stands in the file itself: whoever can read the file has it",
		"10:1: no route names it: it is told of violations and trouble",
		"12:1: escalates never: only violations are acknowledged",
		"13:1: bodies: none records no body, whatever hosts and never say",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if w := Lint(parseTelling(t, tellingPolicy), today); len(w) != 0 {
		t.Errorf("of a good policy: %v", w)
	}
}

// The editor of the screen leaves the sections as they are.
func TestEditKeepsTelling(t *testing.T) {
	text := strings.Replace(tellingPolicy, "group: 30s", "group: 30s   # half a minute", 1)
	edited, err := Edit("telltale.yaml", []byte(text), Change{Kind: ChangeAllow, Pattern: "b.example"}, tellingOptions())
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(text, "allow: [a.example]", "allow: [a.example, b.example]", 1); string(edited) != want {
		t.Errorf("got\n%s", edited)
	}
}

// Sections that are not there yet come before them.
func TestEditAddsBeforeTelling(t *testing.T) {
	edited, err := Edit("telltale.yaml", []byte(tellingPolicy), Change{Kind: ChangeIgnore, Pattern: "b.example", Reason: "noise"}, tellingOptions())
	if err != nil {
		t.Fatal(err)
	}
	if i, j := strings.Index(string(edited), "ignore:"), strings.Index(string(edited), "notify:"); i < 0 || i > j {
		t.Errorf("got\n%s", edited)
	}
}

func TestSelection(t *testing.T) {
	full := Occasion{Event: "violation", Rule: Tracker, Severity: SeverityError, Host: "a.google.com", Client: "::ffff:192.0.2.7", Device: "Phone", Phase: "before consent"}
	s := parseTelling(t, tellingPolicy).Notify().Routes[0].When
	if !s.Match(full) {
		t.Fatal("does not match")
	}
	if !(Selection{}).Match(full) || !(Selection{}).Match(Occasion{Event: "summary"}) {
		t.Error("an empty selection takes anything")
	}
	for name, change := range map[string]func(*Occasion){
		"event":    func(o *Occasion) { o.Event = "device" },
		"rule":     func(o *Occasion) { o.Rule = Cleartext },
		"severity": func(o *Occasion) { o.Severity = SeverityWarning },
		"host":     func(o *Occasion) { o.Host = "google.com" },
		"no host":  func(o *Occasion) { o.Host = "" },
		"device":   func(o *Occasion) { o.Client = "192.0.2.8" },
		"phase":    func(o *Occasion) { o.Phase = "" },
	} {
		other := full
		change(&other)
		if s.Match(other) {
			t.Errorf("matches with another %s", name)
		}
	}
	named := full
	named.Client, named.Device = "192.0.2.8", "Pixel"
	if !s.Match(named) {
		t.Error("does not match the name of a device")
	}
}
