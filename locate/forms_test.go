package locate

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"telltale/locate/app"
)

const (
	probeHost = "clients3.google.com"
	probeURL  = "https://clients3.google.com/generate_204"
)

// examined returns the leads that bytes alone give.
func examined(t testing.TB, data string, wanted Wanted) []Lead {
	t.Helper()
	s, err := newSearch(wanted, Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := examination{search: s, file: app.File{Path: "f", Data: []byte(data), Size: int64(len(data))}}
	x.run()
	leads := make([]Lead, 0, len(x.found))
	for _, f := range x.found {
		leads = append(leads, f.Lead)
	}
	return leads
}

// every percent-encodes each byte of a text.
func every(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02X", text[i])
	}
	return b.String()
}

func xored(text string, key byte) string {
	out := []byte(text)
	for i := range out {
		out[i] ^= key
	}
	return string(out)
}

// disguises are the forms with what makes them, of a URL between two texts.
var disguises = []struct {
	name string
	form Form
	make func(before, url, after string) string
}{
	{"plain", WholeURL, func(b, u, a string) string { return b + u + a }},
	{"capitals", WholeURL, func(b, u, a string) string {
		return b + strings.Replace(u, "clients3.google", "Clients3.GOOGLE", 1) + a
	}},
	{"percent-encoded URL", Percent, func(b, u, a string) string { return b + url.QueryEscape(u) + a }},
	{"every character percent-encoded", Percent, func(b, u, a string) string { return b + every(u) + a }},
	{"base64", Base64, func(b, u, a string) string { return b + " " + base64.StdEncoding.EncodeToString([]byte(u)) + a }},
	{"base64 behind one byte", Base64, func(b, u, a string) string { return b + " " + base64.StdEncoding.EncodeToString([]byte("'"+u)) + a }},
	{"base64 behind two bytes", Base64, func(b, u, a string) string { return b + " " + base64.URLEncoding.EncodeToString([]byte("= "+u)) + a }},
	{"hexadecimal", Hex, func(b, u, a string) string { return b + " " + hex.EncodeToString([]byte(u)) + a }},
	{"reversed", Reversed, func(b, u, a string) string { return b + reversed(u) + a }},
	{"UTF-16LE", UTF16, func(b, u, a string) string { return b + wide(u) + "\x00" + a }},
	{"UTF-16BE", UTF16, func(b, u, a string) string { return b + "\x00" + wide(u) + a }},
	{"XOR 0x5a", XOR, func(b, u, a string) string { return b + xored(u, 0x5a) + a }},
	{"XOR 0xff", XOR, func(b, u, a string) string { return b + xored(u, 0xff) + a }},
	{"XOR 0x01", XOR, func(b, u, a string) string { return b + xored(u, 0x01) + a }},
}

func TestEveryFormIsFound(t *testing.T) {
	surroundings := [][2]string{{"", ""}, {`{"a":"`, `"}`}, {"\x00\x07", "\x00"}, {strings.Repeat("é ", 400), strings.Repeat("\nx", 900)}}
	for _, d := range disguises {
		for i, around := range surroundings {
			t.Run(fmt.Sprint(d.name, i), func(t *testing.T) {
				leads := examined(t, d.make(around[0], probeURL, around[1]), Wanted{Hosts: []string{probeHost}})
				if len(leads) != 1 || leads[0].Form != d.form {
					t.Fatalf("got %d leads, %+v; want one, %s", len(leads), leads, d.form)
				}
				if text := strings.ToLower(leads[0].Text); !strings.Contains(text, probeHost) {
					t.Errorf("the text is %q", text)
				}
			})
		}
	}
}

// The places are those at which a byte of the file has the form, so that an editor finds it.
func TestOffsetsPointAtTheForm(t *testing.T) {
	for _, d := range disguises {
		bare := d.make("", probeHost, "")
		data := d.make(strings.Repeat(" ", 70_000), probeHost, "")
		leads := examined(t, data, Wanted{Hosts: []string{probeHost}})
		if len(leads) != 1 {
			t.Fatalf("%s: %d leads", d.name, len(leads))
		}
		if at := leads[0].Offset; at < 70_000 || at > 70_000+int64(len(bare)) {
			t.Errorf("%s: found at %d", d.name, at)
		}
	}
}

func TestOtherNamesAreNoFind(t *testing.T) {
	for _, text := range []string{
		"https://xclients3.google.com/", "https://clients3.google.com.example/", "https://clients3.google.community/",
		"https://a.clients3.google.com/", "my-clients3.google.com", "clients3.google.co", "clients3_google_com", "clients3.google.comet",
		reversed("https://a.clients3.google.com/"), wide("xclients3.google.com"), xored("xclients3.google.com", 7),
		base64.StdEncoding.EncodeToString([]byte("https://xclients3.google.com/")),
	} {
		for _, l := range examined(t, "\x00"+text+"\x00", Wanted{Hosts: []string{probeHost}}) {
			if l.Form != Parent {
				t.Errorf("%q is %s", text, l.Form)
			}
		}
	}
}

func TestEscapesDoNotHideAHost(t *testing.T) {
	for _, text := range []string{
		`https:\/\/clients3.google.com\/generate_204`, `https:\u002F\u002fclients3.google.com`, `\x2fclients3.google.com`,
		"https%3A%2F%2Fclients3.google.com%2Fgenerate_204", `\nclients3.google.com`, "//clients3%2Egoogle%2ecom/",
	} {
		if leads := examined(t, `"`+text+`"`, Wanted{Hosts: []string{probeHost}}); len(leads) != 1 {
			t.Errorf("%q has %d leads", text, len(leads))
		}
	}
}

func TestNoiseHasNoFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 4<<20)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for i := len(noise) / 2; i < len(noise); i++ { // half of it like base64 and hex
		noise[i] = "ABCDEFGHabcdefgh01234567+/"[noise[i]%26]
	}
	wanted := Wanted{Hosts: []string{probeHost, "t.example", "graph.facebook.com"}, Strings: []string{"generate_204"}}
	if leads := examined(t, string(noise), wanted); len(leads) != 0 {
		t.Errorf("%d leads in noise: %+v", len(leads), leads)
	}
}

func TestADomainAboveIsALeadWhereTheHostIsNot(t *testing.T) {
	wanted := Wanted{Hosts: []string{"o1.ingest.sentry.io"}}
	for text, want := range map[string]string{
		`"https://%s.ingest.sentry.io/api"`: "ingest.sentry.io",
		`".ingest.sentry.io"`:               "ingest.sentry.io",
		`"sentry.io"`:                       "sentry.io",
		`"https://docs.sentry.io/x"`:        "",
		`"mysentry.io"`:                     "",
	} {
		leads := examined(t, "\x00"+text+"\x00", wanted)
		got := ""
		for _, l := range leads {
			if l.Form != Parent {
				t.Errorf("%s is %s", text, l.Form)
			}
			if len(l.Text) > len(got) {
				got = l.Text
			}
		}
		if got != want {
			t.Errorf("%s has %q, want %q", text, got, want)
		}
	}
}
