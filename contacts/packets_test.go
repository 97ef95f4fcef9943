package contacts_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"telltale/contacts"
	"telltale/flow"
	"telltale/guard/raced"
)

// recording is a packet capture that a test writes.
type recording struct {
	t    testing.TB
	link layers.LinkType
	b    bytes.Buffer
	w    *pcapgo.Writer
	at   time.Time
}

func record(t testing.TB, link layers.LinkType) *recording {
	r := &recording{t: t, link: link, at: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	r.w = pcapgo.NewWriter(&r.b)
	if err := r.w.WriteFileHeader(262144, link); err != nil {
		t.Fatal(err)
	}
	return r
}

// add writes a packet of raw bytes.
func (r *recording) add(data []byte) {
	r.at = r.at.Add(time.Millisecond)
	if err := r.w.WritePacket(gopacket.CaptureInfo{Timestamp: r.at, CaptureLength: len(data), Length: len(data)}, data); err != nil {
		r.t.Fatal(err)
	}
}

// ip returns an IP packet with what is in it.
func ip(t testing.TB, from, to string, transport gopacket.SerializableLayer, payload []byte) []byte {
	t.Helper()
	src, dst := net.ParseIP(from), net.ParseIP(to)
	var protocol layers.IPProtocol
	var network interface {
		gopacket.SerializableLayer
		gopacket.NetworkLayer
	}
	switch transport.(type) {
	case *layers.TCP:
		protocol = layers.IPProtocolTCP
	case *layers.UDP:
		protocol = layers.IPProtocolUDP
	}
	if v4 := src.To4(); v4 != nil {
		network = &layers.IPv4{Version: 4, TTL: 64, Protocol: protocol, SrcIP: v4, DstIP: dst.To4()}
	} else {
		network = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: protocol, SrcIP: src, DstIP: dst}
	}
	switch l := transport.(type) {
	case *layers.TCP:
		_ = l.SetNetworkLayerForChecksum(network)
	case *layers.UDP:
		_ = l.SetNetworkLayerForChecksum(network)
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, network, transport, gopacket.Payload(payload)); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b.Bytes())
}

// ethernet puts a packet into a frame.
func ethernet(packet []byte) []byte {
	kind := []byte{8, 0}
	if packet[0]>>4 == 6 {
		kind = []byte{0x86, 0xdd}
	}
	return slices.Concat(make([]byte, 12), kind, packet)
}

const (
	phone  = "10.215.173.1"
	server = "203.0.113.10"
)

// hello is a ClientHello in its record, out of the sample: its first bytes say for whom.
func hello(t testing.TB) []byte {
	t.Helper()
	data := sample(t, "ethernet.pcap")
	i := bytes.Index(data, []byte("app.canada.example\x00\x0b"))
	if i < 0 {
		t.Fatal("no hello in the sample")
	}
	start := bytes.LastIndex(data[:i], []byte{0x16, 3, 1})
	return data[start : start+5+int(binary.BigEndian.Uint16(data[start+3:]))]
}

// segment returns a segment of TCP of the phone to the server.
func segment(t testing.TB, port uint16, sequence uint32, flags string, payload []byte) []byte {
	tcp := &layers.TCP{SrcPort: layers.TCPPort(port), DstPort: 443, Seq: sequence, SYN: strings.Contains(flags, "S"), FIN: strings.Contains(flags, "F"), RST: strings.Contains(flags, "R"), ACK: strings.Contains(flags, "A")}
	return ip(t, phone, server, tcp, payload)
}

// read returns the flows of what was written.
func (r *recording) read() []*flow.Flow {
	r.t.Helper()
	flows, _, err := read("a.pcap", r.b.Bytes())
	if err != nil {
		r.t.Fatal(err)
	}
	return flows
}

// sni returns the names in hellos, and the bytes sent.
func sni(flows []*flow.Flow) string {
	var all []string
	for _, f := range flows {
		all = append(all, fmt.Sprintf("%s/%d", f.Server.SNI, f.Sent))
	}
	return strings.Join(all, " ")
}

// TestHelloInPieces sends a hello in whatever order the network leaves it in.
func TestHelloInPieces(t *testing.T) {
	t.Parallel()
	whole := hello(t)
	n := uint32(len(whole))
	type part struct{ from, to uint32 }
	for name, c := range map[string]struct {
		first uint32 // sequence number of the SYN
		parts []part
	}{
		"whole":       {1000, []part{{0, n}}},
		"two":         {1000, []part{{0, 50}, {50, n}}},
		"backwards":   {1000, []part{{100, n}, {50, 100}, {0, 50}}},
		"overlapping": {1000, []part{{0, 60}, {40, 200}, {0, 10}, {100, n}}},
		"again":       {1000, []part{{0, 60}, {0, 60}, {60, n}, {60, n}}},
		"around zero": {0xffffffff - 100, []part{{0, 50}, {150, n}, {50, 150}}},
		"single bytes": {1000, func() (all []part) {
			for i := range n {
				all = append(all, part{i, i + 1})
			}
			return all
		}()},
	} {
		r := record(t, layers.LinkTypeRaw)
		r.add(segment(t, 40000, c.first, "S", nil))
		sent := 0
		for _, p := range c.parts {
			r.add(segment(t, 40000, c.first+1+p.from, "A", whole[p.from:p.to]))
			sent += int(p.to - p.from)
		}
		if got, want := sni(r.read()), fmt.Sprintf("app.canada.example/%d", sent); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestConnections tells connections on the same ports apart, and who called.
func TestConnections(t *testing.T) {
	t.Parallel()
	back := func(flags string, payload []byte) []byte {
		return ip(t, server, phone, &layers.TCP{SrcPort: 443, DstPort: 40000, Seq: 9, SYN: strings.Contains(flags, "S"), RST: strings.Contains(flags, "R"), ACK: true}, payload)
	}
	for name, c := range map[string]struct {
		packets [][]byte
		want    string // sent/received of each
	}{
		"again after the end": {[][]byte{segment(t, 40000, 1, "S", nil), back("S", nil), segment(t, 40000, 2, "R", nil), segment(t, 40000, 900, "S", nil), segment(t, 40000, 901, "A", []byte("abc"))}, "0/0 3/0"},
		"SYN again":           {[][]byte{segment(t, 40000, 1, "S", nil), segment(t, 40000, 1, "S", nil), back("S", nil), segment(t, 40000, 2, "A", []byte("abc"))}, "3/0"},
		"from the midst":      {[][]byte{back("", []byte("abcde")), segment(t, 40000, 2, "A", []byte("abc"))}, "3/5"},
		"answer first":        {[][]byte{back("S", nil), segment(t, 40000, 2, "A", []byte("abc"))}, "3/0"},
	} {
		r := record(t, layers.LinkTypeRaw)
		for _, p := range c.packets {
			r.add(p)
		}
		var got []string
		for _, f := range r.read() {
			got = append(got, fmt.Sprintf("%d/%d", f.Sent, f.Received))
			if f.Client.Addr.String() != phone+":40000" || f.Server.Asked != server+":443" {
				t.Errorf("%s: %s calls %s", name, f.Client.Addr, f.Server.Asked)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

// TestLinkTypes reads the same packet in every frame that it may come in.
func TestLinkTypes(t *testing.T) {
	t.Parallel()
	v4 := segment(t, 40000, 1, "A", hello(t))
	v6 := ip(t, "2001:db8::1", "2001:db8::10", &layers.TCP{SrcPort: 40000, DstPort: 443, Seq: 1, SYN: true}, nil)
	withHeaders := slices.Concat(v6[:6], []byte{0}, v6[7:40], []byte{43, 0, 5, 2, 0, 0, 1, 0}, []byte{60, 0, 0, 0, 0, 0, 0, 0}, []byte{6, 0, 1, 4, 0, 0, 0, 0}, v6[40:])
	binary.BigEndian.PutUint16(withHeaders[4:], uint16(len(withHeaders)-40))
	for name, c := range map[string]struct {
		link layers.LinkType
		data []byte
	}{
		"raw":             {layers.LinkTypeRaw, v4},
		"raw of a BSD":    {12, v4},
		"IPv4":            {layers.LinkTypeIPv4, v4},
		"IPv6":            {layers.LinkTypeIPv6, v6},
		"headers of IPv6": {layers.LinkTypeRaw, withHeaders},
		"Ethernet":        {layers.LinkTypeEthernet, ethernet(v4)},
		"padded":          {layers.LinkTypeEthernet, append(ethernet(v6), make([]byte, 40)...)},
		"VLAN":            {layers.LinkTypeEthernet, slices.Concat(make([]byte, 12), []byte{0x88, 0xa8, 0, 1, 0x81, 0, 0, 2}, ethernet(v4)[12:])},
		"PPPoE":           {layers.LinkTypeEthernet, slices.Concat(make([]byte, 12), []byte{0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0, 0x21}, v4)},
		"null":            {layers.LinkTypeNull, slices.Concat([]byte{2, 0, 0, 0}, v4)},
		"loop":            {layers.LinkTypeLoop, slices.Concat([]byte{0, 0, 0, 24}, v6)},
		"cooked":          {layers.LinkTypeLinuxSLL, slices.Concat(make([]byte, 14), []byte{8, 0}, v4)},
		"cooked 2":        {layers.LinkTypeLinuxSLL2, slices.Concat([]byte{0x86, 0xdd}, make([]byte, 18), v6)},
	} {
		r := record(t, c.link)
		r.add(c.data)
		flows := r.read()
		if len(flows) != 1 || flows[0].Port() != "443" {
			t.Errorf("%s: %+v", name, flows)
		}
	}
}

// TestPCAPdroidTrailer reads the names of apps behind packets, and none where there is no
// trailer.
func TestPCAPdroidTrailer(t *testing.T) {
	t.Parallel()
	trailer := func(packet []byte, uid int32, name string) []byte {
		b := ethernet(packet)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		b = binary.BigEndian.AppendUint32(b, 0x01072021)
		b = binary.BigEndian.AppendUint32(b, uint32(uid))
		field := make([]byte, 20)
		copy(field[:19], name)
		return append(append(b, field...), 1, 2, 3, 4)
	}
	r := record(t, layers.LinkTypeEthernet)
	r.add(trailer(segment(t, 40000, 1, "S", nil), 10312, "An app with a very long name"))
	r.add(trailer(segment(t, 40000, 2, "A", hello(t)), 10312, "An app with a very long name"))
	r.add(trailer(segment(t, 40001, 1, "S", nil), -1, "Unknown"))
	r.add(ethernet(segment(t, 40002, 1, "S", nil)))
	flows, info, err := read("a.pcap", r.b.Bytes())
	if err != nil || info.Producer != "PCAPdroid" || hosts(flows) != "app.canada.example An app with a very  ; 203.0.113.10  ; 203.0.113.10  " {
		t.Errorf("%q %+v %v", hosts(flows), info, err)
	}
}

// TestPKTAP reads the names of processes that macOS puts before packets.
func TestPKTAP(t *testing.T) {
	t.Parallel()
	tap := func(link uint32, packet []byte, process, effective string) []byte {
		b := make([]byte, 156)
		order.PutUint32(b, uint32(len(b)))
		order.PutUint32(b[4:], 1)
		order.PutUint32(b[8:], link)
		copy(b[56:72], process)
		if effective != "" {
			order.PutUint32(b[84:], 7)
			copy(b[88:104], effective)
		}
		return append(b, packet...)
	}
	for _, link := range []layers.LinkType{258, 149} {
		r := record(t, link)
		r.add(tap(1, ethernet(segment(t, 40000, 1, "S", nil)), "Weather", ""))
		r.add(tap(12, segment(t, 40001, 1, "S", nil), "nsurlsessiond", "Weather"))
		r.add(tap(1, nil, "Weather", "")[:90])
		flows, info, err := read("a.pcap", r.b.Bytes())
		if err != nil || hosts(flows) != "203.0.113.10 Weather ; 203.0.113.10 Weather " || info.Skipped["packet of an unknown link type"] != 1 {
			t.Errorf("%q %+v %v", hosts(flows), info, err)
		}
	}
}

// block writes a block of pcapng.
func block(order binary.AppendByteOrder, kind uint32, body ...[]byte) []byte {
	all := slices.Concat(body...)
	for len(all)%4 != 0 {
		all = append(all, 0)
	}
	b := order.AppendUint32(nil, kind)
	b = order.AppendUint32(b, uint32(len(all)+12))
	return order.AppendUint32(append(b, all...), uint32(len(all)+12))
}

// pcapng is a file with one raw packet, as PCAPdroid writes it.
func pcapng(order binary.AppendByteOrder, packet []byte) []byte {
	u32 := func(n uint32) []byte { return order.AppendUint32(nil, n) }
	u16 := func(n uint16) []byte { return order.AppendUint16(nil, n) }
	return slices.Concat(
		block(order, 0x0a0d0d0a, u32(0x1a2b3c4d), u16(1), u16(0), u32(0xffffffff), u32(0xffffffff), u16(4), u16(9), []byte("PCAPdroid\x00\x00\x00"), u32(0)),
		block(order, 1, u16(101), u16(0), u32(262144)),
		block(order, 10, u32(0x544c534b), u32(3), []byte("key")),
		block(order, 0xbad, u32(62652), u16(1), []byte{1, 0}, u32(10312), []byte{15, 3}, []byte("org.app.exampleApp")),
		block(order, 6, u32(0), u32(412345), u32(67890), u32(uint32(len(packet))), u32(uint32(len(packet))),
			append(slices.Clone(packet), make([]byte, -len(packet)&3)...), u16(1), u16(7), []byte("u-10312\x00"), u16(2), u16(4), u32(2), u32(0)),
		block(order, 3, u32(uint32(len(packet))), packet),
		block(order, 0x40000bad, u32(1)),
	)
}

// TestPCAPNG reads PCAPdroid's own block and comments, in both byte orders.
func TestPCAPNG(t *testing.T) {
	t.Parallel()
	packet := segment(t, 40000, 1, "A", hello(t))
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		data := pcapng(order, packet)
		flows, info, err := read("a.pcapng", data)
		if err != nil || len(flows) != 1 || info.Producer != "PCAPdroid" || info.Entries != 2 {
			t.Fatalf("%v: %+v %+v %v", order, flows, info, err)
		}
		f := flows[0]
		want := time.UnixMicro(412345<<32 + 67890)
		if f.Client.App != (flow.App{Name: "App", ID: "org.app.example"}) || !f.Times.Start.Equal(want) || f.DatagramsReceived+f.DatagramsSent != 2 {
			t.Errorf("%v: %+v", order, f)
		}
	}
}

// TestDamagedPackets checks that what is damaged is told with the packet's number, and
// that the flows before it are delivered.
func TestDamagedPackets(t *testing.T) {
	t.Parallel()
	r := record(t, layers.LinkTypeRaw)
	r.add(segment(t, 40000, 1, "S", nil))
	one := slices.Clone(r.b.Bytes())
	r.add(segment(t, 40001, 1, "S", nil))
	two := r.b.Bytes()
	huge := slices.Clone(two)
	binary.LittleEndian.PutUint32(huge[len(one)+8:], 1<<30)
	version := slices.Clone(one)
	version[4] = 3
	wifi := record(t, layers.LinkTypeIEEE80211Radio)
	wifi.add([]byte{1, 2, 3})
	good := pcapng(binary.LittleEndian, segment(t, 40000, 1, "S", nil))
	section := binary.LittleEndian.Uint32(good[4:])
	mixed := slices.Clone(good)
	mixed[section+8] = 127
	length := slices.Clone(good)
	length[section+4]++
	end := slices.Clone(good)
	end[section+binary.LittleEndian.Uint32(good[section+4:])-4]++
	for name, c := range map[string]struct {
		data  []byte
		flows int
		want  string
	}{
		"cut in the header":  {one[:10], 0, "a: the file ends in the middle of its header"},
		"cut in a packet":    {two[:len(two)-3], 1, "a: packet 2: the file ends in the middle of this packet"},
		"cut in its header":  {two[:len(one)+3], 1, "a: packet 2: the file ends in the middle of this packet"},
		"huge packet":        {huge, 1, "a: packet 2: expected a packet of at most 262144 bytes, found one of 1073741824: the file is damaged"},
		"other version":      {version, 0, "a: expected version 2 of libpcap's format, found version 3"},
		"monitor mode":       {wifi.b.Bytes(), 0, "a: expected packets of Ethernet, raw IP, Linux cooked, PKTAP or loopback, found link type 127"},
		"monitor mode, ng":   {mixed, 0, "a: expected packets of Ethernet, raw IP, Linux cooked, PKTAP or loopback, found link type 127"},
		"length of a block":  {length, 0, "a: packet 1: expected the length of a block, found 21: the file is damaged"},
		"end of a block":     {end, 0, "a: packet 1: a block says at its end that it has 21 bytes, and at its start 20: the file is damaged"},
		"cut in a block":     {good[:section+7], 0, "a: packet 1: the file ends in the middle of this block"},
		"garbage behind":     {slices.Concat(good, []byte("0123456789ab")), 1, "a: packet 3: the file ends in the middle of this block"},
		"unknown interface":  {slices.Concat(good, block(binary.LittleEndian, 6, []byte{9, 0, 0, 0}, make([]byte, 16))), 1, "a: packet 3: a packet is of interface 9, of 1: the file is damaged"},
		"packet of no bytes": {slices.Concat(good, block(binary.LittleEndian, 6, make([]byte, 12), []byte{9, 0, 0, 0}, make([]byte, 4))), 1, "a: packet 3: a packet of 9 bytes stands in a block that has 0: the file is damaged"},
	} {
		flows, _, err := read("a", c.data)
		var damage *contacts.Error
		if !errors.As(err, &damage) || err.Error() != c.want || len(flows) != c.flows {
			t.Errorf("%s: %d flows\n got %v\nwant %s", name, len(flows), err, c.want)
		}
	}
	if flows, info, err := read("a", one[:24]); err != nil || len(flows) != 0 || info.Entries != 0 {
		t.Errorf("no packets: %+v %v", info, err)
	}
}

// TestOddPackets counts packets that make no flow, and lets no odd option hide one.
func TestOddPackets(t *testing.T) {
	t.Parallel()
	good := segment(t, 40000, 1, "S", nil)
	change := func(offset int, b byte) []byte {
		p := slices.Clone(good)
		p[offset] = b
		return p
	}
	options := slices.Concat([]byte{0x46}, good[1:20], []byte{0x83, 0, 0, 0}, good[20:]) // an option without a length
	binary.BigEndian.PutUint16(options[2:], uint16(len(options)))
	r := record(t, layers.LinkTypeRaw)
	for _, p := range [][]byte{
		{}, {0x45}, good[:19], good[:30], change(0, 0x4f), change(0, 0x41), change(0, 0x25), change(3, 5), change(32, 0xf0), change(32, 0x10),
		change(7, 9), change(16, 224),
	} {
		r.add(p)
	}
	r.add(options)
	flows, info, err := read("a", r.b.Bytes())
	if err != nil || len(flows) != 1 || fmt.Sprint(info.Skipped) != "map[fragment behind the first:1 malformed packet:8 packet cut short:1 packet of another network than IP:1 packet to many:1]" {
		t.Errorf("%d flows, %v, %v", len(flows), info.Skipped, err)
	}
}

// many is a capture of n connections that all begin and never end.
func many(t testing.TB, n int, payload []byte) io.Reader {
	r := record(t, layers.LinkTypeRaw)
	first := segment(t, 1, 0, "S", nil)
	next := segment(t, 1, 1, "A", payload)
	reader, writer := io.Pipe()
	go func() {
		_, err := writer.Write(r.b.Bytes())
		for i := range n {
			for _, p := range [][]byte{first, next} {
				binary.BigEndian.PutUint32(p[12:], uint32(10<<24+i))
				head := make([]byte, 16, 16+len(p))
				binary.LittleEndian.PutUint32(head[8:], uint32(len(p)))
				binary.LittleEndian.PutUint32(head[12:], uint32(len(p)))
				if err == nil {
					_, err = writer.Write(append(head, p...))
				}
			}
		}
		_ = writer.CloseWithError(err)
	}()
	return reader
}

// TestPacketsInBoundedMemory opens more connections than are held, each with the
// beginning of a hello that never ends.
func TestPacketsInBoundedMemory(t *testing.T) {
	raced.SkipMeasure(t)
	const connections = 150_000
	start := append([]byte{0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb}, make([]byte, 1300)...)
	var most uint64
	seen := 0
	info, err := contacts.Read(many(t, connections, start), contacts.Options{}, func(f *flow.Flow) error {
		if seen++; seen%20_000 == 0 {
			var now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
		return nil
	})
	if err != nil || seen != connections || info.Entries != 2*connections {
		t.Errorf("%d flows of %d packets, %v", seen, info.Entries, err)
	}
	if most > 120<<20 {
		t.Errorf("%d bytes are held", most)
	}
}

// TestShuffledHellos sends a hello in random pieces in random order.
func TestShuffledHellos(t *testing.T) {
	t.Parallel()
	whole := hello(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		r := record(t, layers.LinkTypeRaw)
		r.add(segment(t, 40000, 77, "S", nil))
		var parts [][2]int
		for from := 0; from < len(whole); {
			to := min(len(whole), from+40+random.IntN(200))
			parts = append(parts, [2]int{max(0, from-random.IntN(30)), to})
			from = to
		}
		random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		for _, p := range parts {
			r.add(segment(t, 40000, 78+uint32(p[0]), "A", whole[p[0]:p[1]]))
		}
		if got := r.read(); len(got) != 1 || got[0].Server.SNI != "app.canada.example" {
			t.Fatalf("%v: %s", parts, sni(got))
		}
	}
}

// The names that the tests use most.
const raw = layers.LinkTypeRaw

var order = binary.LittleEndian

func udp(from, to layers.UDPPort) *layers.UDP { return &layers.UDP{SrcPort: from, DstPort: to} }
