package guard

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the name that our own import paths start with.
const module = "telltale/"

// everything stands for "may import every package of the program".
const everything = "*"

// places is the map of the tree: each package and which of ours it may import.
// Arrows point down only (docs/architecture.md); if this table stops you, the
// design is talking.
var places = map[string][]string{
	// 0: plain facts.
	"flow":          {},
	"flow/content":  {"flow"},
	"flow/flowtest": {"flow", "flow/content"},
	"flow/plain":    {},
	"flow/pretty":   {"flow", "flow/content", "flow/plain"},
	"flow/unwrap":   {"flow", "flow/content"},
	"useragent":     {"flow/plain"},
	"coverage":      {},
	"cadence":       {},
	"plist":         {"plist/elements"},

	"plist/elements": {},

	// What is on the wire, as bytes.
	"wire/clienthello": {"flow"},
	"wire/dns":         {"flow"},
	"wire/quic":        {"flow", "wire/clienthello"},

	// 1: judgement and format; keys and app bundles.
	"policy/catalog": {"flow"},
	"policy/lists":   {"flow", "flow/plain", "policy/catalog"},
	"policy/needle":  {},
	"declarations":   {"flow", "flow/plain", "plist", "plist/elements"},
	"exposure":       {"flow", "flow/plain", "flow/unwrap", "useragent"},
	"policy":         {"flow", "flow/content", "flow/plain", "flow/unwrap", "policy/catalog", "policy/lists", "policy/needle", "exposure", "declarations"},
	"har":            {"flow", "flow/content"},
	"mitmproxy":      {"flow"},
	"contacts":       {"flow", "wire/clienthello", "wire/dns", "wire/quic"},
	"attribution":    {"flow", "flow/plain", "useragent"},
	"diagnosis":      {"flow", "flow/plain", "useragent"},
	"ca":             {},

	// Where in an app a host comes from.
	"locate/reading":   {},
	"locate/app":       {"locate/reading", "flow/plain"},
	"locate/dex":       {"locate/reading"},
	"locate/hermes":    {"locate/reading"},
	"locate/script":    {"locate/reading"},
	"locate/native":    {"locate/reading"},
	"locate/resources": {"locate/reading", "plist"},
	"locate/hosts":     {"flow", "policy/catalog"},
	"locate/inventory": {"plist"},
	"locate/library":   {"locate/reading", "locate/inventory", "policy/catalog"},
	"locate":           {"flow", "flow/plain", "policy/needle", "declarations", "locate/reading", "locate/app", "locate/dex", "locate/hermes", "locate/script", "locate/native", "locate/resources", "locate/hosts", "locate/inventory", "locate/library"},

	// Telling people and programs.
	"token":            {},
	"event":            {"policy"},
	"actions":          {"event", "policy", "flow/plain"},
	"notify":           {"event", "policy", "flow/plain"},
	"notify/transport": {"notify", "policy", "flow/plain"},
	"notify/outbox":    {"notify", "flow/plain"},
	"notify/delivery":  {"event", "notify", "notify/outbox", "notify/transport", "policy", "flow/plain"},

	// What is handed over, and what is left behind.
	"evidence": {"flow/plain", "capture"},
	"exports":  {},
	"redact":   {"flow", "flow/content", "flow/plain", "flow/unwrap", "exposure", "policy", "capture"},

	// 2: the store.
	"capture":        {"flow", "flow/content", "flow/plain", "useragent", "policy", "diagnosis", "attribution", "coverage", "cadence", "exposure"},
	"capture/filter": {"exposure", "flow", "flow/content", "policy"},
	"compare":        {"flow", "policy", "capture"},
	"consequence":    {"flow", "cadence", "policy", "capture"},

	// 3: the edges, which never see each other.
	"proxy":           {"flow", "coverage", "wire/clienthello", "wire/dns", "wire/quic"},
	"proxy/wireguard": {"coverage", "flow", "proxy"},
	"tui":             {"flow", "flow/content", "flow/plain", "flow/pretty", "policy", "capture", "capture/filter", "diagnosis", "attribution", "coverage", "cadence", "exposure", "policy/catalog", "locate", "locate/library", "tui/quiet"},
	"tui/quiet":       {},
	"tui/tmux":        {},
	"reports":         {"flow", "flow/content", "flow/plain", "flow/pretty", "policy", "policy/catalog", "policy/lists", "declarations", "capture", "compare", "consequence", "diagnosis", "attribution", "coverage", "cadence", "exposure", "har", "locate", "locate/library", "locate/reading"},
	"intake":          {"flow", "flow/plain", "har", "mitmproxy", "contacts", "capture", "coverage", "exposure"},
	"feed":            {},
	"setup":           {"flow", "flow/plain", "useragent", "diagnosis", "ca"},
	"setup/drive":     {"flow/plain"},
	"setup/android":   {"flow/plain", "setup/drive"},
	"setup/simulator": {"flow/plain", "setup/drive"},
	"setup/hotspot":   {"flow/plain", "setup/drive"},
	"setup/standin":   {"setup/android", "setup/drive"},

	// What is done to traffic on purpose: decisions that proxy carries out.
	"experiment":       {"flow", "flow/plain", "policy", "policy/catalog", "proxy", "experiment/rules"},
	"experiment/rules": {"flow/plain", "policy", "proxy"},
	"experiment/link":  {},
	"playback":         {"flow", "flow/content", "flow/plain", "capture", "policy", "proxy"},
	"resend":           {"flow", "flow/content", "flow/plain", "capture", "policy"},

	// 4: wires everything.
	"cmd":          {everything},
	"cmd/telltale": {"cmd"},

	// Beside the program.
	"bench":          {"proxy/wireguard/phone"},
	"bench/profiled": {"cmd"},
	"docs/picture":   {},
	"docs/screens":   {"ca", "tui/tmux"},
	"guard":          {},
	"guard/raced":    {},

	"proxy/wireguard/phone": {},
}

// testOnly lists our packages that are no part of the program: they exist for tests,
// measurements and pictures, and for each other.
var testOnly = []string{"flow/flowtest", "guard", "guard/raced", "bench", "bench/profiled", "docs/picture", "docs/screens", "tui/tmux", "setup/standin", "proxy/wireguard/phone"}

// homes lists the outside libraries and the packages that may import them, so
// that each can be replaced in one place. docs/decisions/0001-dependencies.md
// has the reason for each. Tests may use any.
var homes = map[string][]string{
	"github.com/muesli/termenv":                     {"tui"},
	"github.com/charmbracelet/x/ansi":               {"tui", "docs/picture"},
	"github.com/charmbracelet/lipgloss":             {"tui"},
	"github.com/charmbracelet/bubbletea":            {"tui"},
	"github.com/charmbracelet/bubbles":              {"tui"},
	"github.com/aymanbagabas/go-osc52/v2":           {"tui"},
	"github.com/atotto/clipboard":                   {"tui"},
	"github.com/adrg/xdg":                           {"cmd"},
	"github.com/andybalholm/brotli":                 {"flow/content"},
	"github.com/elazarl/goproxy":                    {"proxy"},
	"github.com/expr-lang/expr":                     {"capture/filter"},
	"github.com/go-json-experiment/json":            {"har"},
	"github.com/goccy/go-yaml":                      {"policy", "policy/catalog", "locate/library"},
	"github.com/google/martian/v3":                  {"experiment/link", "experiment/rules"},
	"github.com/cenkalti/backoff/v5":                {"notify/delivery"},
	"github.com/coder/websocket":                    {"feed"},
	"github.com/golang-jwt/jwt/v5":                  {"token"},
	"github.com/miekg/dns":                          {"wire/dns"},
	"github.com/wneessen/go-mail":                   {"notify/transport"},
	"github.com/zalando/go-keyring":                 {"cmd"},
	"github.com/quic-go/quic-go":                    {"proxy"},
	"golang.zx2c4.com/wireguard":                    {"proxy/wireguard", "proxy/wireguard/phone"},
	"gvisor.dev/gvisor":                             {"proxy/wireguard"},
	"github.com/invopop/jsonschema":                 {"policy"},
	"github.com/klauspost/compress":                 {"flow/content", "capture", "locate/app"},
	"github.com/spf13/cobra":                        {"cmd"},
	"github.com/spf13/pflag":                        {"cmd"},
	"github.com/youmark/pkcs8":                      {"ca"},
	"golang.org/x/image/webp":                       {"flow/pretty"},
	"golang.org/x/text":                             {"flow/pretty", "policy"},
	"google.golang.org/protobuf/encoding/protowire": {"flow/pretty", "flow/unwrap", "locate/resources"},
	"golang.org/x/net/http/httpguts":                {"proxy"},
	"golang.org/x/net/http2":                        {"bench"},
	"golang.org/x/net/idna":                         {"flow", "policy"},
	"golang.org/x/net/proxy":                        {"proxy"},
	"golang.org/x/net/publicsuffix":                 {"exposure", "locate/hosts", "policy"},
	"golang.org/x/sync":                             {"ca"},
	"golang.org/x/sys":                              {"actions", "ca", "capture", "exports", "proxy", "proxy/wireguard", "wire/dns"},
	"golang.org/x/term":                             {"cmd"},
	"howett.net/plist":                              {"setup"},
	"modernc.org/sqlite":                            {"capture", "notify/outbox"},
	"rsc.io/qr":                                     {"setup"},
	"software.sslmate.com/src/go-pkcs12":            {"ca"},
}

// imported calls visit for every import of the files that keep accepts.
func imported(t testing.TB, tree fs.FS, keep func(string) bool, visit func(file, from, path string)) {
	t.Helper()
	for _, name := range files(t, tree, keep) {
		_, file := parse(t, tree, name)
		for _, spec := range file.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			visit(name, folder(name), target)
		}
	}
}

// unplaced complains about packages without a row in places.
func unplaced(t testing.TB, tree fs.FS) []string {
	var complaints []string
	seen := map[string]bool{}
	for _, name := range files(t, tree, isGo) {
		from := folder(name)
		if _, ok := places[from]; ok || seen[from] {
			continue
		}
		seen[from] = true
		complaints = append(complaints, fmt.Sprintf("package %s has no place: decide what it may import and add it to places in guard/imports_test.go", from))
	}
	return complaints
}

// upward complains about imports of ours that the table does not have.
func upward(t testing.TB, tree fs.FS) []string {
	var complaints []string
	imported(t, tree, isProduct, func(file, from, target string) {
		to, ours := strings.CutPrefix(target, module)
		if !ours {
			return
		}
		may := places[from]
		switch {
		case slices.Contains(testOnly, to) && !slices.Contains(testOnly, from):
			complaints = append(complaints, fmt.Sprintf("%s imports %s, which is for tests", file, to))
		case !slices.Contains(may, to) && !slices.Contains(may, everything):
			complaints = append(complaints, fmt.Sprintf("%s: %s must not import %s (it may import: %s)", file, from, to, list(may)))
		}
	})
	return complaints
}

// strayed complains about outside libraries that are used away from home.
func strayed(t testing.TB, tree fs.FS) []string {
	var complaints []string
	imported(t, tree, isProduct, func(file, from, target string) {
		first, _, _ := strings.Cut(target, "/")
		if !strings.Contains(first, ".") {
			return // the standard library, or ours
		}
		at, ok := home(target)
		switch {
		case !ok:
			complaints = append(complaints, fmt.Sprintf("%s imports %s, a library without a home: add it to homes in guard/imports_test.go and to docs/decisions/0001-dependencies.md", file, target))
		case !slices.Contains(at, from):
			complaints = append(complaints, fmt.Sprintf("%s: %s is at home in %s, not in %s", file, target, list(at), from))
		}
	})
	return complaints
}

// home returns the packages that may import target.
func home(target string) (at []string, ok bool) {
	for library, packages := range homes {
		if target == library || strings.HasPrefix(target, library+"/") {
			return packages, true
		}
	}
	return nil, false
}

// list joins names for a message.
func list(names []string) string {
	if len(names) == 0 {
		return "nothing of ours"
	}
	return strings.Join(names, ", ")
}

func TestEveryPackageHasAPlace(t *testing.T) { hold(t, unplaced) }
func TestImportsPointDown(t *testing.T)      { hold(t, upward) }
func TestLibrariesStayAtHome(t *testing.T)   { hold(t, strayed) }

func TestImportRulesCatch(t *testing.T) {
	catches(t, unplaced, map[string]string{
		"flow/flow.go":           "package flow",
		"gadget/a.go":            "package gadget",
		"gadget/b_test.go":       "package gadget",
		"gadget/testdata/app.go": "package app",
	}, "package gadget has no place: decide what it may import and add it to places in guard/imports_test.go")

	catches(t, upward, map[string]string{
		"flow/flow.go":        `package flow; import "telltale/capture"`,
		"flow/flow_test.go":   `package flow; import "telltale/capture"`,
		"proxy/proxy.go":      `package proxy; import ("net/http"; "telltale/flow"; "telltale/policy")`,
		"cmd/record.go":       `package cmd; import ("telltale/proxy"; "telltale/reports")`,
		"cmd/check.go":        `package cmd; import "telltale/flow/flowtest"`,
		"cmd/telltale/run.go": `package main; import "telltale/flow"`,
	},
		"flow/flow.go: flow must not import capture (it may import: nothing of ours)",
		"proxy/proxy.go: proxy must not import policy (it may import: flow, coverage, wire/clienthello, wire/dns, wire/quic)",
		"cmd/check.go imports flow/flowtest, which is for tests",
		"cmd/telltale/run.go: cmd/telltale must not import flow (it may import: cmd)",
	)

	catches(t, strayed, map[string]string{
		"proxy/proxy.go":     `package proxy; import ("fmt"; "github.com/elazarl/goproxy")`,
		"har/har.go":         `package har; import "github.com/google/martian/v3/har"`,
		"flow/flow.go":       `package flow; import "modernc.org/sqlite"`,
		"flow/flow_test.go":  `package flow; import "modernc.org/sqlite"`,
		"cmd/root.go":        `package cmd; import ("github.com/spf13/cobra/doc"; "example.com/gadget")`,
		"cmd/completion.go":  `package cmd; import "github.com/spf13/cobraesque"`,
		"cmd/root_darwin.go": `package cmd; import "github.com/elazarl/goproxy"`,
	},
		"har/har.go: github.com/google/martian/v3/har is at home in experiment/link, experiment/rules, not in har",
		"flow/flow.go: modernc.org/sqlite is at home in capture, notify/outbox, not in flow",
		"cmd/root.go imports example.com/gadget, a library without a home: add it to homes in guard/imports_test.go and to docs/decisions/0001-dependencies.md",
		"cmd/completion.go imports github.com/spf13/cobraesque, a library without a home: add it to homes in guard/imports_test.go and to docs/decisions/0001-dependencies.md",
		"cmd/root_darwin.go: github.com/elazarl/goproxy is at home in proxy, not in cmd",
	)
}

// TestPlacesHaveNoCycle keeps the table itself honest: a cycle in it would allow
// what the compiler forbids, and a row may only name packages that have one.
func TestPlacesHaveNoCycle(t *testing.T) {
	for name := range places {
		for _, below := range reach(name, map[string]bool{}) {
			if below == name {
				t.Errorf("%s may import itself by way of the others", name)
			}
			if _, ok := places[below]; !ok && below != everything {
				t.Errorf("%s may import %s, which has no row", name, below)
			}
		}
	}
}

// reach returns every package that name may depend on.
func reach(name string, seen map[string]bool) []string {
	var below []string
	for _, next := range places[name] {
		if seen[next] {
			continue
		}
		seen[next] = true
		below = append(append(below, next), reach(next, seen)...)
	}
	return below
}
