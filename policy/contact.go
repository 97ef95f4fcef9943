package policy

import (
	"fmt"
	"strings"

	"telltale/flow"
	"telltale/policy/catalog"
)

// contactFinding describes a contact that the policy does not want, in the words of
// its rule.
func (s *Sighting) contactFinding() Finding {
	f := s.finding(s.contact.rule, s.contact.source)
	switch s.contact.rule {
	case CaptivePortalProbe:
		s.describeProbe(&f)
	case Tracker:
		s.describeTracker(&f)
	case HostDenied:
		s.describeDenied(&f)
	default:
		s.describeUnknown(&f)
	}
	if !strings.Contains(f.Message, "run by") {
		f.Message += s.aside()
	}
	if s.hiding.how != "" {
		f.Category, f.Remedy = s.contact.category, f.Remedy+" "+encryptedDNSRemedy
	}
	return f
}

// maxUserAgent bounds what a message quotes of a User-Agent, in bytes.
const maxUserAgent = 120

// who says what a request gives away by itself, for people who have never thought
// about it.
func (s *Sighting) who(owner string) string {
	m := "Each one tells " + owner + " who runs this app, and when: "
	ua := s.request.UserAgent
	switch {
	case s.Flow.Kind == flow.DNS:
		return "The question tells whoever answers it, and everyone on the way, which host the device is about to contact, and when."
	case ua != "" && len(ua) <= maxUserAgent:
		m += fmt.Sprintf("the User-Agent names the app (%q)", ua)
	case ua != "":
		m += "the User-Agent names the app"
	default:
		m += "the TLS server name and the timing give the app away"
	}
	return m + ", and the connection carries the phone's IP address."
}

func (s *Sighting) describeProbe(f *Finding) {
	p := s.contact.probe.Probe
	if p == nil {
		s.describeUnknownProbe(f)
		return
	}
	f.Category, f.Owner = p.Class(), p.Owner
	f.Title = p.What
	parts := []string{s.request.Method + " " + s.Host + s.request.Path + " has no other purpose than to learn whether the internet answers."}
	if s.Flow.Kind == flow.DNS {
		parts[0] = s.asked() + " It serves nothing but checks whether the internet answers."
	} else if !s.request.Read {
		parts[0] = s.Host + " serves nothing but checks whether the internet answers."
	}
	if p.Class() == catalog.PublicIP {
		parts = append(parts, "The answer holds the phone's public IP address.")
	}
	parts = append(parts, "Likely sent by "+p.Sender+". How to tell: "+p.Recognise+".")
	if p.SentBy == catalog.ByApp || s.request.App {
		parts = append(parts, s.who(p.Owner))
	} else {
		parts = append(parts, "It tells "+p.Owner+" the IP address of the device, but nothing about the app, as long as "+sentBy(p)+" sends it.")
	}
	if p.Cadence != "" {
		parts = append(parts, "By default it repeats: "+p.Cadence+".")
	}
	if len(s.contact.probe.Others) > 0 {
		parts = append(parts, "The same address is also asked by: "+others(s.contact.probe.Others)+".")
	}
	if p.Confidence == catalog.Unverified {
		parts = append(parts, "Who sends it is not verified: take it as a lead.")
	}
	f.Message = strings.Join(parts, " ")
	f.Remedy = strings.TrimSpace(p.Remedy)
}

func sentBy(p *catalog.Probe) string {
	if p.SentBy == catalog.ByBrowser {
		return "the browser"
	}
	return "the system"
}

func others(probes []*catalog.Probe) string {
	var senders []string
	for _, p := range probes {
		senders = append(senders, p.Sender)
	}
	return strings.Join(senders, "; ")
}

// describeUnknownProbe is for requests that only their path gives away.
func (s *Sighting) describeUnknownProbe(f *Finding) {
	f.Category = catalog.CaptivePortal
	f.Title = "looks like a check whether the internet works"
	f.Message = "The path " + s.request.Path + " is the one that captive-portal checks use by convention; no known sender uses " + s.Host + ". " + s.who("whoever runs "+s.Host)
	f.Remedy = "Find where the address comes from, by a search for it in the unpacked app and its dependencies, and switch the check off in that library, or name a server of your own."
}

func (s *Sighting) describeTracker(f *Finding) {
	if s.contact.listed() {
		s.describeListed(f)
		s.sayDeniedCategory(f)
		return
	}
	t := s.contact.product
	f.Category, f.Owner = t.Category, t.Owner()
	category, _ := catalog.FindCategory(t.Category)
	f.Title = "contacts " + t.Owner()
	if s.Flow.Kind == flow.DNS {
		f.Title = "asks DNS for " + t.Owner()
	}
	f.Message = fmt.Sprintf("%s belongs to %s, which %s (%s).%s%s%s %s", s.Host, t.Owner(), category.Title, t.Category, seat(t), verified(t), onLists(s.contact.listings), s.who(t.Company))
	f.Remedy = fmt.Sprintf("Remove the kit %s from the app, or switch its collection off before its first use. A search for the host in the unpacked app finds which part brings it. "+
		"If the app is meant to use it, name the host under allow with a reason.", t.Name)
	s.sayDeniedCategory(f)
}

func (s *Sighting) sayDeniedCategory(f *Finding) {
	if f.Source.File == s.policy.file && strings.HasPrefix(f.Source.Text, "category:") {
		f.Message += " The policy denies this category."
	}
}

// seat says where the company of a product is, as a sentence; "" where that is not known.
func seat(p *catalog.Product) string {
	if country := catalog.CountryName(p.Country); country != "" {
		return " " + p.Company + " has its head office in " + country + "."
	}
	return ""
}

// verified says of a fact that nobody confirms that it is none.
func verified(p *catalog.Product) string {
	if p.Confidence == catalog.Unverified {
		return " That the host is theirs is not verified: take it as a lead."
	}
	return ""
}

func (s *Sighting) describeDenied(f *Finding) {
	f.Message = s.Host + " is forbidden by the policy (" + f.Source.Text + ")." + s.known() + onLists(s.contact.listings)
	if s.Flow.Kind == flow.DNS {
		f.Message += " " + s.asked()
	}
	for i := range s.policy.deny {
		if r := &s.policy.deny[i]; r.Source == f.Source && r.Reason != "" {
			f.Message += " Reason given there: " + r.Reason + "."
		}
	}
	f.Remedy = "Find what contacts it, by a search for the host in the unpacked app and its dependencies, and remove it. If the entry is wrong, correct it in the policy."
}

func (s *Sighting) describeUnknown(f *Finding) {
	if r := s.contact.near; r != nil {
		f.Title = "sends a request that the policy does not allow to this host"
		f.Message = "The policy names " + s.Host + ", but only for " + limits(r) + "; this was " + s.request.Method + " " + s.Flow.Path() + "." + s.known()
		f.Remedy = "If the request is meant, widen the entry " + r.Source.Text + " in the policy; if not, find what sends it, by a search for the host in the unpacked app and its dependencies."
		return
	}
	f.Message = "Neither allow nor ignore names " + s.Host + "." + s.known() + " " + s.who("whoever runs it")
	switch {
	case s.Flow.Kind == flow.DNS:
		f.Title = "asks DNS for a host that the policy does not name"
		f.Message = "Neither allow nor ignore names " + s.Host + "." + s.known() + " " + s.asked() + " " + s.who("")
	case s.Flow.Kind == flow.Contact:
		f.Message = "Neither allow nor ignore names " + s.Host + "." + s.known() + " What was said to it is not in the phone's record; that it was contacted is."
	case !s.request.Read:
		f.Message = "Neither allow nor ignore names " + s.Host + "." + s.known() + " What was said to it could not be read; that it was contacted is certain."
	}
	f.Remedy = fmt.Sprintf("Find what contacts it, by a search for the host in the unpacked app and its dependencies. If the app is meant to, add it to the policy:\n\n    allow:\n      - %q", s.Host)
}

// asked says, of a question of DNS, what was asked, and what that means.
func (s *Sighting) asked() string {
	what := "something about"
	if q := s.Flow.DNS; q != nil {
		switch q.Type {
		case "A", "AAAA":
			what = "the address of"
		case "HTTPS", "SVCB":
			what = "how to reach"
		}
	}
	m := "The device asked DNS for " + what + " " + s.Host + "."
	if q := s.Flow.DNS; q != nil && q.Code == "NXDOMAIN" {
		m += " There is no such name; the question was asked all the same."
	}
	return m
}

// known says what the catalogue knows of a host that is reported for another reason.
func (s *Sighting) known() string {
	if p := s.contact.probe.Probe; p != nil {
		return " It is known for this: " + p.What + " (likely sent by " + p.Sender + ")."
	}
	if t := s.contact.product; t != nil {
		category, _ := catalog.FindCategory(t.Category)
		return " It belongs to " + t.Owner() + ", which " + category.Title + "." + seat(t) + verified(t)
	}
	return ""
}

// limits writes what an entry of allow admits.
func limits(r *allowRule) string {
	var parts []string
	if len(r.Methods) > 0 {
		parts = append(parts, "the methods "+strings.Join(r.Methods, ", "))
	}
	if len(r.Paths) > 0 {
		parts = append(parts, "the paths "+strings.Join(r.Paths, ", "))
	}
	return strings.Join(parts, " and ")
}
