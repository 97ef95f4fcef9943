package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"telltale/flow"
	"telltale/flow/plain"
	"telltale/useragent"
)

// This file has the sentences of diagnoses. Whatever comes from the wire goes through
// agent or host on its way into them, which mask it, and then through plain.Text, text or
// ending.

// maxName bounds a host or program in a sentence, in characters.
const maxName = 48

// text makes a program's name harmless and short.
func text(s string) string {
	s = plain.Text(s)
	if n := utf8.RuneCountInString(s); n > maxName {
		return string([]rune(s)[:maxName-1]) + "…"
	}
	return s
}

// ending does so for a host, of which the end tells whose it is.
func ending(host string) string {
	host = plain.Text(host)
	if n := utf8.RuneCountInString(host); n > maxName {
		return "…" + string([]rune(host)[n-maxName+1:])
	}
	return host
}

// unsure is how many bytes of a text that was cut are not shown at the cut, where a value
// that has to be masked may not be whole.
const unsure = maxText / 2

// agent is the User-Agent of a program as it may be shown.
func (j *judge) agent(p *program) string {
	if j.known.Mask == nil {
		return p.agent
	}
	shown := j.known.Mask(p.agent)
	if len(p.agent) == maxText {
		shown = shown[:max(0, len(shown)-unsure)]
	}
	return shown
}

// host is a host as it may be shown.
func (j *judge) host(name string) string {
	if j.known.Mask == nil {
		return name
	}
	shown := j.known.Mask(name)
	if len(name) == maxText {
		shown = shown[min(len(shown), unsure):]
	}
	return shown
}

// diagnosis begins one on what a trouble shows. p is the one program that it is about,
// nil for several.
func (j *judge) diagnosis(cause Cause, p *program, t *trouble) Diagnosis {
	d := Diagnosis{Key: string(cause), Cause: cause, Connections: t.count(), AtLeast: t.atLeast || t.cut, First: moment(t.first), Last: moment(t.last)}
	d.Hosts, d.MoreHosts = j.listed(t.hosts)
	if p == nil && j.clients.more > 0 && d.Connections > 0 {
		d.AtLeast = true // of programs that are not kept
	}
	if p != nil {
		d.App = plain.Text(j.agent(p))
	}
	d.Evidence = j.sentences(t)
	if p != nil && p.agent == "" && len(p.kin) > 0 {
		d.Evidence = append(d.Evidence, "Its TLS stack is that of "+j.names(p.kin)+".")
	}
	return d
}

// about begins one on a program that refuses where others are read.
func (j *judge) about(cause Cause, p *program, t *trouble) Diagnosis {
	d := j.diagnosis(cause, p, t)
	d.Key += "/" + p.digest()
	if p.guests(t) > 0 {
		d.Evidence = append(d.Evidence, "Some of them named no program: that they are of this one is a guess, from the same TLS stack.")
	}
	return d
}

// addGuess finishes a diagnosis on a program. Where all that it rests on is taken for the
// program's own, it is a guess.
func (j *judge) addGuess(d Diagnosis, p *program, t *trouble) {
	if n := p.guests(t); n > 0 && n == len(t.hosts) {
		d.Certainty, d.Guess = Possible, true
	}
	j.add(d)
}

// add finishes a diagnosis.
func (j *judge) add(d Diagnosis) {
	if len(j.systems) > 1 {
		var names []string
		for _, os := range j.systems {
			names = append(names, string(os))
		}
		d.Evidence = append(d.Evidence, "Several systems share this address ("+strings.Join(names, ", ")+"): what is of which is not told apart.")
	}
	j.found = append(j.found, d)
}

// sentences say what was counted.
func (j *judge) sentences(t *trouble) []string {
	var out []string
	if t.refused > 0 {
		s := "It refused our certificate " + t.times(t.refused) + j.hostsOf(t)
		var alerts []string
		for _, e := range t.alerts {
			switch {
			case e.count == 0:
			case e.code == noAlert:
				alerts = append(alerts, "closed without an alert")
			default:
				alerts = append(alerts, "alert "+alertText(e.code))
			}
		}
		slices.Reverse(alerts) // real alerts first
		out = append(out, s+joined("; ", alerts)+".")
	}
	if t.silent > 0 {
		out = append(out, "It accepted TLS and closed the connection without a request "+t.times(t.silent)+j.hostsOf(t)+".")
	}
	if t.failed > 0 {
		s := "TLS with it failed " + t.times(t.failed) + j.hostsOf(t)
		var reasons []string
		for _, e := range t.reasons {
			switch {
			case e.count == 0:
			case e.code == noVersion:
				reasons = append(reasons, "no version in common")
			case e.code == noCipher:
				reasons = append(reasons, "no cipher in common")
			default:
				reasons = append(reasons, "alert "+alertText(e.code))
			}
		}
		out = append(out, s+joined("; ", reasons)+".")
	}
	return out
}

func (t *trouble) times(n int) string {
	s := number(n, "time")
	switch n {
	case 1:
		s = "once"
	case 2:
		s = "twice"
	}
	if t.atLeast {
		return "at least " + s
	}
	return s
}

func (j *judge) hostsOf(t *trouble) string {
	if len(t.hosts) == 0 {
		return ""
	}
	many := " for "
	if t.cut {
		many += "at least "
	}
	return many + number(len(t.hosts), "host") + ": " + j.some(t.hosts)
}

func joined(before string, parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return before + strings.Join(parts, ", ")
}

// some lists the first few hosts.
func (j *judge) some(hosts []string) string {
	const most = 3
	var shown []string
	for _, h := range hosts[:min(most, len(hosts))] {
		shown = append(shown, ending(j.host(h)))
	}
	list := strings.Join(shown, ", ")
	if more := len(hosts) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// listed are the hosts of a diagnosis.
func (j *judge) listed(hosts []string) (out []string, more int) {
	for _, h := range hosts[:min(MaxHosts, len(hosts))] {
		out = append(out, plain.Text(j.host(h)))
	}
	slices.Sort(out)
	return out, len(hosts) - len(out)
}

func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func clockTime(at int64) string { return moment(at).Format("15:04:05 UTC") }

// name is what the program is called in a title.
func (j *judge) name(p *program) string {
	switch {
	case p == nil:
		return "the device"
	case p.agent == "":
		return "a program"
	case j.isApp(p):
		return "the app"
	}
	agent := j.agent(p)
	if app := useragent.Parse(agent).App; app != "" {
		return text(app)
	}
	first, _, _ := strings.Cut(agent, "/")
	return text(first)
}

// names are what some programs are called, the first few.
func (j *judge) names(programs []*program) string {
	const most = 3
	var names []string
	for _, p := range programs {
		names = append(names, j.name(p))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	list := strings.Join(names[:min(most, len(names))], ", ")
	if more := len(names) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// othersRead says who does trust us.
func (j *judge) othersRead(p *program) string {
	others := slices.DeleteFunc(slices.Clone(j.programs), func(q *program) bool {
		return q == p || q.read.count+q.test.trusted.count == 0
	})
	switch {
	case len(others) > 0:
		return "The device trusts telltale's authority: " + j.names(others) + " can be read."
	case j.test.trusted.count > 0:
		return "The device trusts telltale's authority: the test of the set-up page succeeded."
	}
	return "Nothing else was read."
}

// untrustedEvidence says who refused a device's worth of connections since the
// certificate was fetched (since is 0: whenever), and when that was.
func (j *judge) untrustedEvidence(w *witnesses, since, last int64) []string {
	var out []string
	if w.tests > 0 {
		out = append(out, "The set-up page's own test was refused: "+number(w.tests, "connection")+".")
	}
	browsers := slices.DeleteFunc(slices.Clone(w.programs), func(p *program) bool { return !p.is.Browser })
	switch {
	case len(browsers) > 0 && len(browsers) < len(w.programs):
		out = append(out, "A browser refuses too: "+j.names(browsers)+".")
	case len(browsers) > 0:
		out = append(out, "Who refuses is a browser: "+j.names(browsers)+".")
	case w.tests > 0:
	case len(w.programs) == 1:
		when := "Only"
		if since != 0 {
			when = "Since it was fetched only"
		}
		out = append(out, when+" one program was seen, "+j.name(w.programs[0])+": one that pins its certificates looks the same.")
	}
	out = append(out, "Nothing of it was read.")
	form := "certificate"
	if j.profile {
		form = "profile"
	}
	switch fetched := j.fetched.first; {
	case fetched == 0:
		out = append(out, "It did not fetch the certificate here.")
	case fetched > last:
		out = append(out, "It fetched the "+form+" only afterwards, at "+clockTime(fetched)+".")
	default:
		out = append(out, "It fetched the "+form+" at "+clockTime(fetched)+" and refused since, until "+clockTime(last)+".")
	}
	return out
}

// setupPage is where a device finds everything.
const setupPage = "http://" + flow.SetupHost + "/"

// stepsForTrust are what to do on a device that does not trust us.
func (j *judge) stepsForTrust(cause Cause, one *program) []string {
	var steps []string
	if cause == NotInstalled {
		if one != nil && !one.is.Browser && storeOf(one) != nil {
			return storeOf(one).steps()
		}
		steps = append(steps, "In the device's browser open `"+setupPage+"` and fetch the certificate.")
	}
	steps = append(steps, j.installSteps(one)...)
	return append(steps, "To tell: open any https page in the device's browser. If that can be read, the certificate is fine.")
}

// installSteps say how the certificate is installed and trusted, in the words of
// setup.Platforms.
func (j *judge) installSteps(one *program) []string {
	os := useragent.OS("")
	switch {
	case one != nil && storeOf(one) != nil:
		return storeOf(one).steps()
	case one != nil:
		os = one.os
	case len(j.systems) > 0:
		os = j.systems[0]
	}
	switch os {
	case useragent.IOS, useragent.Apple:
		return []string{
			"Installed? `Settings › General › VPN & Device Management`.",
			"Switched on? `Settings › General › About › Certificate Trust Settings`: this second switch is needed too.",
		}
	case useragent.Android:
		return []string{
			"Installed? Since Android 11 the download alone installs nothing: in `Settings`, search for `CA certificate`.",
			"Then it is listed: `Encryption & credentials › Trusted credentials › User`.",
			"Chrome trusts it then. Apps do only if they are built to: see `telltale setup android`.",
		}
	case useragent.MacOS:
		return []string{"In Keychain Access, for the certificate: `Trust › When using this certificate › Always Trust`."}
	case useragent.Windows:
		return []string{"It belongs into the store `Trusted Root Certification Authorities` of the user: `certmgr.msc` shows it."}
	case useragent.Linux, useragent.ChromeOS:
		return []string{
			"Add it to the system's store: `telltale setup linux` has the commands.",
			"Chromium has a store of its own, for `certutil`; so has Firefox.",
		}
	}
	return []string{
		"iOS: install the profile, `Settings › General › VPN & Device Management`, and switch it on, " +
			"`Settings › General › About › Certificate Trust Settings`.",
		"Android: in `Settings`, search for `CA certificate` and install it. Apps ignore it unless they are built to trust it.",
	}
}

// stepsForUserCA are for apps of Android that ask the system's store alone.
var stepsForUserCA = []string{
	"In an app of your own, trust user certificates in debug builds: `telltale setup android` has the file.",
	"For other apps: an emulator or a rooted device, with the certificate in the system's store, by `telltale setup android`.",
	"Until then its connections are recorded and judged by name.",
}

func stepsForPins(hosts []string) []string {
	steps := []string{"Use a build of the app without pins, as for debugging."}
	if host := typed(hosts); host != "" {
		steps = append(steps, "To tell: open `https://"+host+"/` in the device's browser. If that can be read, it is the app that refuses.")
	}
	return append(steps, passThrough(hosts)...)
}

// passThrough lets a program work that cannot be read.
func passThrough(hosts []string) []string {
	host := typed(hosts)
	if host == "" {
		return nil
	}
	return []string{"To let it work unread: `--passthrough " + host + "`. It is still recorded and judged by name."}
}

// typed returns the first host that somebody may type into a shell, "" for none: what
// is on the wire need not be a name.
func typed(hosts []string) string {
	const longest = 80
	for _, host := range hosts {
		odd := strings.IndexFunc(host, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
		})
		if odd < 0 && host != "" && host[0] != '-' && len(host) <= longest {
			return host
		}
	}
	return ""
}

// Title is what a cause is called where nothing else is known.
func (c Cause) Title() string {
	switch c {
	case NotInstalled:
		return "certificate authority not installed"
	case NotTrusted:
		return "certificate authority not trusted yet"
	case UserCAIgnored:
		return "user certificates ignored"
	case AppPinning:
		return "app pins its certificates"
	case SystemPinning:
		return "services of the system's maker"
	case ProxyIgnored:
		return "proxy not used"
	case WrongClock:
		return "wrong clock"
	case NoCommonTLS:
		return "no TLS in common"
	case HiddenByRelay:
		return "hidden by a relay"
	}
	return string(c)
}
