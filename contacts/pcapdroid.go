package contacts

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"telltale/flow"
)

// pcapdroidNeeds are the columns without which a row says nothing, as PCAPdroid writes
// them.
const pcapdroidNeeds = "IPProto, DstIp, UID, …"

// pcapdroidRows reads the table that PCAPdroid's menu Connections › Export writes. It has
// had the columns IPProto, SrcIP, SrcPort, DstIp, DstPort, UID, App, Proto, Status, Info,
// BytesSent, BytesRcvd, PktsSent, PktsRcvd, FirstSeen and LastSeen since 2021; PackageName
// came behind App in 2024 (1.7.4), Malicious at the end where that check is on. Times were
// seconds, then milliseconds, and are ISO 8601 since 1.7.0. PCAPdroid quotes nothing, so
// that a comma in the name of an app makes one field too many.
type pcapdroidRows struct {
	in *input
	// inOrder is set when the columns stand as PCAPdroid writes them, so that fields too
	// many can be put right.
	inOrder bool
	// resolvers are those outside of the network that were asked, one contact for each
	// device; asked has them in order.
	resolvers map[given]*flow.Flow
	asked     []*flow.Flow
}

func newPCAPdroidRows(in *input, t *table) *pcapdroidRows {
	c := t.columns
	return &pcapdroidRows{in: in, inOrder: t.separator == ',' && c.have("app", "info", "bytessent") && c["app"] < c["info"] && c["bytessent"] == c["info"]+1}
}

// row makes a flow of a row.
func (p *pcapdroidRows) row(t *table) error {
	if len(t.row) > t.width && p.inOrder {
		p.rejoin(t)
	}
	if last := t.columns["dstip"]; len(t.row) <= last || p.inOrder && len(t.row) < t.width && !isEmptyFrom(t) {
		return fmt.Errorf("expected %d fields, found %d", t.width, len(t.row))
	}
	dst, ok := port(t.text("dstport"))
	if !ok {
		return fmt.Errorf("expected a port in DstPort, found %s", shorten(t.text("dstport")))
	}
	to := address(t.text("dstip"))
	if !to.IsValid() {
		return fmt.Errorf("expected an address in DstIp, found %s", shorten(t.text("dstip")))
	}
	f := p.in.flow(t.line)
	f.Server.Destination = netip.AddrPortFrom(to, dst)
	f.Server.Asked = hostPort(to.String(), dst)
	p.client(t, f)
	f.Sent, f.Received = amount(t.text("bytessent")), amount(t.text("bytesrcvd"))
	f.DatagramsSent, f.DatagramsReceived = amount(t.text("pktssent")), amount(t.text("pktsrcvd"))
	f.Times = times(moment(t.text("firstseen")), moment(t.text("lastseen")))
	if f.Times.Start.IsZero() {
		p.in.note(noTime)
	}
	name := ""
	if info := t.text("info"); isHost(info) {
		name = p.in.intern(info)
	} else if len(info) > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("PCAPdroid says of it: %q.", p.in.text(info)))
	}
	p.protocol(t, f, name)
	p.remarks(t, f)
	if f.Speech == flow.SpeechDNS || f.Kind == flow.DNS {
		if told := p.resolver(f); told && f.Kind != flow.DNS {
			return nil // the row says no more than that
		}
	}
	return p.in.deliver(f)
}

// noTime is told once of a file.
const noTime = "Some rows have no time that can be read."

// isEmptyFrom reports whether what is missing at the end of a row is only what newer
// versions add there.
func isEmptyFrom(t *table) bool {
	i, ok := t.columns["malicious"]
	return ok && i == t.width-1 && len(t.row) == i
}

// hostPort joins both; a port 0 is none, as ICMP has.
func hostPort(host string, port uint16) string {
	if port == 0 {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// protocol says what was spoken, and whose name the row has. That is what the client
// said in its hello or its header, or asked of DNS, as far as PCAPdroid knows the protocol;
// else the last name for which DNS gave the address. A question of DNS is one for the name,
// not a contact with it.
func (p *pcapdroidRows) protocol(t *table, f *flow.Flow, name string) {
	proto := string(t.text("proto"))
	switch proto {
	case "", "TCP":
	default:
		f.Speech = p.in.text([]byte(proto))
	}
	if udp := string(t.text("ipproto")) == "17"; udp && f.Speech == "" {
		f.Speech = "UDP"
	}
	if name == "" {
		return
	}
	_, err := netip.ParseAddr(name)
	named := err != nil
	switch proto {
	case "DNS":
		if named {
			f.Kind, f.Speech, f.DNS = flow.DNS, "", &flow.Question{Name: name}
			f.Server.Asked = net.JoinHostPort(name, "53")
		}
	case "HTTP":
		f.Server.Host = name // a claim, which nothing in the list proves
	case "TLS", "HTTPS", "QUIC":
		// The list has no answers of DNS, by which such a name could be proven. So that not
		// each row is a finding, it is taken for what was asked, and the file's notes say so.
		f.Server.SNI = name
		f.Server.Asked = hostPort(name, f.Server.Destination.Port())
		if named {
			p.in.claimed++
		}
	default:
		if named {
			f.Server.Resolved = name
		}
	}
}

// remarks says what else PCAPdroid thinks of a connection.
func (p *pcapdroidRows) remarks(t *table, f *flow.Flow) {
	switch status := t.text("status"); string(status) {
	case "", "Active", "Closed", "Open":
	default:
		f.Notes = append(f.Notes, fmt.Sprintf("PCAPdroid says of its state: %q.", p.in.text(status)))
	}
	if string(t.text("malicious")) == "yes" {
		f.Notes = append(f.Notes, "PCAPdroid has the server in a list of malicious ones.")
	}
}

// maxResolvers bounds how many resolvers are told apart. The rows of a further one are
// contacts each.
const maxResolvers = 4096

// resolver counts a question for the resolver that was asked, which learns every name: it
// is a contact of its own where it is outside of the network. It reports whether the
// question is counted there.
func (p *pcapdroidRows) resolver(f *flow.Flow) bool {
	to := f.Server.Destination
	if isPrivate(to.Addr()) {
		return false
	}
	k := given{f.Client.Addr.Addr(), to.Addr()}
	known := p.resolvers[k]
	switch {
	case known == nil && len(p.resolvers) >= maxResolvers:
		return false
	case known == nil:
		known = p.in.flow(f.Origin.Line)
		known.Server.Destination, known.Server.Asked, known.Speech = to, hostPort(to.Addr().String(), to.Port()), flow.SpeechDNS
		known.Client, known.Times = f.Client, f.Times
		known.Client.Addr = netip.AddrPortFrom(k.client, 0)
		if p.resolvers == nil {
			p.resolvers = map[given]*flow.Flow{}
		}
		p.resolvers[k] = known
		p.asked = append(p.asked, known)
	}
	if known.Client.App != f.Client.App {
		known.Client.App = flow.App{} // of several
	}
	known.Sent, known.Received = known.Sent+f.Sent, known.Received+f.Received
	known.DatagramsSent, known.DatagramsReceived = known.DatagramsSent+f.DatagramsSent, known.DatagramsReceived+f.DatagramsReceived
	if f.Times.Start.Before(known.Times.Start) {
		known.Times.Start = f.Times.Start
	}
	if f.Times.End.After(known.Times.End) {
		known.Times.End = f.Times.End
	}
	return true
}

// finish hands over the resolvers, and says what the names are worth.
func (p *pcapdroidRows) finish() error {
	if p.in.claimed > 0 {
		p.in.note(claimedNames(p.in.claimed))
	}
	for _, f := range p.asked {
		if err := p.in.deliver(f); err != nil {
			return err
		}
	}
	return nil
}

// claimedNames is the sentence on contacts whose name only the client's hello has.
func claimedNames(n int) string {
	return fmt.Sprintf("The names of %s come from what the client said when it opened TLS or QUIC: no answer of DNS in the file shows that the address is the name's.", contactsCount(n))
}

func contactsCount(n int) string {
	if n == 1 {
		return "1 contact"
	}
	return fmt.Sprintf("%d contacts", n)
}

// client says which app it was.
func (p *pcapdroidRows) client(t *table, f *flow.Flow) {
	if from := address(t.text("srcip")); from.IsValid() {
		at, _ := port(t.text("srcport"))
		f.Client.Addr = netip.AddrPortFrom(from, at)
	}
	if uid := t.text("uid"); len(uid) > 0 && uid[0] == '-' {
		return // PCAPdroid does not know the app, and calls it so in the device's language
	}
	f.Client.App = flow.App{Name: p.in.text(t.text("app"))}
	if id := t.text("packagename"); isPackageName(id) {
		f.Client.App.ID = p.in.text(id)
	}
}

// isPackageName knows the name of an Android app (developer.android.com, "Set the
// application ID") and the names without a dot that PCAPdroid gives to services of the
// system.
func isPackageName(text []byte) bool {
	for i, c := range text {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '.' && c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return len(text) > 0 && text[len(text)-1] != '.'
}

// rejoin puts a row right that has fields too many because PCAPdroid quotes nothing: the
// commas were in the app's name, or else in Info, which of both the package's name
// tells.
func (p *pcapdroidRows) rejoin(t *table) {
	extra := len(t.row) - t.width
	at := t.columns["app"]
	if id, ok := t.columns["packagename"]; ok && id == at+1 && bytes.IndexByte(t.row[id].text, '.') > 0 && isPackageName(t.row[id].text) {
		at = t.columns["info"]
	}
	t.row[at].text = joined(t.row[at:at+extra+1], t.separator)
	t.row = append(t.row[:at+1], t.row[at+extra+1:]...)
}

// joined undoes the parting of fields.
func joined(fields []field, separator byte) []byte {
	var all []byte
	for i, f := range fields {
		if i > 0 {
			all = append(all, separator)
		}
		all = append(all, f.text...)
	}
	return all
}
