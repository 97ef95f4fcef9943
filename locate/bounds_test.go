package locate

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const acme = "api.acme.io"

// What stands beside a host in texts of people and machines does not hide it.
func TestBytesThatAreNoLettersEndAName(t *testing.T) {
	for _, text := range []string{
		"“https://api.acme.io”", "https://api.acme.io。", "api.acme.io…", "\xbbhttps://api.acme.io\xa1x", "\xbfapi.acme.io\xff\xff", "«api.acme.io»",
	} {
		if leads := examined(t, text, Wanted{Hosts: []string{acme}}); len(leads) != 1 {
			t.Errorf("%q has %d leads", text, len(leads))
		}
	}
	for _, text := range []string{"éapi.acme.io", "api.acme.ioß", "api.acme.io%2Eevil", "https://api.acme.io@evil.org/"} {
		if leads := examined(t, text, Wanted{Hosts: []string{acme}}); len(leads) != 0 {
			t.Errorf("%q has %d leads", text, len(leads))
		}
	}
}

// Neither other names nor domains above it use up what may be looked at of a host.
func TestOthersDoNotUseUpAHost(t *testing.T) {
	for name, noise := range map[string]string{
		"parents": strings.Repeat("x('acme.io'); y('.acme.io');\n", 3000),
		"longer":  strings.Repeat("x('a.api.acme.io');\n", 3000),
	} {
		t.Run(name, func(t *testing.T) {
			r := searched(t, Wanted{Hosts: []string{acme}}, folder(t, map[string]string{"a.js": noise + "f('https://api.acme.io/x')"}))
			if !r.Found() {
				t.Error("the host is not found")
			}
		})
	}
}

// Of two mentions in one literal, each is judged by itself.
func TestMentionsInOneLiteral(t *testing.T) {
	for name, text := range map[string]string{
		"a.js":      `f("https://api.acme.io.au https://api.acme.io/x \u00e9")`,
		"a.json":    `{"u":"https://api.acme.io.au https://api.acme.io/x \u00e9"}`,
		"a.strings": "\xff\xfe" + wide(`"u" = "https://api.acme.io.au https://api.acme.io/x";`) + "\x00",
		"b.js":      "f('ȺȺȺ https://api.acme.io/x K \\n')",
	} {
		t.Run(name, func(t *testing.T) {
			r := searched(t, Wanted{Hosts: []string{acme}}, folder(t, map[string]string{name: text}))
			if len(r.Leads) != 1 || r.Leads[0].Text != "https://api.acme.io/x" {
				t.Errorf("%+v", r.Leads)
			}
		})
	}
}

func TestUTF16BeginsAtItsFirstByte(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		at   int64
	}{
		"little-endian":                 {"ab" + wide(probeURL) + "\x00cd", 2},
		"big-endian":                    {"ab\x00" + wide(probeURL) + "cd", 2},
		"big-endian between zeros":      {"ab\x00\x00\x00" + wide(probeURL) + "\x00\x00", 4},
		"little-endian between zeros":   {"ab\x00\x00" + wide(probeURL) + "\x00\x00\x00", 4},
		"little-endian, after its mark": {"\xff\xfe" + wide(probeURL) + "\x00", 2},
	} {
		leads := examined(t, c.text, Wanted{Hosts: []string{probeHost}})
		if len(leads) != 1 || leads[0].Offset != c.at {
			t.Errorf("%s: %+v", name, leads)
		}
	}
}

// Encoded hosts in tables whose texts have no byte between them.
func TestEncodedHostsInGluedTexts(t *testing.T) {
	for _, d := range disguises {
		if d.form == XOR || d.form == UTF16 {
			continue
		}
		text := strings.TrimSpace(d.make("", probeHost, ""))
		t.Run(d.name, func(t *testing.T) {
			r := searched(t, Wanted{Hosts: []string{probeHost}}, folder(t, map[string]string{"a.js": fmt.Sprintf("f('xyz'+x,'%s','abc')", text)}))
			if len(r.Leads) == 0 {
				t.Errorf("%q is not found", text)
			}
		})
	}
}

// A listing tells a contact from the noise that the same host has too, and counts all of it.
func TestNoiseDoesNotHideAContact(t *testing.T) {
	text := strings.Repeat("// see https://github.com/acme/x/issues/7\n", 5) + strings.Repeat("f('https://github.com/acme/x/releases/download/model.bin');\n", 9)
	r := searched(t, Wanted{}, folder(t, map[string]string{"a.js": text}))
	places, contact := 0, false
	for _, l := range r.Of("github.com") {
		places += 1 + l.Same
		contact = contact || l.Mention.Noise == ""
	}
	if places != 14 || !contact {
		t.Errorf("%d places, contact %t: %+v", places, contact, r.Leads)
	}
}

// Many hosts in one large module: what is kept of it is kept once.
func TestManyHostsOfOneModule(t *testing.T) {
	var b strings.Builder
	b.WriteString("__d(function(g,r,i,a,m,e,d){m.exports=[")
	for n := range 5000 {
		fmt.Fprintf(&b, "'https://h%d.acme.io/some/path/that/is/long',", n)
	}
	b.WriteString("]},1,[]);\n")
	begin := time.Now()
	r := searched(t, Wanted{}, folder(t, map[string]string{"main.jsbundle": b.String()}))
	if n := len(r.Leads); n != 5000 {
		t.Errorf("%d leads", n)
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

func TestNamesThatAreNoHosts(t *testing.T) {
	for _, name := range []string{"*.acme.io", "https://acme.io/x", "acme io"} {
		if _, err := newSearch(Wanted{Hosts: []string{name}}, Options{}); err == nil || !strings.Contains(err.Error(), "is no host") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWhatPeopleReadIsNoCode(t *testing.T) {
	r := searched(t, Wanted{}, folder(t, map[string]string{
		"license/NOTICE": "see https://www.acme.io/", "README.md": "https://www.acme.io/docs", "a.jpg": "\x00https://icc.acme.io\x00", "src/a.js": "f('https://api.acme.io')",
		"notices.json": `{"u":"https://news.acme.io"}`,
	}))
	for host, noise := range map[string]string{"www.acme.io": "in a text for people", "icc.acme.io": "in a picture", "api.acme.io": "", "news.acme.io": ""} {
		leads := r.Of(host)
		if len(leads) == 0 || leads[0].Mention.Noise != noise {
			t.Errorf("%s: %+v", host, leads)
		}
	}
}
