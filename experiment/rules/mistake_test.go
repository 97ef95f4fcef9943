package rules

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files that tests compare with")

// bad are files with mistakes. What is said of each is in testdata/mistakes.txt.
var bad = []struct{ name, text string }{
	{"nothing", ""},
	{"blanks", " \n\t\n"},
	{"a byte order mark", "\xef\xbb\xbf{}"},
	{"no UTF-8", "{\"noop.Modifier\": {\"name\": \"a\xffb\"}}"},
	{"a syntax error", "{\n  \"fifo.Group\": {\n    \"modifiers\": [,]\n  }\n}"},
	{"a comma too much", "{\"noop.Modifier\": {\"name\": \"x\",}}"},
	{"a comment", "{\n  // why\n  \"noop.Modifier\": {}\n}"},
	{"cut off", "{\"fifo.Group\": {\"modifiers\": ["},
	{"trailing text", "{\"noop.Modifier\": {}}\n{}"},
	{"half a pair", `{"noop.Modifier": {"name": "\ud83d"}}`},
	{"no object", `[1]`},
	{"null", `null`},
	{"an empty object", `{}`},
	{"two modifiers", `{"noop.Modifier": {}, "fifo.Group": {"modifiers": []}}`},
	{"a name twice", "{\"header.Modifier\": {\"name\": \"A\",\n \"value\": \"1\",\n \"value\": \"2\"}}"},
	{"a modifier twice", `{"noop.Modifier": {}, "noop.Modifier": {}}`},
	{"an unknown modifier", `{"header.Modifer": {}}`},
	{"another case", `{"Header.modifier": {}}`},
	{"nothing near", `{"teapot": {}}`},
	{"refused", `{"fifo.Group": {"modifiers": [{"skip.RoundTrip": {}}, {"static.Modifier": {"rootPath": "/"}}, {"log.Logger": {}}, {"url.Verifier": {}}]}}`},
	{"no fields", `{"header.Modifier": "User-Agent"}`},
	{"a misspelt field", `{"header.Modifier": {"name": "A", "value": "1", "scop": ["request"]}}`},
	{"a field in another case", `{"status.Modifier": {"statuscode": 503}}`},
	{"a field of another", `{"header.RegexFilter": {"name": "A", "regex": "b", "modifier": {"noop.Modifier": {}}}}`},
	{"else where there is none", `{"port.Filter": {"port": 80, "modifier": {"noop.Modifier": {}}, "else": {"noop.Modifier": {}}}}`},
	{"a status as text", `{"status.Modifier": {"statusCode": "503"}}`},
	{"no status", `{"fifo.Group": {"modifiers": [{"status.Modifier": {"statusCode": 99}}, {"status.Modifier": {"statusCode": 101}}, {"status.Modifier": {"statusCode": 600}}, {"status.Modifier": {"statusCode": 200.5}}, {"status.Modifier": {"statusCode": 2e2}}]}}`},
	{"null as a value", `{"header.Modifier": {"name": "A", "value": null, "scope": null}}`},
	{"no header", `{"header.Modifier": {"value": "1"}}`},
	{"headers that cannot be", `{"fifo.Group": {"modifiers": [{"header.Modifier": {"name": "", "value": ""}}, {"header.Modifier": {"name": "A B", "value": ""}}, {"header.Modifier": {"name": "A", "value": "1\r\nB: 2"}}]}}`},
	{"headers that frame", `{"fifo.Group": {"modifiers": [{"header.Modifier": {"name": "host", "value": "a"}}, {"header.Append": {"name": "Transfer-Encoding", "value": "chunked"}}, {"header.Blacklist": {"names": ["X", "content-length"]}}, {"header.Copy": {"from": "A", "to": "Connection"}}]}}`},
	{"a list of headers", `{"fifo.Group": {"modifiers": [{"header.Blacklist": {"names": []}}, {"header.Blacklist": {"names": "A"}}, {"header.Blacklist": {"names": [1]}}, {"header.Blacklist": {"names": ["A", "a"]}}, {"header.Blacklist": {}}]}}`},
	{"no base64", `{"body.Modifier": {"contentType": "text/plain", "body": "hello!"}}`},
	{"no media type", `{"fifo.Group": {"modifiers": [{"body.Modifier": {"body": "aGk="}}, {"body.Modifier": {"body": "aGk=", "contentType": "json"}}, {"body.Modifier": {"body": "aGk=", "contentType": ""}}, {"body.Modifier": {"body": "aGk=", "contentType": "text/plain\r\nA: b"}}]}}`},
	{"no expression", `{"url.RegexFilter": {"regex": "a[", "modifier": {"noop.Modifier": {}}}}`},
	{"a hostile expression", "{\"url.RegexFilter\": {\"regex\": \"(\\u001b[2J\", \"modifier\": {\"noop.Modifier\": {}}}}"},
	{"an empty expression", `{"url.RegexFilter": {"regex": "", "modifier": {"noop.Modifier": {}}}}`},
	{"scopes", `{"fifo.Group": {"modifiers": [{"noop.Modifier": {"scope": "request"}}, {"noop.Modifier": {"scope": []}}, {"noop.Modifier": {"scope": ["result"]}}, {"noop.Modifier": {"scope": ["requests", 1, "request", "request"]}}, {"status.Modifier": {"statusCode": 200, "scope": ["request"]}}, {"url.Modifier": {"path": "/", "scope": ["request", "response"]}}]}}`},
	{"empty groups", `{"fifo.Group": {"modifiers": [{"fifo.Group": {"modifiers": []}}, {"fifo.Group": {}}, {"priority.Group": {"modifiers": []}}, {"fifo.Group": {"modifiers": {}}}]}}`},
	{"priorities", `{"priority.Group": {"modifiers": [{"modifier": {"noop.Modifier": {}}}, {"priority": 1}, {"priority": "1", "modifier": {"noop.Modifier": {}}}, {"priority": 1.5, "modifier": {}}, {"noop.Modifier": {}}, 1]}}`},
	{"filters without a modifier", `{"fifo.Group": {"modifiers": [{"url.Filter": {"host": "a"}}, {"url.Filter": {"modifier": {}}}, {"url.Filter": {"modifier": []}}, {"method.Filter": {"modifier": {"noop.Modifier": {}}}}]}}`},
	{"hosts", `{"fifo.Group": {"modifiers": [{"url.Filter": {"host": "https://a.example", "modifier": {"noop.Modifier": {}}}}, {"url.Filter": {"host": "", "modifier": {"noop.Modifier": {}}}}, {"url.Filter": {"host": "*a.example", "modifier": {"noop.Modifier": {}}}}, {"url.Filter": {"host": "bücher.example", "modifier": {"noop.Modifier": {}}}}, {"url.Filter": {"host": "a.example:0", "modifier": {"noop.Modifier": {}}}}, {"url.Filter": {"host": "a.example/b", "modifier": {"noop.Modifier": {}}}}, {"url.Filter": {"scheme": "HTTPS", "path": "a", "query": "?a", "modifier": {"noop.Modifier": {}}}}]}}`},
	{"a URL", `{"fifo.Group": {"modifiers": [{"url.Modifier": {}}, {"url.Modifier": {"host": "https://b.example", "scheme": "ftp"}}, {"url.Modifier": {"host": "*.example"}}, {"url.Modifier": {"path": "/a?b"}}, {"url.Modifier": {"query": "a b"}}]}}`},
	{"ports", `{"fifo.Group": {"modifiers": [{"port.Filter": {"port": 0, "modifier": {"noop.Modifier": {}}}}, {"port.Filter": {"port": "80", "modifier": {"noop.Modifier": {}}}}, {"port.Modifier": {"port": 80}}]}}`},
	{"blanks around a value", `{"header.Modifier": {"name": "A", "value": " 1"}}`},
	{"a time long ago", `{"cookie.Modifier": {"name": "a", "value": "", "expires": "1500-01-01T00:00:00Z"}}`},
	{"cookies", `{"fifo.Group": {"modifiers": [{"cookie.Modifier": {"value": "a"}}, {"cookie.Modifier": {"name": "a b", "value": ""}}, {"cookie.Modifier": {"name": "a", "value": "b;c"}}, {"cookie.Modifier": {"name": "a", "value": "", "expires": "tomorrow", "maxAge": "1", "secure": "yes", "domain": "*.example", "path": "x"}}, {"cookie.Filter": {"name": "a", "value": "", "modifier": {"noop.Modifier": {}}}}]}}`},
	{"too deep", strings.Repeat(`{"fifo.Group": {"modifiers": [`, 30) + `{"noop.Modifier": {}}` + strings.Repeat(`]}}`, 30)},
	{"many mistakes", `{"fifo.Group": {"modifiers": [` + strings.Repeat("\n{\"x\": {}},", 30) + `{"y": {}}]}}`},
	{"a long name", `{"` + strings.Repeat("x", 5000) + `": {}}`},
	{"a hostile name", "{\"\\u001b[2Jheader\": {}}"},
}

func TestMistakes(t *testing.T) {
	var b strings.Builder
	for _, tt := range bad {
		r, err := Parse("some/rules.json", []byte(tt.text))
		if err == nil || r != nil {
			t.Errorf("%s: was accepted", tt.name)
			continue
		}
		fmt.Fprintf(&b, "# %s\n%s\n\n", tt.name, err)
	}
	const golden = "testdata/mistakes.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("other messages than in %s (go test -update writes it):\n%s", golden, b.String())
	}
	for i, c := range b.String() {
		if c < ' ' && c != '\n' {
			t.Fatalf("a control character at %d", i)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	if _, err := Read(t.TempDir() + "/none.json"); err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("%v", err)
	}
	big := t.TempDir() + "/big.json"
	if err := os.WriteFile(big, make([]byte, maxFile+100), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(big); err == nil || !strings.Contains(err.Error(), "expected at most") {
		t.Errorf("%v", err)
	}
}

func TestWarnings(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"none":             {`{"header.Modifier": {"name": "A", "value": "1"}}`, ""},
		"scopes in vain":   {`{"url.Filter": {"host": "a.example", "scope": ["request"], "modifier": {"status.Modifier": {"statusCode": 503}}}}`, `r.json:1:73: status.Modifier never does anything: it is for answers, and what is around it is not`},
		"another host":     {`{"url.Filter": {"host": "a.example", "modifier": {"url.Filter": {"host": "b.example", "modifier": {"header.Modifier": {"name": "A", "value": "1"}}}}}}`, `r.json:1:51: url.Filter never matches: a filter around it wants another host`},
		"the same host":    {`{"url.Filter": {"host": "a.example", "modifier": {"url.Filter": {"host": "A.example", "path": "/", "modifier": {"header.Modifier": {"name": "A", "value": "1"}}}}}}`, ""},
		"the other branch": {`{"method.Filter": {"method": "GET", "modifier": {"header.Modifier": {"name": "A", "value": "1"}}, "else": {"method.Filter": {"method": "POST", "modifier": {"header.Modifier": {"name": "A", "value": "1"}}}}}}`, ""},
		"any URL":          {`{"url.Filter": {"modifier": {"header.Modifier": {"name": "A", "value": "1"}}}}`, `r.json:1:2: url.Filter matches every request: it has no scheme, host, path or query`},
		"a method":         {`{"method.Filter": {"method": "PSOT", "modifier": {"header.Modifier": {"name": "A", "value": "1"}}}}`, `r.json:1:30: "PSOT" is no method that apps use; did you mean "POST"?`},
		"noop":             {`{"noop.Modifier": {}}`, `r.json:1:2: noop.Modifier does nothing`},
		"both contents":    {`{"body.Modifier": {"contentType": "a/b", "body": ""}}`, `r.json:1:2: body.Modifier replaces the content of requests as well; "scope": ["response"] is for answers alone`},
		"a status":         {`{"status.Modifier": {"statusCode": 304}}`, `r.json:1:36: a client that did not ask for it may take an answer of 304 for broken`},
		"a star":           {`{"url.Filter": {"path": "/a/*", "modifier": {"header.Modifier": {"name": "A", "value": "1"}}}}`, `r.json:1:25: a star in a path stands for itself; url.RegexFilter has expressions`},
		"another server":   {`{"url.Modifier": {"host": "b.example", "scheme": "https"}}`, "r.json:1:27: requests go to b.example with all that they carry, cookies and tokens too"},
		"in the clear":     {`{"url.Modifier": {"scheme": "http"}}`, "r.json:1:29: requests that the client encrypts leave in the clear"},
		"an altered URL":   {`{"url.Filter": {"path": "/a", "modifier": {"fifo.Group": {"modifiers": [{"url.Modifier": {"path": "/b"}}, {"status.Modifier": {"statusCode": 500}}]}}}}`, "r.json:1:2: url.Filter looks at the request that was sent, whose path is altered here: what is for answers here may never be done"},
		"another part":     {`{"url.Filter": {"host": "a", "modifier": {"fifo.Group": {"modifiers": [{"url.Modifier": {"path": "/b"}}, {"status.Modifier": {"statusCode": 500}}]}}}}`, ""},
		"no answers":       {`{"url.Filter": {"path": "/a", "modifier": {"url.Modifier": {"path": "/b"}}}}`, ""},
		"an altered query": {`{"url.RegexFilter": {"regex": "a", "modifier": {"fifo.Group": {"modifiers": [{"querystring.Modifier": {"name": "a", "value": "/b"}}, {"status.Modifier": {"statusCode": 500}}]}}}}`, "r.json:1:2: url.RegexFilter looks at the request that was sent, whose query is altered here: what is for answers here may never be done"},
		"a header removed": {`{"header.RegexFilter": {"header": "a", "regex": "a", "modifier": {"fifo.Group": {"modifiers": [{"header.Blacklist": {"names": ["B", "A"]}}, {"status.Modifier": {"statusCode": 500}}]}}}}`, "r.json:1:2: header.RegexFilter looks at the request that was sent, whose header A is altered here: what is for answers here may never be done"},
		"an escape":        {`{"url.Filter": {"path": "/a%20b", "modifier": {"header.Modifier": {"name": "A", "value": "1"}}}}`, `r.json:1:25: the path is compared when it is no longer escaped; % stands for itself`},
		"one priority":     {`{"priority.Group": {"modifiers": [{"priority": 1, "modifier": {"header.Modifier": {"name": "A", "value": "1"}}}, {"priority": 1, "modifier": {"header.Modifier": {"name": "A", "value": "2"}}}]}}`, `r.json:1:127: two modifiers have the priority 1: the later one in the file is done first`},
	} {
		r, err := Parse("r.json", []byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(r.Warnings(), "\n"); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, tt.want)
		}
	}
}
