package lists

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"telltale/flow"
)

// readText reads the formats of lines: each line tells by itself what it is, since lists
// mix them.
func (l *List) readText(text string) error {
	l.Format = DomainList
	l.hosts = make(map[string]int32, min(strings.Count(text, "\n")+1, maxExpected))
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if err := l.readLine(n, strings.TrimRight(line, " \t\r")); err != nil {
			return err
		}
	}
	return nil
}

// maxExpected bounds what room is made before a rule is read: lines may be empty.
const maxExpected = 1 << 18

func (l *List) readLine(n int, line string) error {
	indent := len(line) - len(strings.TrimLeft(line, " \t"))
	s := line[indent:]
	switch {
	case s == "" || s[0] == '!' || strings.HasPrefix(s, "[Adblock") || strings.HasPrefix(s, "[uBlock"):
		if s != "" {
			l.Format = Adblock
		}
		return nil
	case isAboutElements(s):
		l.Format = Adblock
		l.Skipped++
		return nil
	case s[0] == '#':
		return nil
	case strings.HasPrefix(s, "||") || strings.HasPrefix(s, "@@") || strings.HasPrefix(s, "|http"):
		l.Format = Adblock
		return l.readFilter(n, s, line)
	}
	s, _, _ = strings.Cut(s, "#")
	fields := strings.Fields(s)
	if len(fields) == 0 {
		return nil
	}
	if addr, ok := parseAddr(fields[0]); ok && len(fields) > 1 {
		return l.readHosts(n, addr, fields[1:], line)
	}
	if name, below, ok := domain(fields[0]); ok && len(fields) == 1 {
		return l.add(name, rule{text: fields[0], line: int32(n), below: below})
	}
	if l.Format == Adblock {
		l.Skipped++ // a pattern of URLs on pages: "/banner/*/ad."
		return nil
	}
	at := fields[0]
	if len(fields) > 1 {
		if _, _, ok := domain(at); ok {
			at = fields[1]
		}
	}
	l.note(n, columnOf(line, at), "expected an address and host names, a domain or an Adblock filter, found "+quoted(at))
	return nil
}

// readHosts reads a line of a hosts file: names that are to have no address.
func (l *List) readHosts(n int, addr netip.Addr, names []string, line string) error {
	if l.Format == DomainList {
		l.Format = HostsFile
	}
	if !addr.IsUnspecified() && !addr.IsLoopback() {
		l.Skipped++ // it moves a name elsewhere
		return nil
	}
	for _, s := range names {
		name, below, ok := domain(s)
		switch {
		case isLocal(s):
		case !ok || below:
			l.note(n, columnOf(line, s), "expected a host name, found "+quoted(s))
		default:
			if err := l.add(name, rule{text: s, line: int32(n)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// columnOf returns where a part of a line stands, 1-based, in characters.
func columnOf(line, part string) int {
	before, _, _ := strings.Cut(line, part)
	return utf8.RuneCountInString(before) + 1
}

// isLocal reports whether a name is one that every hosts file has for the machine itself.
func isLocal(name string) bool {
	switch name {
	case "localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback",
		"ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts", "0.0.0.0":
		return true
	}
	return false
}

// domain returns the canonical form of a name in a list; "*.name" and ".name" are the
// name with everything below.
func domain(s string) (name string, below, ok bool) {
	if rest, found := strings.CutPrefix(s, "*."); found {
		s, below = rest, true
	} else if rest, found := strings.CutPrefix(s, "."); found {
		s, below = rest, true
	}
	if len(s) > maxName || s == "" || strings.ContainsAny(s, ":/[]") && !isAddress(s) {
		return "", false, false
	}
	name = flow.CanonicalHost(s)
	if isAddress(name) {
		return name, false, !below
	}
	return name, below, isName(name)
}

// maxName bounds a name, in bytes; one of DNS has 253 at most, and may be written longer.
const maxName = 1000

func isAddress(s string) bool {
	_, ok := parseAddr(s)
	return ok
}

// parseAddr is netip.ParseAddr without the cost of its error for names.
func parseAddr(s string) (netip.Addr, bool) {
	if last := s[max(0, len(s)-1):]; (last < "0" || last > "9") && strings.IndexByte(s, ':') < 0 {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(s)
	return addr, err == nil
}

// isName reports whether s is a host name of two labels or more.
func isName(s string) bool {
	dots, label := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			dots, label = dots+1, 0
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			if label++; label > 63 {
				return false
			}
		default:
			return false
		}
	}
	return dots > 0 && label > 0 && len(s) <= 253
}
