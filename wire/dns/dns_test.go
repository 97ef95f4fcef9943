package dns

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

var update = flag.Bool("update", false, "write the expected texts anew")

// messages returns the messages under testdata by name. They were put together byte by
// byte, with what servers send in such records; those of RFC 9460 are of its appendix D.2.
func messages(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob("testdata/messages/*.hex")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no messages: %v", err)
	}
	all := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".hex")] = b
	}
	return all
}

// TestMessages holds what is made of each message against what it was.
func TestMessages(t *testing.T) {
	for name, b := range messages(t) {
		t.Run(name, func(t *testing.T) {
			got := describe(b)
			file := filepath.Join("testdata/messages", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func describe(b []byte) string {
	var out strings.Builder
	m, err := Parse(b)
	if err != nil {
		return err.Error() + "\n"
	}
	fmt.Fprintf(&out, "%d %s %s %s\n", m.ID, m.Question.Name, m.Question.Type, m.Question.Code)
	for _, a := range m.Question.Answers {
		fmt.Fprintf(&out, "%s %v %s %s\n", a.Name, a.TTL, a.Type, a.Data)
	}
	fmt.Fprintf(&out, "addresses %v\n", m.Addresses())
	bared, altered := Bare(b)
	for _, what := range altered {
		fmt.Fprintf(&out, "altered: %s\n", what)
	}
	if bytes.Equal(bared, b) {
		return out.String()
	}
	left, err := Parse(bared)
	if err != nil {
		return out.String() + err.Error() + "\n"
	}
	for _, a := range left.Question.Answers {
		fmt.Fprintf(&out, "left: %s %s %s\n", a.Name, a.Type, a.Data)
	}
	fmt.Fprintf(&out, "%x\n", bared)
	return out.String()
}

// What is left of a message says nothing of ech or h3, and is the same when bared again.
func TestBareLeavesNothing(t *testing.T) {
	for name, b := range messages(t) {
		out, altered := Bare(bytes.Clone(b))
		if len(altered) == 0 && !bytes.Equal(out, b) {
			t.Errorf("%s: changed in silence", name)
		}
		again, more := Bare(out)
		if len(more) > 0 || !bytes.Equal(again, out) {
			t.Errorf("%s: bared twice: %v", name, more)
		}
		for _, word := range []string{"\x02h3", "\x05h3-", "cloudflare-ech"} {
			if m, err := Parse(b); err == nil && m.Response && bytes.Contains(out, []byte(word)) {
				t.Errorf("%s: %q is left", name, word)
			}
		}
	}
}

// A question is no answer: it is left as it is even where it holds such a record.
func TestBareLeavesOthersAlone(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":   nil,
		"short":     {0, 65, 0, 65},
		"garbage":   bytes.Repeat([]byte{0, 65}, 300),
		"truncated": messages(t)["https-ech-h3"][:80],
		"a question": func() []byte {
			b := bytes.Clone(messages(t)["https-ech-h3"])
			b[2] &^= 0x80
			return b
		}(),
	} {
		if out, altered := Bare(b); !bytes.Equal(out, b) || altered != nil {
			t.Errorf("%s: %v", name, altered)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	loop := []byte{0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1}
	mutual := []byte{0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 14, 0xc0, 12, 0, 1, 0, 1}
	forward := []byte{0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 200, 0, 1, 0, 1}
	liar := append(bytes.Clone(messages(t)["aaaa"]), 0)
	liar[7] = 9
	announced := bytes.Clone(messages(t)["query-edns"])[:33]
	for name, b := range map[string][]byte{
		"nothing": nil, "a loop": loop, "two names that point at each other": mutual, "a pointer past the end": forward,
		"more records than there are": liar, "records that are announced": announced, "a header's half": loop[:7],
		"a long label": append(bytes.Clone(loop[:12]), 0x80, 1, 2, 3),
		"65,535 bytes": bytes.Repeat([]byte{0xc0, 0x0c}, MaxSize/2),
	} {
		if m, err := Parse(b); err == nil {
			t.Errorf("%s: %+v", name, m.Question)
		}
	}
}

func TestLargestMessage(t *testing.T) {
	msg := &mdns.Msg{}
	msg.SetQuestion("big.example.", mdns.TypeTXT)
	msg.Response = true
	for msg.Len() < MaxSize-300 {
		msg.Answer = append(msg.Answer, &mdns.TXT{Hdr: mdns.RR_Header{Name: "big.example.", Rrtype: mdns.TypeTXT, Class: 1}, Txt: []string{strings.Repeat("x", 200)}})
	}
	b, err := msg.Pack()
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(b)
	if err != nil || len(m.Question.Answers) != maxAnswers {
		t.Fatalf("%v, %d answers", err, len(m.Question.Answers))
	}
	q := query(t, msgOf("big.example.", mdns.TypeTXT))
	fit := q.Fit(b)
	cut, err := Parse(fit)
	if err != nil || !cut.Truncated || len(fit) > q.Size || cut.ID != m.ID {
		t.Errorf("%v, %d bytes", err, len(fit))
	}
	if whole := q.Fit(b[:q.Size]); len(whole) != q.Size {
		t.Error("what fits was cut")
	}
	if garbage := q.Fit(bytes.Repeat([]byte{7}, 2000)); len(garbage) > q.Size || garbage[2]&2 == 0 {
		t.Errorf("%x", garbage)
	}
}

// A client that says it takes all there is gets no more than one packet: its address may
// be forged.
func TestFitAmplifiesNothing(t *testing.T) {
	asked := msgOf("big.example.", mdns.TypeTXT)
	asked.SetEdns0(65535, false)
	q := query(t, asked)
	response := new(mdns.Msg).SetReply(asked)
	for range 150 {
		response.Answer = append(response.Answer, &mdns.TXT{Hdr: mdns.RR_Header{Name: "big.example.", Rrtype: mdns.TypeTXT, Class: 1}, Txt: []string{strings.Repeat("x", 250)}})
	}
	b, err := response.Pack()
	if err != nil {
		t.Fatal(err)
	}
	fit := q.Fit(b)
	if m, err := Parse(fit); err != nil || !m.Truncated || len(fit) > 1232 {
		t.Errorf("%v, %d bytes", err, len(fit))
	}
	if q.Size != 65535 {
		t.Errorf("the size that was asked for is %d: a resolver is to be told it", q.Size)
	}
}

func msgOf(name string, typ uint16) *mdns.Msg {
	m := &mdns.Msg{}
	m.SetQuestion(name, typ)
	m.Id = 4711
	return m
}

func pack(tb testing.TB, m *mdns.Msg) []byte {
	tb.Helper()
	b, err := m.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func query(tb testing.TB, m *mdns.Msg) *Query {
	tb.Helper()
	q, err := ReadQuery(pack(tb, m))
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

func TestReadQuery(t *testing.T) {
	m := msgOf("WWW.Example.com.", mdns.TypeHTTPS)
	m.SetEdns0(4096, true)
	q := query(t, m)
	if q.ID != 4711 || q.Name != "WWW.Example.com" || q.Type != "HTTPS" || q.Size != 4096 || !q.Is("A", "HTTPS") || q.Is("A") {
		t.Errorf("%+v", q)
	}
	if q := query(t, msgOf(".", mdns.TypeNS)); q.Name != "." || q.Size != 512 {
		t.Errorf("%+v", q)
	}
	m.SetEdns0(100, false) // a second OPT, replaced by the next line
	m.Extra = m.Extra[1:]
	if q := query(t, m); q.Size != 512 {
		t.Errorf("less than the smallest size: %d", q.Size)
	}
}

func TestUnanswerable(t *testing.T) {
	edit := func(change func(*mdns.Msg)) []byte {
		m := msgOf("www.example.com.", mdns.TypeA)
		change(m)
		return pack(t, m)
	}
	raw := func(change func([]byte)) []byte {
		b := pack(t, msgOf("www.example.com.", mdns.TypeA))
		change(b)
		return b
	}
	for name, c := range map[string]struct {
		b    []byte
		code int // -1: nothing is said
		name string
	}{
		"nothing":             {nil, -1, ""},
		"half a header":       {make([]byte, 11), -1, ""},
		"a response":          {edit(func(m *mdns.Msg) { m.Response = true }), -1, ""},
		"UPDATE":              {edit(func(m *mdns.Msg) { m.Opcode = mdns.OpcodeUpdate }), mdns.RcodeNotImplemented, ""},
		"NOTIFY":              {edit(func(m *mdns.Msg) { m.Opcode = mdns.OpcodeNotify }), mdns.RcodeNotImplemented, ""},
		"no question":         {edit(func(m *mdns.Msg) { m.Question = nil }), mdns.RcodeFormatError, ""},
		"two questions":       {edit(func(m *mdns.Msg) { m.Question = append(m.Question, m.Question[0]) }), mdns.RcodeFormatError, ""},
		"65,535 questions":    {raw(func(b []byte) { b[4], b[5] = 255, 255 }), mdns.RcodeFormatError, ""},
		"a compression loop":  {[]byte{0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1}, mdns.RcodeFormatError, ""},
		"a cut question":      {pack(t, msgOf("www.example.com.", mdns.TypeA))[:20], mdns.RcodeFormatError, ""},
		"records that lack":   {raw(func(b []byte) { b[11] = 1 }), mdns.RcodeFormatError, ""},
		"AXFR":                {edit(func(m *mdns.Msg) { m.Question[0].Qtype = mdns.TypeAXFR }), mdns.RcodeRefused, "www.example.com"},
		"IXFR":                {edit(func(m *mdns.Msg) { m.Question[0].Qtype = mdns.TypeIXFR }), mdns.RcodeRefused, "www.example.com"},
		"class CH":            {edit(func(m *mdns.Msg) { m.Question[0].Qclass = mdns.ClassCHAOS }), mdns.RcodeRefused, "www.example.com"},
		"class ANY":           {edit(func(m *mdns.Msg) { m.Question[0].Qclass = mdns.ClassANY }), mdns.RcodeRefused, "www.example.com"},
		"class NONE":          {edit(func(m *mdns.Msg) { m.Question[0].Qclass = mdns.ClassNONE }), mdns.RcodeFormatError, "www.example.com"},
		"OPT as a question":   {edit(func(m *mdns.Msg) { m.Question[0].Qtype = mdns.TypeOPT }), mdns.RcodeFormatError, "www.example.com"},
		"two OPT records":     {edit(func(m *mdns.Msg) { m.SetEdns0(512, false); m.SetEdns0(512, false) }), mdns.RcodeFormatError, "www.example.com"},
		"a version of EDNS":   {edit(func(m *mdns.Msg) { m.SetEdns0(512, false); m.IsEdns0().SetVersion(1) }), mdns.RcodeBadVers, "www.example.com"},
		"OPT with an owner":   {edit(func(m *mdns.Msg) { m.SetEdns0(512, false); m.IsEdns0().Hdr.Name = "x." }), mdns.RcodeFormatError, "www.example.com"},
		"65,535 bytes of 255": {bytes.Repeat([]byte{255}, MaxSize), -1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := ReadQuery(c.b)
			var why *Unanswerable
			if !errors.As(err, &why) || why.Reason == "" || q != nil {
				t.Fatalf("%+v, %v", q, err)
			}
			if c.code < 0 {
				if why.Answer != nil {
					t.Errorf("answered %x", why.Answer)
				}
				return
			}
			var answer mdns.Msg
			if err := answer.Unpack(why.Answer); err != nil {
				t.Fatal(err)
			}
			if answer.Rcode != c.code || !answer.Response || why.Name != c.name || why.Answer[0] != c.b[0] || why.Answer[1] != c.b[1] || why.Code != Code(c.code) {
				t.Errorf("%+v: %+v", why, answer.MsgHdr)
			}
		})
	}
}

func TestReply(t *testing.T) {
	m := msgOf("www.example.com.", mdns.TypeA)
	m.SetEdns0(1400, true)
	m.CheckingDisabled = true
	var answer mdns.Msg
	if err := answer.Unpack(query(t, m).ReplyAddresses(time.Minute, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.2"))); err != nil {
		t.Fatal(err)
	}
	opt := answer.IsEdns0()
	if answer.Id != 4711 || !answer.Response || !answer.RecursionAvailable || !answer.RecursionDesired || !answer.CheckingDisabled ||
		opt == nil || opt.UDPSize() != ownSize || !opt.Do() || len(answer.Answer) != 2 || answer.Answer[1].(*mdns.A).A.String() != "192.0.2.2" || answer.Answer[0].Header().Ttl != 60 {
		t.Errorf("%v", &answer)
	}
	for code, want := range map[Code]int{NoError: 0, FormatError: 1, ServerFailure: 2, NameError: 3, NotImplemented: 4, Refused: 5} {
		if err := answer.Unpack(query(t, msgOf("x.example.", mdns.TypeAAAA)).Reply(code)); err != nil || answer.Rcode != want || len(answer.Answer)+len(answer.Extra) > 0 || answer.Question[0].Name != "x.example." {
			t.Errorf("%s: %v %v", code, err, &answer)
		}
	}
	if err := answer.Unpack(query(t, msgOf("x.example.", mdns.TypeTXT)).ReplyAddresses(0, netip.MustParseAddr("192.0.2.1"))); err != nil || len(answer.Answer) > 0 {
		t.Errorf("%v %v", err, &answer)
	}
}

func TestMatches(t *testing.T) {
	q := query(t, msgOf("www.example.com.", mdns.TypeA))
	edit := func(change func(*mdns.Msg)) *Message {
		m := msgOf("www.EXAMPLE.com.", mdns.TypeA)
		m.Response = true
		change(m)
		parsed, err := Parse(pack(t, m))
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	if !q.Matches(edit(func(*mdns.Msg) {}), 4711) {
		t.Error("the answer")
	}
	if !q.Matches(edit(func(m *mdns.Msg) { m.Question, m.Rcode = nil, mdns.RcodeFormatError }), 4711) {
		t.Error("a refusal without its question")
	}
	for name, change := range map[string]func(*mdns.Msg){
		"another ID":    func(m *mdns.Msg) { m.Id++ },
		"another name":  func(m *mdns.Msg) { m.Question[0].Name = "www.example.org." },
		"another type":  func(m *mdns.Msg) { m.Question[0].Qtype = mdns.TypeAAAA },
		"another class": func(m *mdns.Msg) { m.Question[0].Qclass = 3 },
		"a question":    func(m *mdns.Msg) { m.Response = false },
		"no question":   func(m *mdns.Msg) { m.Question = nil },
		"two questions": func(m *mdns.Msg) { m.Question = append(m.Question, m.Question[0]) },
	} {
		if q.Matches(edit(change), 4711) {
			t.Error(name)
		}
	}
}

// Names and addresses of others in an answer are not taken for those asked for.
func TestAddressesFollowAliases(t *testing.T) {
	all := messages(t)
	for name, want := range map[string]string{
		"a-cname": "[203.0.113.7]", "aaaa": "[192.0.2.1 2001:db8::7]", "https-alias": "[192.0.2.9 192.0.2.10]",
		"https-ech-h3": "[104.16.132.229 104.16.133.229 2606:4700::6810:84e5 2606:4700::6810:85e5]", "nxdomain": "[]", "query-edns": "[]",
	} {
		m, err := Parse(all[name])
		if err != nil || fmt.Sprint(m.Addresses()) != want {
			t.Errorf("%s: %v %v", name, m.Addresses(), err)
		}
	}
	loop := msgOf("a.example.", mdns.TypeA)
	loop.Response = true
	for i := range 100 { // in the order that needs the most passes
		from, to := fmt.Sprintf("h%d.example.", 100-i), fmt.Sprintf("h%d.example.", 99-i)
		loop.Answer = append([]mdns.RR{&mdns.CNAME{Hdr: mdns.RR_Header{Name: from, Rrtype: mdns.TypeCNAME, Class: 1}, Target: to}}, loop.Answer...)
	}
	m, err := Parse(pack(t, loop))
	if err != nil || len(m.Addresses()) > 0 {
		t.Errorf("%v", err)
	}
}

func TestHost(t *testing.T) {
	for name, want := range map[string]string{"_8443._https.example.org": "example.org", "example.org": "example.org", "_dns": "_dns", "": "", "a._b.example": "a._b.example"} {
		if got := Host(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestNewQuery(t *testing.T) {
	b, err := NewQuery(7, "www.example.com", "AAAA")
	if err != nil {
		t.Fatal(err)
	}
	q, err := ReadQuery(b)
	if err != nil || q.ID != 7 || q.Type != "AAAA" || q.Name != "www.example.com" || q.Size != ownSize {
		t.Errorf("%+v %v", q, err)
	}
	if _, err := NewQuery(7, strings.Repeat("x", 64)+".example", "A"); err == nil {
		t.Error("a label that is too long")
	}
}

func seeds(f *testing.F) {
	for _, b := range messages(f) {
		f.Add(b)
	}
	f.Add([]byte{0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1})
}

func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		m.Addresses()
		texts := []string{m.Question.Name, m.Question.Type, m.Question.Code}
		for _, a := range m.Question.Answers {
			texts = append(texts, a.Name, a.Type, strings.TrimSuffix(a.Data, "…"))
		}
		for _, s := range texts {
			if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("not printable: %q", s)
			}
		}
	})
}

func FuzzReadQuery(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ReadQuery(b)
		if err == nil {
			if fit := q.Fit(slices.Concat(b, make([]byte, MaxSize))); len(fit) > q.Size {
				t.Errorf("%d bytes do not fit into %d", len(fit), q.Size)
			}
		}
		var why *Unanswerable
		switch {
		case err == nil:
			for _, reply := range [][]byte{q.Reply(ServerFailure), q.ReplyAddresses(time.Minute, netip.MustParseAddr("192.0.2.1"))} {
				if len(reply) < HeaderSize || reply[2]&0x80 == 0 {
					t.Errorf("%x", reply)
				}
			}
		case !errors.As(err, &why):
			t.Errorf("%v", err)
		case len(b) >= HeaderSize && b[2]&0x80 != 0 && why.Answer != nil:
			t.Errorf("a response was answered: two servers would never end")
		}
	})
}

func FuzzBare(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		out, altered := Bare(b)
		if !bytes.Equal(b, before) {
			t.Fatal("the input was changed")
		}
		if len(altered) == 0 {
			if !bytes.Equal(out, b) {
				t.Fatal("changed in silence")
			}
			return
		}
		if _, err := Parse(out); err != nil {
			t.Fatalf("what is left cannot be read: %v", err)
		}
		if _, again := Bare(out); len(again) > 0 {
			t.Fatalf("not all was removed: %v", again)
		}
	})
}
