package lists

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"telltale/policy/catalog"
)

// The lists of these tests are invented.

const hostsText = "# a hosts file\n127.0.0.1 localhost\n::1 ip6-localhost\n0.0.0.0 ads.example.com # the worst\r\n" +
	"127.0.0.1\ttrack.example.com stats.example.com\n:: six.example.com\n192.0.2.7 moved.example.com\n0.0.0.0 Bücher.example\n0.0.0.0 bad_host! ok.example\n"

const domainText = "# domains\nads.example.com\n\n*.below.example.net\n.dot.example.net # with a remark\nXN--BCHER-KVA.example\n192.0.2.1\n"

const adblockText = `[Adblock Plus 2.0]
! Title: invented
## a headline
||ads.example.com^
||track.example.com^$third-party
||pixel.example.com^$image,third-party
||cdn.example.net/ads/*/banner^
||api.example.net/v1/events|
||ad*.example.org^
||*.wild.example.org^
|https://exact.example.org/
||shop.example.com^$domain=shop.example
||app.example.com^$app=com.example
||page.example.com^$document
||ads.
/banner/*/ad.
example.com##.ad
##.sponsored
@@||good.ads.example.com^
@@||ads.example.com/allowed/
@@||ads.example.com^$domain=x.example
0.0.0.0 mixed.example.com
||query.example.com/x?ad=1
||BIG.Example.COM^
||under_score.example.com^
`

const disconnectText = `{
  "license": "none",
  "categories": {
    "Advertising": [
      {"Ads Inc": {"https://ads.example/": ["ads.example", "adserv.example"], "performance": "true"}},
      {"Two": {"https://two.example/": ["two.example"], "https://b.example/": ["b.two.example"]}}
    ],
    "FingerprintingGeneral": [{"Prints": {"https://prints.example/": ["prints.example"]}}],
    "Content": [{"Pictures": {"https://pictures.example/": ["pictures.example"]}}]
  }
}`

const exodusText = `{"trackers": {
  "1": {"id": 1, "name": "Kit", "code_signature": "com.kit.", "network_signature": "kit\\.example|\\.kit\\.test|kit-x\\.example\\.net", "website": "https://kit.example", "categories": ["Analytics"]},
  "2": {"id": 2, "name": "Other", "network_signature": "(eu|us)\\.other\\.example", "categories": ["Location", "Advertisement"]},
  "3": {"id": 3, "name": "Silent", "network_signature": "", "categories": []},
  "4": {"id": 4, "name": "Broken", "network_signature": "((", "categories": []},
  "5": {"id": 5, "name": "All", "network_signature": ".*", "categories": []},
  "6": {"id": 6, "name": "Path", "network_signature": "graph\\.example/v[0-9]+/events", "categories": [{"name": "Crash reporting"}]}
}}`

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		name, text, format string
		rules, skipped     int
		notes              string
	}{
		{"hosts", hostsText, HostsFile, 6, 1, `9:9: expected a host name, found "bad_host!"`},
		{"domains", domainText, DomainList, 5, 0, ""},
		{"adblock", adblockText, Adblock, 13, 9, ""},
		{"disconnect", disconnectText, Disconnect, 5, 0, `the category "Content" is left out: Disconnect does not call it tracking`},
		{"exodus", exodusText, Exodus, 5, 1, `5:57: tracker "Broken": expected a regular expression in the syntax of RE2, found "(("; 6:54: tracker "All": expected a regular expression of some hosts, found one that matches any: ".*"`},
		{"ETIP", `[{"name":"Kit","network_signature":"kit\\.example","categories":[{"name":"Analytics"}]}]`, Exodus, 1, 0, ""},
		{"with a byte order mark", "\xef\xbb\xbfads.example.com\n", DomainList, 1, 0, ""},
		{"a few odd lines", "ads.example.com\n<html>\nx y\nads\n:-)\n", DomainList, 1, 0, `2:1: expected an address and host names, a domain or an Adblock filter, found "<html>"; ` +
			`3:1: expected an address and host names, a domain or an Adblock filter, found "x"; 4:1: expected an address and host names, a domain or an Adblock filter, found "ads"; 1 more that were not understood`},
	} {
		l, err := Read(tt.name+".txt", []byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if l.Format != tt.format || l.Rules != tt.rules || l.Skipped != tt.skipped || strings.Join(l.Notes, "; ") != tt.notes || l.Name != tt.name+".txt" || len(l.Digest) != 64 {
			t.Errorf("%s: %s with %d rules, %d skipped, notes %q; want %s, %d, %d, %q", tt.name, l.Format, l.Rules, l.Skipped, strings.Join(l.Notes, "; "), tt.format, tt.rules, tt.skipped, tt.notes)
		}
	}
}

func TestFind(t *testing.T) {
	for _, tt := range []struct {
		list, host, path string
		line             int // 0: not listed
		owner, category  string
	}{
		{hostsText, "ads.example.com", "", 4, "", ""},
		{hostsText, "a.ads.example.com", "", 0, "", ""}, // a hosts file names hosts
		{hostsText, "stats.example.com", "/x", 5, "", ""},
		{hostsText, "six.example.com", "", 6, "", ""},
		{hostsText, "moved.example.com", "", 0, "", ""},
		{hostsText, "xn--bcher-kva.example", "", 8, "", ""},
		{hostsText, "ok.example", "", 9, "", ""},
		{hostsText, "localhost", "", 0, "", ""},
		{hostsText, "example.com", "", 0, "", ""},
		{hostsText, "", "", 0, "", ""},

		{domainText, "ads.example.com", "", 2, "", ""},
		{domainText, "a.ads.example.com", "", 0, "", ""},
		{domainText, "a.b.below.example.net", "", 4, "", ""},
		{domainText, "dot.example.net", "", 5, "", ""},
		{domainText, "xn--bcher-kva.example", "", 6, "", ""},
		{domainText, "192.0.2.1", "", 7, "", ""},

		{adblockText, "ads.example.com", "", 4, "", ""},
		{adblockText, "x.ads.example.com", "/", 4, "", ""},
		{adblockText, "good.ads.example.com", "/", 0, "", ""},
		{adblockText, "a.good.ads.example.com", "", 0, "", ""},
		{adblockText, "ads.example.com", "/allowed/x.js", 0, "", ""},
		{adblockText, "evilads.example.com", "", 0, "", ""},
		{adblockText, "ads.example.com.evil", "", 0, "", ""},
		{adblockText, "track.example.com", "", 5, "", ""},
		{adblockText, "pixel.example.com", "", 6, "", ""},
		{adblockText, "cdn.example.net", "", 0, "", ""},
		{adblockText, "cdn.example.net", "/ads/2/banner", 7, "", ""},
		{adblockText, "cdn.example.net", "/ads/2/Banner/x", 7, "", ""},
		{adblockText, "cdn.example.net", "/ads/2/banners", 0, "", ""},
		{adblockText, "api.example.net", "/v1/events", 8, "", ""},
		{adblockText, "api.example.net", "/v1/events/2", 0, "", ""},
		{adblockText, "adserver.example.org", "", 9, "", ""},
		{adblockText, "a.ads.example.org", "", 9, "", ""},
		{adblockText, "bad.example.org", "", 0, "", ""},
		{adblockText, "a.wild.example.org", "", 10, "", ""},
		{adblockText, "exact.example.org", "/", 11, "", ""},
		{adblockText, "a.exact.example.org", "/", 0, "", ""},
		{adblockText, "shop.example.com", "", 0, "", ""},
		{adblockText, "app.example.com", "", 0, "", ""},
		{adblockText, "page.example.com", "", 0, "", ""},
		{adblockText, "mixed.example.com", "", 22, "", ""},
		{adblockText, "query.example.com", "/x", 0, "", ""},
		{adblockText, "big.example.com", "", 24, "", ""},
		{adblockText, "under_score.example.com", "", 25, "", ""},

		{disconnectText, "adserv.example", "", 5, "Ads Inc", "advertising"},
		{disconnectText, "x.two.example", "/", 6, "Two", "advertising"},
		{disconnectText, "b.two.example", "/", 6, "Two", "advertising"},
		{disconnectText, "prints.example", "", 8, "Prints", ""},
		{disconnectText, "pictures.example", "", 0, "", ""},
		{disconnectText, "true", "", 0, "", ""},

		{exodusText, "kit.example", "", 2, "Kit", "analytics"},
		{exodusText, "a.kit.test", "", 2, "Kit", "analytics"},
		{exodusText, "kit-x.example.net", "", 2, "Kit", "analytics"},
		{exodusText, "mykit.example", "", 0, "", ""},
		{exodusText, "api.eu.other.example", "", 3, "Other", "advertising"},
		{exodusText, "other.example", "", 0, "", ""},
		{exodusText, "graph.example", "", 0, "", ""},
		{exodusText, "graph.example", "/v12/events", 7, "Path", "crash-reporting"},
	} {
		l, err := Read("list", []byte(tt.list))
		if err != nil {
			t.Fatal(err)
		}
		e, ok := l.Find(tt.host, tt.path)
		if ok != (tt.line > 0) || e.Line != tt.line || e.Owner() != tt.owner || e.Category != tt.category || ok && e.Text == "" {
			t.Errorf("%s: %s%s: %+v, want line %d, %q, %q", l.Format, tt.host, tt.path, e, tt.line, tt.owner, tt.category)
		}
	}
}

func TestByPath(t *testing.T) {
	adblock, _ := Read("a", []byte(adblockText))
	exodus, _ := Read("e", []byte(exodusText))
	for host, want := range map[string]bool{"cdn.example.net": true, "x.cdn.example.net": true, "ads.example.com": true, "track.example.com": false, "www.example": false} {
		if adblock.ByPath(host) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
	if !exodus.ByPath("www.example") { // a regular expression may be about any
		t.Error("a path of a regular expression is overlooked")
	}
}

// TestNotesOnOneLine: JSON often is one line, and a line number tells nothing of it.
func TestNotesOnOneLine(t *testing.T) {
	const text = `[{"network_signature":"((","name":"Bad \u202e"},{"network_signature":"(("},{"name":"Kit","network_signature":"kit\\.example"}]`
	l, err := Read("trackers.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	const problem = `expected a regular expression in the syntax of RE2, found "(("`
	if got, want := strings.Join(l.Notes, "; "), `1:23: tracker "Bad \u202e": `+problem+`; 1:70: tracker "": `+problem; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestWebPagesAreNoLists: what a browser saves of a page that shows a list has lines that
// look like those of a list.
func TestWebPagesAreNoLists(t *testing.T) {
	const page = "\nads.example.com\n0.0.0.0 stats.example.com\n||track.example.com^\n"
	for _, start := range []string{
		"<html>", "<HTML lang=en>", "<html", "<!DOCTYPE html>", "<!doctype HTML PUBLIC \"x\">", "\xef\xbb\xbf \r\n\t<!DOCTYPE html>",
		"<!-- saved from -->\n<!-- <html --><html>", "<?xml version=\"1.0\"?>\n<!DOCTYPE html>", "# a remark\n! another\n\n<html>",
	} {
		l, err := Read("list", []byte(start+page))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %+v, %v", start, l, err)
			continue
		}
		if e.Message != "expected a list, found a web page" || !strings.Contains(e.Hint(), "raw") {
			t.Errorf("%q: %v (%s)", start, e, e.Hint())
		}
		if line := strings.Count(start, "\n") + 1; e.Line != line {
			t.Errorf("%q: %v, want line %d", start, e, line)
		}
	}
	for _, start := range []string{"<htmlx>", "<!-- a list -->", "<!-- <html>", "ads.example.net\n<html>", "##html", "||html.example^", "<!DOCTYPE plist>"} {
		if l, err := Read("list", []byte(start+page)); err != nil || l.Rules < 3 {
			t.Errorf("%q: %+v, %v", start, l, err)
		}
	}
}

func TestReadErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "list:1:1: no usable rule: the list is empty"},
		{"# only remarks\n", "list:1:1: no usable rule: the list is empty"},
		{"! x\nexample.com##.ad\n", "list:1:1: no usable rule: all 1 rules are about web pages"},
		{"hello world\n", `list:1:1: expected an address and host names, a domain or an Adblock filter, found "hello"`},
		{"\n\n  ads.example.com trailing\n", `list:3:19: expected an address and host names, a domain or an Adblock filter, found "trailing"`},
		{"0.0.0.0 \u202eevil\n", `list:1:9: expected a host name, found "\u202eevil"`},
		{"a\x00b", "list:1:2: expected text, found a NUL byte"},
		{"{", "list:1:2: expected more JSON, found the end of the file"},
		{"{}", `list:1:1: expected the key "categories" (Disconnect) or "trackers" (Exodus), found neither`},
		{`{"categories": []}`, `list:1:16: expected an object with categories, found "["`},
		{"{\"categories\": {\n\"Social\": [7]}}", `list:2:12: expected a company, found "7"`},
		{"{\"categories\": {\n\"Social\": [{\"A\": {\"https://a\": [null]}}]}}", `list:2:33: expected a domain, found "<nil>"`},
		{`{"categories": {}}`, "list:1:1: no usable rule: the list is empty"},
		{`{"trackers": 1}`, `list:1:14: expected an object or an array of trackers, found "1"`},
		{`[{"name": "a", "network_signature": "a\\.example"`, "list:1:50: expected more JSON, found the end of the file"},
		{"{\n\"a\": x}", "list:2:6: expected JSON: invalid character 'x' looking for beginning of value"},
		{strings.Repeat("\n", 5_000_000), "list:1:1: no usable rule: the list is empty"},
		{`[{"name": "a", "network_signature": "(a{90}){90}{90}\\.example"}]`, `list:1:37: tracker "a": expected a regular expression of names, found one that counts: "(a{90}){90}{90}\\.example"`},
		{`[{"name": "a", "network_signature": "a{1,500}\\.example"}]`, `list:1:37: tracker "a": expected a regular expression of names, found one that counts: "a{1,500}\\.example"`},
		{`[{"name": "a", "network_signature": "` + strings.Repeat("a", 1001) + `"}]`, "list:1:37: tracker \"a\": expected a regular expression of at most 1000 bytes, found one of 1001"},
		{"||*^\n", "list:1:1: no usable rule: all 1 rules are about web pages"},
		{"  @@||é ex^\n", `list:1:7: expected a host name, found "\u00e9 ex"`},
		{"||ex ample^\n", `list:1:3: expected a host name, found "ex ample"`},
	} {
		l, err := Read("list", []byte(tt.text))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q: %+v, %v\nwant %s", tt.text, l, err, tt.want)
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Hint() == "" {
			t.Errorf("%q: no hint", tt.text)
		}
	}
}

// TestCategoriesAreTheCatalogues: a category that deny cannot name would be of no use.
func TestCategoriesAreTheCatalogues(t *testing.T) {
	for _, m := range []map[string]string{disconnectCategories, exodusCategories} {
		for theirs, ours := range m {
			if c, ok := catalog.FindCategory(ours); !ok || !c.Tracking {
				t.Errorf("%s is %s, which the catalogue has not as one that tracks", theirs, ours)
			}
		}
	}
}

func TestMatchPath(t *testing.T) {
	for _, tt := range []struct {
		pattern, path string
		want          bool
	}{
		{"/ads/*", "/ads/x", true}, {"/ads/*", "/Ads/", true}, {"/ads/*", "/ad", false}, {"/ads^*", "/ads", true}, {"/ads^*", "/ads/x", true},
		{"/ads^*", "/adsx", false}, {"/a*b", "/axxb", true}, {"/a*b", "/axxbc", false}, {"/x", "/x", true}, {"/x", "/", false}, {"*", "", true},
		{"*a*a*a*a*b", strings.Repeat("a", 2000), false},
	} {
		if matchPath(tt.pattern, tt.path) != tt.want {
			t.Errorf("matchPath(%q, %.20q) = %v", tt.pattern, tt.path, !tt.want)
		}
	}
}

// manyHosts is a list as long as the long ones are.
func manyHosts(n int, format string) []byte {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i, i%1000)
	}
	return []byte(b.String())
}

func BenchmarkRead(b *testing.B) {
	for name, format := range map[string]string{"hosts": "0.0.0.0 track%d.ads%d.example\n", "adblock": "||track%d.ads%d.example^$third-party\n"} {
		data := manyHosts(100_000, format)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if l, err := Read("big", data); err != nil || l.Rules != 100_000 {
					b.Fatal(l, err)
				}
			}
		})
	}
}

func BenchmarkFind(b *testing.B) {
	l, err := Read("big", manyHosts(100_000, "||track%d.ads%d.example^\n"))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("listed", func(b *testing.B) {
		for b.Loop() {
			l.Find("a.track77.ads77.example", "/x")
		}
	})
	b.Run("not listed", func(b *testing.B) {
		for b.Loop() {
			l.Find("retrieval.covid-notification.alpha.canada.ca", "/x")
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, text := range []string{hostsText, domainText, adblockText, disconnectText, exodusText, `[{"name":"Kit","network_signature":"kit\\.example"}]`, "||a^b.example.com/*^x|$script\n@@||a.example^\n"} {
		f.Add([]byte(text), "ads.example.com", "/x")
	}
	f.Fuzz(func(t *testing.T, data []byte, host, path string) {
		l, err := Read("list", data)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Message == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		if l.Rules < 1 || l.Format == "" {
			t.Fatalf("%+v", l)
		}
		e, ok := l.Find(host, path)
		if ok && (e.Line < 1 || e.Text == "") {
			t.Fatalf("%q: %+v", host, e)
		}
		if unknown, _ := l.Find(host, ""); unknown != e && !l.ByPath(host) {
			t.Fatalf("%q depends on the path %q, which ByPath denies: %+v, %+v", host, path, e, unknown)
		}
	})
}
