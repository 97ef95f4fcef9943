package reports

import (
	"slices"
	"strings"

	"telltale/policy"
	"telltale/policy/catalog"
)

// ruleFacts is what a list of rules for code scanning says beyond a rule's title.
type ruleFacts struct {
	name   string // for people; made of the rule's identifier where that has several words
	full   string // what the rule finds and why it matters, in two or three sentences
	remedy string // what to do about it
	// precision is how often a result is true in the sense of the rule, in code
	// scanning's words.
	precision string
	// score is the base score of CVSS 3.1 (first.org/cvss) where the rule is about the
	// security of a connection whoever it goes to: an attacker on the way reads and
	// changes (7.4) or reads (5.9) it. Who is contacted is a matter of privacy,
	// which no such number measures.
	score string
}

// ruleFactsOf lists the facts by rule.
var ruleFactsOf = map[policy.Rule]ruleFacts{
	policy.HostDenied: {
		full:      "The app contacted a host that the policy names under deny. Whatever was sent, its operator learns the device's IP address and that the app is in use.",
		remedy:    "Remove what sends the request, or move the host to allow if contacting it was decided after all.",
		precision: "very-high",
	},
	policy.Tracker: {
		name:      "TrackerContacted",
		full:      "The app contacted a service that measures people, shows advertising or keeps profiles. Such services link what one person does in many apps; the policy does not allow this one.",
		remedy:    "Remove the kit, or configure it so that it sends nothing before the user agreed. If it is meant to be there, declare it (on iOS under NSPrivacyTrackingDomains) and allow its host.",
		precision: "high",
	},
	policy.CaptivePortalProbe: {
		full:      "The app asked a third party only to learn whether the internet answers. Each request tells the operator of that host who runs the app: its name in the User-Agent and the device's IP address.",
		remedy:    "Point the reachability check at a server of your own, or use the system's. Libraries such as React Native NetInfo ask Google by default and have a setting for the URL.",
		precision: "high",
	},
	policy.HostNotAllowed: {
		full:      "The app contacted a host that neither allow nor ignore of the policy names, or did so outside the limits of the entry that names it. Somebody learned that the app is in use who was not meant to.",
		remedy:    "Find what sends the request (its URL and User-Agent are in the evidence) and remove it, or allow the host in the policy, which records the decision.",
		precision: "very-high",
	},
	policy.HostMismatch: {
		full:      "The CONNECT target, the TLS server name, the Host header and the URL of a request name different hosts, and not all are allowed. One of them hides who is really contacted.",
		remedy:    "Find out why the names differ (domain fronting, a wrong Host header, a proxy in the app) and make them one.",
		precision: "high",
	},
	policy.Cleartext: {
		name:      "CleartextContent",
		full:      "Content was sent without encryption. Everyone between the device and the server can read and change it.",
		remedy:    "Use https, and forbid cleartext in the app's configuration (App Transport Security on iOS, network security configuration on Android).",
		precision: "very-high", score: "7.4",
	},
	policy.WeakTLS: {
		full:      "A connection used a version of TLS below the one that the policy requires. TLS 1.0 and 1.1 are deprecated (RFC 8996) because of known weaknesses.",
		remedy:    "Raise the lowest version on the server, and in the app's configuration where that allows old ones.",
		precision: "very-high", score: "5.9",
	},
	policy.InvalidCertificate: {
		full:      "The server's certificate did not verify, and yet content was exchanged. Anyone between the device and the server could have answered in its place.",
		remedy:    "Install a valid certificate with its whole chain on the server, and remove what makes the app accept any.",
		precision: "high", score: "7.4",
	},
	policy.ValueLeaked: {
		full:      "A value that the policy lists under never-send stands in what the device sent, as it is or encoded.",
		remedy:    "Find what puts the value into the request and remove it. Treat the value as known to the recipient, and change it if it is a secret.",
		precision: "high",
	},
	policy.IdentifierLeaked: {
		full:      "What the device sent holds an identifier of the device, the installation or the person, found by its form and its name. Whoever gets it recognises the device or the person again, and can join what different apps know.",
		remedy:    "Send no identifier where none is needed, and one that is made for the purpose where one is. What is meant to be sent can be allowed in the policy under identifiers.",
		precision: "medium",
	},
	policy.UndeclaredTracking: {
		full:      "The app contacted a company that tracks people, and its privacy manifest does not say so: the host is missing under NSPrivacyTrackingDomains, or the manifest says that the app does not track. iOS blocks declared domains for people who refused tracking; an undeclared one is contacted all the same.",
		remedy:    "Name the domain in PrivacyInfo.xcprivacy and set NSPrivacyTracking, or remove what contacts it.",
		precision: "high",
	},
	policy.UndeclaredData: {
		full:      "The app sent data of a kind that its privacy manifest does not list under NSPrivacyCollectedDataTypes. What people read about the app in the store is then not what it does.",
		remedy:    "Declare the kind of data with its purpose in PrivacyInfo.xcprivacy, or do not send it.",
		precision: "medium",
	},
	policy.NetworkSecurityConfig: {
		full:      "What was seen does not fit the network security configuration of the app: content went unencrypted where it forbids that, a host that it pins could be intercepted, or its pins have expired.",
		remedy:    "Check that the manifest names the configuration, that this build uses it, and that no library goes past it.",
		precision: "high",
	},
	policy.Undecryptable: {
		name:      "UndecryptableContent",
		full:      "The host is allowed, but what was said to it is unknown: the client refused the certificate, or spoke something that is neither TLS nor HTTP. The audit cannot vouch for it.",
		remedy:    "Make the content readable for the audit: a test build that trusts the proxy's CA and does not pin certificates. A refusal speaks for the app's security, not against it.",
		precision: "very-high",
	},
	policy.EncryptedDNS: {
		name:      "EncryptedDNS",
		full:      "Names were asked of a resolver over TLS, HTTPS or QUIC, whose questions nobody on the way can read. Whoever runs it learns every name that is asked for, and the audit does not see which hosts the app looked up.",
		remedy:    "Use the resolver of the system. Where the app brings its own on purpose, say so in the policy with a waiver.",
		precision: "high",
	},
}

// mastgOf lists the tests and weaknesses of OWASP's MASTG and MASWE (mas.owasp.org) that a
// finding of a rule bears on.
func mastgOf(rule policy.Rule) []string {
	var ids, weaknesses []string
	for _, t := range catalog.Tests(string(rule), "") {
		ids = append(ids, t.ID)
		if t.Weakness != "" && !slices.Contains(weaknesses, t.Weakness) {
			weaknesses = append(weaknesses, t.Weakness)
		}
	}
	return append(ids, weaknesses...)
}

// sarifDescription bounds a description, in characters: code scanning takes 1,024.
const sarifDescription = 1000

// sarifRuleOf describes a check. The report's own words win over the general ones.
func sarifRuleOf(c Check) sarifRule {
	facts := ruleFactsOf[c.Rule]
	title := c.Title
	if title == "" {
		title = "breaks the rule " + string(c.Rule)
	}
	full := facts.full
	if full == "" {
		full = c.Help
	}
	if full == "" {
		full = sentence(capital(title))
	}
	name := facts.name
	if name == "" {
		name = pascal(string(c.Rule))
	}
	short := inSARIF.prose(clip(sentence(capital(title)), sarifDescription))
	full = inSARIF.prose(clip(full, sarifDescription))
	rule := sarifRule{
		ID: string(c.Rule), Name: name, Default: &sarifDefault{sarifLevel(c.Severity)},
		Short: &sarifMessage{Text: short}, Full: &sarifMessage{Text: full},
		Help: ruleHelp(c, facts, short, full),
		Property: &sarifRuleBag{
			Tags: append([]string{"privacy", "security"}, mastgOf(c.Rule)...), Precision: facts.precision,
			ProblemSeverity: sarifLevel(c.Severity), SecuritySeverity: facts.score,
		},
	}
	if rule.Property.Precision == "" {
		rule.Property.Precision = "medium"
	}
	return rule
}

// ruleHelp says why a rule matters and what to do, as text and as Markdown.
func ruleHelp(c Check, facts ruleFacts, short, full string) *sarifMessage {
	why := full
	if help := inSARIF.prose(clip(c.Help, maxProse)); help != "" && help != full {
		why += " " + help
	}
	text := []string{short, "Why it matters: " + why}
	mark := []string{"**" + prose(short) + "**", "**Why it matters.** " + prose(why)}
	if facts.remedy != "" {
		text = append(text, "What to do: "+facts.remedy)
		mark = append(mark, "**What to do.** "+prose(facts.remedy))
	}
	if ids := mastgOf(c.Rule); len(ids) > 0 {
		list := strings.Join(ids, ", ")
		text = append(text, "In OWASP's mobile security testing guide: "+list+".")
		mark = append(mark, "In OWASP's mobile security testing guide: "+list+".")
	}
	waive := "If it has to stay for a while, excuse it in the policy under waivers, with a reason and a last day."
	return &sarifMessage{strings.Join(append(text, waive), "\n\n"), strings.Join(append(mark, waive), "\n\n")}
}

// pascal writes a rule's name as SARIF recommends for people: "CaptivePortalProbe".
func pascal(id string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(id, "-") {
		b.WriteString(capital(word))
	}
	return strings.NewReplacer("Tls", "TLS").Replace(clip(b.String(), 200))
}
