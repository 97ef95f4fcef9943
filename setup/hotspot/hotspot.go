// Package hotspot makes the rules that lead the devices of a hotspot of this Linux
// machine to telltale's transparent port: nftables' own text, in one table of our own.
//
// It promises that nothing outside that table is touched, so that removing the table
// undoes everything ([Undo]); that only what arrives at the one interface is led
// anywhere; and that what this machine itself serves to the devices (DHCP, SSH) stays
// as it is.
//
// It runs nothing and reads nothing of the system: the rules are a text, which a person
// loads with nft ([Rules.Text]) or telltale hands to a child that owns the table
// ([Rules.Owned]), so that the kernel removes it when that child ends, however it ends.
//
// To debug it: `nft list table inet telltale` shows the rules with what each counter
// has seen; a counter that stays at zero names the step that does not happen.
package hotspot

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"telltale/flow/plain"
	"telltale/setup/drive"
)

// Table is the table that holds every rule, as nft names it.
const Table = "inet telltale"

// Rules leads what arrives at an interface to a port of this machine.
type Rules struct {
	Interface string // that the devices are behind
	Port      uint16 // the transparent port, of TCP and of UDP
}

// New returns the rules for an interface. The name must be one that the kernel allows
// (dev_valid_name in net/core/dev.c: at most 15 bytes, no space, no slash), and none
// that nft would read as something else.
func New(name string, port uint16) (Rules, error) {
	if port == 0 {
		return Rules{}, fmt.Errorf("hotspot: 0 is no port that a connection can be led to")
	}
	if !valid(name) {
		return Rules{}, fmt.Errorf("hotspot: %q is no name of a network interface", plain.Text(name))
	}
	return Rules{name, port}, nil
}

func valid(name string) bool {
	if len(name) == 0 || len(name) > 15 || name == "." || name == ".." || name == "lo" {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"\/:*;{}`, r)
	})
}

// Counter is one thing that the rules count.
type Counter struct {
	Name string // in the table
	Help string // what its packets are
}

// Counters are what the rules count, in the order in which a person wants to know.
var Counters = []Counter{
	{"connections", "TCP connections that went to telltale"},
	{"questions", "conversations with a resolver of DNS, led to telltale"},
	{"quic_refused", "packets of QUIC that were refused, so that apps use TCP"},
	{"reopened", "packets of TCP connections from before, which were reset"},
	{"unseen", "packets that went out unseen: other UDP, ping"},
}

// Text returns the rules as a file for `nft -f`. Loading it again replaces the table.
//
// The statements are those of nft(8): redirect leads a packet to this machine and
// conntrack remembers where it was sent (SO_ORIGINAL_DST), fib tells what is addressed
// to this machine. UDP other than DNS keeps its way, since its address would be lost;
// QUIC is refused by ICMP, as it would pass telltale by.
func (r Rules) Text() string {
	return "table " + Table + "\ndelete table " + Table + "\n" + r.table("")
}

// Owned returns the rules as one line for `nft -i`, of a table that belongs to that
// process: nobody else can change it, and it goes when the process ends (nft(8), flags
// owner; Linux 5.12).
func (r Rules) Owned() string {
	var line strings.Builder
	for text := range strings.Lines(r.table("flags owner\n")) {
		text = strings.TrimSpace(text)
		switch {
		case text == "":
		case strings.HasSuffix(text, "{"), strings.HasSuffix(text, ";"):
			line.WriteString(text + " ")
		default:
			line.WriteString(text + "; ")
		}
	}
	return strings.TrimSuffix(line.String(), "; ")
}

func (r Rules) table(flags string) string {
	port := strconv.Itoa(int(r.Port))
	var b strings.Builder
	b.WriteString("table " + Table + " {\n" + flags)
	for _, c := range Counters {
		fmt.Fprintf(&b, "\tcounter %s { comment \"%s\"; }\n", c.Name, c.Help)
	}
	b.WriteString(`
	chain arriving {
		type nat hook prerouting priority dstnat; policy accept;
		iifname != "` + r.Interface + `" return
		meta l4proto { tcp, udp } th dport 53 counter name questions redirect to :` + port + `
		fib daddr type local tcp dport != { 80, 443 } return
		meta l4proto tcp counter name connections redirect to :` + port + `
	}

	chain passing {
		type filter hook forward priority filter; policy accept;
		iifname != "` + r.Interface + `" return
		meta l4proto tcp counter name reopened reject with tcp reset
		udp dport 443 counter name quic_refused reject
		counter name unseen
	}
}
`)
	return b.String()
}

// Undo returns the command that removes the rules of [Rules.Text].
func Undo() []string { return []string{"nft", "delete", "table", "inet", "telltale"} }

// Check returns the command that shows the rules and what they counted.
func Check() []string { return []string{"nft", "list", "table", "inet", "telltale"} }

// Link is a network interface of this machine, as far as choosing one needs.
type Link struct {
	Name   string
	Addrs  []netip.Addr
	Routed bool // this machine reaches the internet through it
}

// Choose returns the one interface that a hotspot can be on: with a private IPv4
// address, and not the one that leads to the internet. Where there are several, or
// none, the error is a [*drive.ChoiceError] with their names.
func Choose(links []Link) (string, error) {
	var fit, others []string
	for _, l := range links {
		switch private := slices.ContainsFunc(l.Addrs, func(a netip.Addr) bool { return a.Is4() && a.IsPrivate() }); {
		case !valid(l.Name):
		case private && !l.Routed:
			fit = append(fit, l.Name)
		default:
			others = append(others, l.Name)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		return "", &drive.ChoiceError{Problem: "the devices may be behind any of the interfaces " + names(fit), Flags: []string{"--interface", fit[0]}}
	case len(others) > 0:
		return "", &drive.ChoiceError{
			Problem: "no interface looks like a hotspot: of " + names(others) + ", each has no private IPv4 address or leads to the internet",
			Advice:  "switch the hotspot on, or name its interface:", Flags: []string{"--interface", others[0]},
		}
	}
	return "", &drive.ChoiceError{Problem: "this machine has no network interface that a hotspot could be on", Advice: "switch the hotspot on first, for example: nmcli device wifi hotspot"}
}

// Known refuses an interface that is none of links, by a [*drive.ChoiceError] with their
// names.
func Known(name string, links []Link) error {
	var others []string
	for _, l := range links {
		if l.Name == name {
			return nil
		}
		if valid(l.Name) {
			others = append(others, l.Name)
		}
	}
	problem := "this machine has no interface " + plain.Text(name) + " that is up"
	if len(others) == 0 {
		return &drive.ChoiceError{Problem: problem, Advice: "switch the hotspot on first, for example: nmcli device wifi hotspot"}
	}
	return &drive.ChoiceError{Problem: problem + ", but " + names(others), Flags: []string{"--interface", others[0]},
		Advice: "switch the hotspot on first, or name another interface:"}
}

func names(list []string) string {
	harmless := make([]string, len(list))
	for i, name := range list {
		harmless[i] = plain.Text(name)
	}
	return strings.Join(harmless, ", ")
}
