package exposure

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
)

// personal looks for what names the person.
func (s *search) personal(m meaning, l leaf) bool {
	switch m {
	case anEmail:
		if isHash(l.text) {
			return s.addID(Email, l)
		}
		return false // its form tells
	case aPhone:
		if len(l.text) == 40 || len(l.text) == 64 || len(l.text) == 32 && !allDigits(l.text) {
			return isHash(l.text) && s.addID(PhoneNumber, l)
		}
	}
	return s.phone(l, m == aPhone)
}

// Bounds of one text: how many addresses are taken from it, and at how many "@" is looked.
const (
	maxEmails = 8
	maxAts    = 1000
)

// emails adds the e-mail addresses that stand in a text.
func (s *search) emails(l leaf) {
	text := l.text
	for found, ats, at := 0, 0, 0; found < maxEmails && ats < maxAts; ats, at = ats+1, at+1 {
		i := bytes.IndexByte(text[at:], '@')
		if i < 0 {
			return
		}
		at += i
		local, domain := localBefore(text, at), domainAfter(text, at)
		if !couldBeMail(local, domain) || !s.isPerson(text, local, domain, at) {
			continue
		}
		found++
		mail := strings.ToLower(string(local) + "@" + string(domain))
		one := l
		one.text = text[at-len(local) : at+1+len(domain)]
		s.add(Email, one, mail, maskEmail(string(local), strings.ToLower(string(domain))))
	}
}

// couldBeMail reports whether both sides are text, and no label of the domain is empty:
// bytes of a picture have an "@" too.
func couldBeMail(local, domain []byte) bool {
	return utf8.Valid(local) && utf8.Valid(domain) && len(domain) > 0 && domain[0] != '.' && domain[0] != '-' && !bytes.Contains(domain, []byte(".."))
}

// localBefore returns the local part that ends at an "@": a dot-atom (RFC 5321, 4.1.2),
// without the signs that in practice only stand around addresses.
func localBefore(text []byte, at int) []byte {
	i := at
	for i > 0 && at-i <= 64 && isLocal(text[i-1]) {
		i--
	}
	return bytes.Trim(text[i:at], ".'")
}

func isLocal(c byte) bool {
	return alphanumeric(c) || bytes.IndexByte([]byte(".+-_%'~"), c) >= 0 || c >= 0x80
}

// domainAfter returns the domain that begins after an "@".
func domainAfter(text []byte, at int) []byte {
	i := at + 1
	for i < len(text) && i-at <= 253 && (alphanumeric(text[i]) || text[i] == '-' || text[i] == '.' || text[i] >= 0x80) {
		i++
	}
	return bytes.TrimRight(text[at+1:i], ".-")
}

// files are endings that follow an "@" in the names of files and packages.
var files = set("png jpg jpeg gif webp svg ico css js mjs json html htm xml txt pdf zip ttf woff woff2 otf mp3 mp4 mov avif heic jar aar so dll py rs sh md ts tsx jsx local lan internal home localhost example invalid test onion arpa")

// machines are domains whose addresses belong to no person: of documents (RFC 2606, 3),
// and of services.
var machines = []string{"example.com", "example.net", "example.org", "domain.com", "yourdomain.com", "gserviceaccount.com", "group.calendar.google.com", "gcm.googleapis.com", "appspot.gserviceaccount.com", "sentry.io", "users.noreply.github.com"}

// roles are local parts that belong to nobody; the second ones only where the domain is the
// server's own.
var (
	nobody = set("noreply donotreply mailerdaemon postmaster root")
	roles  = set("support info help contact admin webmaster abuse security privacy legal sales feedback hello team press office service services hostmaster dpo")
)

var joints = strings.NewReplacer("-", "", "_", "", ".", "")

// isPerson reports whether an address, whose "@" stands at text[at], can be that of a person.
func (s *search) isPerson(text, local, domain []byte, at int) bool {
	start := at - len(local)
	if len(local) == 0 || len(domain) < 4 || bytes.Contains(local, []byte("..")) || !bytes.Equal(text[start:at], local) || start > 0 && text[start-1] == '*' {
		return false
	}
	host := strings.ToLower(string(domain))
	if isAuthority(text, start, at+1+len(domain)) || !isMailDomain(host) {
		return false
	}
	name := joints.Replace(strings.ToLower(string(local)))
	return !nobody[name] && !samples[name+"@"+host] && !(roles[name] && sameSite(host, s.host))
}

// isMailDomain reports whether a domain can be one at which people have mail: it is under
// a top-level domain that is in use, is not kept for documents (RFC 2606) or for machines,
// and is not the end of a file's or a package's name.
func isMailDomain(host string) bool {
	labels := strings.Split(host, ".")
	if len(labels) < 2 || files[labels[len(labels)-1]] || isScale(labels[0]) {
		return false
	}
	for _, label := range labels {
		if label == "" || label[0] == '-' {
			return false
		}
	}
	for _, m := range machines {
		if host == m || strings.HasSuffix(host, "."+m) {
			return false
		}
	}
	suffix, icann := publicsuffix.PublicSuffix(host)
	return icann || strings.Contains(suffix, ".") // of a company, below one of ICANN's
}

// maxUser is how far before an "@" the scheme of a URL may stand, in bytes.
const maxUser = 256

// isAuthority reports whether what stands there is the user and the host of a URL or of
// a place for ssh and git: "https://user@host/", "git@host:path".
func isAuthority(text []byte, start, end int) bool {
	before := text[max(0, start-maxUser):start]
	if scheme := bytes.LastIndex(before, []byte("://")); scheme >= 0 && !bytes.ContainsAny(before[scheme+3:], "/?# \"'<>") {
		return true
	}
	if end+1 < len(text) && text[end] == ':' && (alphanumeric(text[end+1]) || text[end+1] == '~' || text[end+1] == '/') {
		return bytes.HasPrefix(text[start:], []byte("git@")) || bytes.IndexByte(text[end:], '/') > 0
	}
	return false
}

// isScale reports whether a label is the scale of a picture: "2x".
func isScale(label string) bool {
	return len(label) <= 3 && strings.HasSuffix(label, "x") && len(label) > 1 && isDigit(label[0])
}

// sameSite reports whether two hosts belong to one registrable domain.
func sameSite(a, b string) bool {
	da, errA := publicsuffix.EffectiveTLDPlusOne(a)
	db, errB := publicsuffix.EffectiveTLDPlusOne(b)
	return errA == nil && errB == nil && da == db
}

// phone adds a phone number: with a plus and the code of a country, up to 15 digits
// (ITU-T E.164), or as people write them where the name says so.
func (s *search) phone(l leaf, named bool) bool {
	t := l.text
	if len(t) < 7 || len(t) > 24 {
		return false
	}
	international := t[0] == '+'
	var room [24]byte
	digits, signs := room[:0], 0
	for i, c := range t {
		switch {
		case isDigit(c):
			digits = append(digits, c)
		case c == '+' && i == 0:
		case c == ' ' || c == '-' || c == '(' || c == ')' || c == '.' || c == '/':
			signs++
		default:
			return false
		}
	}
	if bytes.HasPrefix(digits, []byte("00")) && named {
		digits, international = digits[2:], true
	}
	country := ""
	if international {
		country = countryCode(digits)
	}
	switch {
	case len(digits) < 7 || len(digits) > 15 || distinct(digits) < 3 || signs > 6 || isFiction(digits):
		return false
	case international && (country == "" || len(digits) < 9):
		return false
	case !international && (!named || bytes.IndexByte(t, '.') >= 0 && signs == 1):
		return false
	case !named && bytes.IndexByte(t, '.') >= 0 && signs == 1: // a number with a sign
		return false
	}
	return s.add(PhoneNumber, l, string(digits), maskPhone(string(digits), country))
}

// isFiction reports whether a number is kept for films: 555-01xx in North America (ATIS-
// 0300115), and those of Ofcom in the United Kingdom.
func isFiction(digits []byte) bool {
	n := digits
	if len(n) == 11 && n[0] == '1' {
		n = n[1:]
	}
	if len(n) == 10 && string(n[3:8]) == "55501" {
		return true
	}
	for _, p := range []string{"447700900", "07700900", "442079460", "02079460", "441632960", "01632960"} {
		if bytes.HasPrefix(digits, []byte(p)) {
			return true
		}
	}
	return string(digits) == "1234567890" || string(digits) == "0123456789" || string(digits) == "11234567890"
}

// countryCode returns the country code with which a number begins, "" for none (ITU-T
// E.164, list of assigned codes).
func countryCode(digits []byte) string {
	if len(digits) < 4 {
		return ""
	}
	switch digits[0] {
	case '1', '7':
		return string(digits[:1])
	case '0':
		return ""
	}
	two := string(digits[:2])
	if twoDigits[two] {
		return two
	}
	switch two {
	case "21", "22", "23", "24", "25", "26", "29", "35", "37", "38", "42", "50", "59", "67", "68", "69", "80", "85", "87", "88", "96", "97", "99":
		return string(digits[:3])
	}
	return ""
}

var twoDigits = set("20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98")
