package reports

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"telltale/locate"
	"telltale/policy"
)

// Secrets of these tests are made of letters of which nothing else has eight in a row.
const secretLetters = "QZXJK79"

var secretRun = regexp.MustCompile("[" + secretLetters + "]{8}")

// neverSent are values that a policy lists.
var neverSent = []string{"XQ7ZJK9XQQ7ZZK9J", strings.Repeat("J9KQZ7XX", 60)}

// kindsOfSecrets are statements that have a secret, in each way in which it may be marked as one.
var kindsOfSecrets = []string{
	`f("sk_live_%s");`, `f('AIza%s');`, "f(`ghp_%s`);", `f("xoxb-%s");`, `f("SG.%s");`, `f("eyJ%[1]s.eyJ%[1]s.%[1]s");`, `f("github_pat_%s");`,
	`a={apiKey:"%s"};`, `a={"token": "%s"};`, `clientSecret = '%s';`, `c="{\"password\":\"%s\"}";`, `h='<meta-data key="%s">';`,
	`g("https://q.example/?access_token=%s&v=1");`, `g("https://user:%s@q.example/x");`, `f("never");/* %s */;`,
}

// gapsToSecrets are how far a secret stands from the match: bounds of what is kept and shown among
// them.
var gapsToSecrets = []int{0, 9, 31, 44, 52, 60, 100, 119, 180, 231, 250, 257, 700, 985, 1000, 1017, 1030}

// nearSecrets returns statements with a host each, beside which a secret stands.
func nearSecrets() (hosts, statements []string) {
	random := rand.New(rand.NewPCG(1, 2))
	for i, kind := range kindsOfSecrets {
		for j, gap := range gapsToSecrets {
			value := make([]byte, []int{24, 90, 1500}[(i+j)%3])
			for k := range value {
				value[k] = secretLetters[random.IntN(len(secretLetters))]
			}
			value[0], value[7], value[15] = '7', '9', '7' // a key has a digit
			marked := fmt.Sprintf(kind, value)
			if strings.Contains(kind, "never") {
				marked = fmt.Sprintf(kind, neverSent[j%2])
			}
			filler := fmt.Sprintf("/*%.*s*/", gap, strings.Repeat([]string{"some ' code, ", "a+b"}[gap%2], 400))
			host := fmt.Sprintf("h%d.example", len(hosts))
			match := `u("https://%s/p");`
			hosts = append(hosts, host, "x"+host)
			statements = append(statements, marked+filler+fmt.Sprintf(match, host), fmt.Sprintf(match, "x"+host)+filler+marked)
		}
	}
	return hosts, statements
}

// appsWithSecrets are those statements in files of several kinds, searched and listed.
func appsWithSecrets(t *testing.T) map[string]*locate.Result {
	t.Helper()
	hosts, statements := nearSecrets()
	apart := strings.Repeat("z();", 600)
	out := map[string]*locate.Result{}
	for name, text := range map[string]string{
		"lines.js": strings.Join(statements, "\n"), "minified.js": strings.Join(statements, apart), "raw.bin": strings.Join(statements, apart),
	} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for of, wanted := range map[string]locate.Wanted{name: {Hosts: hosts}, name + ", listed": {}} {
			res, err := locate.Search(context.Background(), []string{file}, wanted, locate.Options{})
			if err != nil || len(res.Leads) < len(hosts) {
				t.Fatalf("%s: %d leads to %d hosts: %v", of, len(res.Leads), len(hosts), err)
			}
			out[of] = res
		}
	}
	return out
}

// TestNoSecretOfAnAppIsShown writes what was found beside secrets of all kinds, near and far, long
// and short, in every format: not eight characters of one in a row may be in it.
func TestNoSecretOfAnAppIsShown(t *testing.T) {
	t.Parallel()
	const atOnce = 18 // hosts of which a document for people tells
	for name, res := range appsWithSecrets(t) {
		found := 0
		for leads := range slices.Chunk(res.Leads, atOnce) {
			some := *res
			some.Leads, some.Wanted.Hosts = leads, nil
			for _, l := range leads {
				some.Wanted.Hosts = append(some.Wanted.Hosts, l.Wanted)
			}
			for format, text := range everyDocument(t, &some, false) {
				if at := secretRun.FindStringIndex(text); at != nil {
					t.Errorf("%s as %s shows %s", name, format, text[max(0, at[0]-120):min(len(text), at[1]+40)])
				}
			}
			if found == 0 && secretRun.MatchString(everyDocument(t, &some, true)["located as json"]) {
				found++
			}
			if t.Failed() {
				break
			}
		}
		if found == 0 {
			t.Errorf("%s: no secret is near enough to be revealed", name)
		}
	}
}

// everyDocument writes what was found in every format, by itself and with an audit.
func everyDocument(t *testing.T, res *locate.Result, reveal bool) map[string]string {
	t.Helper()
	mask := strings.NewReplacer(neverSent[0], "[redacted]", neverSent[1], "[redacted]").Replace
	l := located(res)
	l.Mask, l.Reveal = mask, reveal
	out := map[string]string{}
	for _, format := range LocatedFormats {
		out["located as "+format] = writeLocated(t, l, format)
	}
	if reveal || res.Listed {
		return out
	}
	r := covidAlert()
	r.Origins, r.Mask = res, mask
	first := r.Summary.Violations[0]
	r.Summary.Violations = nil
	for _, host := range res.Wanted.Hosts {
		v := first
		v.ID, v.URL = host, "https://"+host+"/"
		v.Finding = policy.Finding{Rule: policy.HostNotAllowed, Severity: policy.SeverityError, Host: host, Title: "not allowed", Source: v.Finding.Source}
		r.Summary.Violations = append(r.Summary.Violations, v)
	}
	for _, f := range Formats {
		out["audit as "+f.Name] = render(t, f, r)
	}
	return out
}
