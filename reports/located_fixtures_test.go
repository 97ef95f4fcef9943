package reports

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"telltale/capture"
	"telltale/locate"
	container "telltale/locate/app"
	"telltale/locate/hosts"
	"telltale/locate/inventory"
	"telltale/locate/library"
	"telltale/locate/reading"
	"telltale/policy"
)

// locatedCases are what `telltale locate` has to tell.
var locatedCases = map[string]func() *Located{
	"netinfo":    func() *Located { return located(inBundle()) },
	"override":   func() *Located { return located(inFixedBundle()) },
	"obfuscated": func() *Located { return located(inBytecode()) },
	"encrypted":  func() *Located { return located(behindFairPlay()) },
	"forms":      func() *Located { return located(inEveryForm()) },
	"partly":     func() *Located { return located(partly()) },
	"many":       func() *Located { return located(manyLeads()) },
	"listed":     listed,
	"hostile":    func() *Located { return hostileLocated(hostileText) },
	"tree":       func() *Located { return located(inFolder("shop", "source tree", "src/config.js")) },
	"folder": func() *Located {
		return located(inFolder("shop-1.0/", "folder (unpacked APK)", "assets/index.android.bundle"))
	},
	"nothing": func() *Located { return &Located{} },
}

func located(res *locate.Result) *Located {
	return &Located{
		Tool: Tool{"telltale", "1.0.0"}, Generated: epoch, Result: res,
		Command: "telltale locate " + res.Apps[0].Path, Capture: "covid-alert.har",
	}
}

var covidIPA = locate.App{
	Info:     container.Info{Path: "covid-alert.ipa", Kind: "IPA", Size: 31_204_118, Files: 412},
	Identity: reading.Identity{ID: "ca.gc.hcsc.canada.stopcovid", Name: "COVID Alert", Version: "1.0.2", Build: "102"},
	Platform: "iOS",
}

const bundle = "Payload/CovidShield.app/main.jsbundle"

var netinfo = library.Library{
	ID: "netinfo", Name: "@react-native-community/netinfo", What: "React Native's network state",
	Docs: "https://github.com/react-native-netinfo/react-native-netinfo#configure",
	Defaults: []library.Default{{
		URL: "https://clients3.google.com/generate_204", Setting: "reachabilityUrl", File: "src/internal/defaultConfiguration.ts", Line: 12,
		Versions: "5.5.0 to 7.1.11", When: "a HEAD every 60 s while it is reachable, every 5 s while it is not",
	}},
}

// probeOrigin is what the minified bundle alone tells.
func probeOrigin() *library.Origin {
	return &library.Origin{
		Library: &netinfo, Name: netinfo.Name, Ecosystem: inventory.NPM, Version: "5.x", VersionBy: "the shape of its defaults", Confidence: library.Likely,
		Reasons: []string{"the module has the names of its settings: reachabilityUrl, reachabilityTest, reachabilityLongTimeout", "no other library of the catalogue has this default"},
		Default: &netinfo.Defaults[0], Docs: netinfo.Docs,
		Remedy: "Point it at a server of your own, or switch it off, before the first use:\n\n    NetInfo.configure({\n      reachabilityUrl: '',\n    });",
	}
}

// probeLead is the finding of COVID Alert.
func probeLead() locate.Lead {
	return locate.Lead{
		Wanted: probe, File: bundle, Offset: 1_234_567, Form: locate.WholeURL,
		Place: reading.Place{Line: 1, Column: 48_213, Module: &reading.Module{ID: "413"},
			Users: []reading.User{{Name: "fetchReachability"}}},
		Text: "https://clients3.google.com/generate_204",
		Snippet: locate.Snippet{
			Before: `__d(function(g,r,i,a,m,e,d){Object.defineProperty(e,"__esModule",{value:!0}),e.default={reachabilityUrl:"`, Match: "https://clients3.google.com/generate_204",
			After: `",reachabilityTest:function(t){return Promise.resolve(204===t.status)},reachabilityShortTimeout:5e3,reachabilityLongTimeout:6e4}`,
		},
		Mention: hosts.Mention{Host: probe, URL: "https://clients3.google.com/generate_204"}, Origin: probeOrigin(),
	}
}

func inBundle() *locate.Result {
	return &locate.Result{
		Apps: []locate.App{covidIPA}, Wanted: locate.Wanted{Hosts: []string{probe}}, Leads: []locate.Lead{probeLead()},
		Files: 412, Bytes: 78_310_442,
		Kinds:      []locate.Kind{{Name: "React Native bundle (plain)", Files: 1}, {Name: "property list", Files: 38}, {Name: "Mach-O (arm64)", Files: 6}},
		Components: []inventory.Component{{Ecosystem: inventory.Bundled, Name: "com.facebook.hermes", Version: "0.7.2", File: "Payload/CovidShield.app/Frameworks/hermes.framework/Info.plist"}},
	}
}

func inFixedBundle() *locate.Result {
	res := inBundle()
	l := &res.Leads[0]
	l.Place.Source = &reading.Source{File: "../node_modules/@react-native-community/netinfo/src/internal/defaultConfiguration.ts", Line: 12, Column: 19, By: "main.jsbundle.map"}
	l.Origin.Confidence, l.Origin.Version, l.Origin.VersionBy = library.Certain, "5.9.10", "package-lock.json line 812"
	l.Origin.Reasons = []string{"the source map names its file"}
	l.Overrides = []library.Override{{
		Setting: reading.Setting{Name: "reachabilityUrl", Value: "", Known: true, Call: "configure"}, File: bundle, Line: 1, Column: 3_102,
		Stops: true, Says: "the app sets reachabilityUrl to ''",
	}}
	return res
}

func inBytecode() *locate.Result {
	const file = "base.apk!/classes2.dex"
	return &locate.Result{
		Apps:   []locate.App{{Info: container.Info{Path: "shop.xapk", Kind: "split APKs (.xapk)", Size: 88_000_000, Files: 3_204}, Identity: reading.Identity{ID: "com.example.shop", Version: "7.1"}, Platform: "Android"}},
		Wanted: locate.Wanted{Hosts: []string{"connectivitycheck.android.com"}}, Files: 3_204, Bytes: 210_447_001,
		Leads: []locate.Lead{{
			Wanted: "connectivitycheck.android.com", File: file, Offset: 881_204, Form: locate.WholeURL, Text: "https://connectivitycheck.android.com/generate_204",
			Place: reading.Place{Section: "string table", Users: []reading.User{
				{Name: "a.b.c.<clinit>", Package: "a.b", Obfuscated: true, File: "SourceFile", Line: 3}, {Name: "a.b.d.run", Package: "a.b", Obfuscated: true},
			}, More: 2},
			Snippet: locate.Snippet{Before: "generateSalt\x00", Match: "https://connectivitycheck.android.com/generate_204", After: "\x00getAction"},
			Mention: hosts.Mention{Host: "connectivitycheck.android.com", URL: "https://connectivitycheck.android.com/generate_204"},
		}},
		Kinds: []locate.Kind{{Name: "Android bytecode (DEX 039)", Files: 4}, {Name: "binary XML of Android", Files: 412}},
	}
}

func behindFairPlay() *locate.Result {
	res := inBundle()
	res.Leads, res.Wanted.Hosts = nil, []string{"graph.facebook.com"}
	res.Unread = []locate.Unread{{File: "Payload/CovidShield.app/CovidShield", Why: "the code is encrypted (FairPlay), its strings cannot be seen"}}
	res.Failures = []container.Failure{{Path: "covid-alert.ipa: Payload/CovidShield.app/Assets.zip", Err: errors.New("zip: not a valid zip file")}}
	return res
}

// inEveryForm has one lead for each form in which an address may be written.
func inEveryForm() *locate.Result {
	res := inBundle()
	res.Apps = append(res.Apps, locate.App{Info: container.Info{Path: "build/app-release.apk", Kind: "APK", Files: 90}})
	res.Wanted, res.Leads = locate.Wanted{Strings: []string{"generate_204"}}, nil
	for i, form := range []locate.Form{
		locate.WholeURL, locate.BareHost, locate.Verbatim, locate.Split, locate.Neighbours, locate.Percent, locate.Base64, locate.Reversed, locate.UTF16, locate.XOR, locate.Parent,
	} {
		host := fmt.Sprintf("host-%02d.example", i)
		l := locate.Lead{Wanted: host, File: "lib/arm64-v8a/libapp.so", App: 1, Offset: int64(4096 * (i + 1)), Form: form, Text: "https://" + host + "/v1", Place: reading.Place{Section: ".rodata"}}
		l.Snippet = locate.Snippet{Before: "before ", Match: host, After: " after"}
		switch form {
		case locate.Verbatim:
			l.Wanted, l.Text, l.Snippet.Match = "generate_204", "generate_204", "generate_204"
		case locate.Base64:
			l.Snippet = locate.Snippet{Before: `Li("`, Match: "aHR0cHM6Ly9ob3N0LTA2LmV4YW1wbGUvdjE=", After: `")`}
		case locate.XOR:
			l.Key, l.Snippet = 0x5a, locate.Snippet{Before: "\x01\x02", Match: "2..*)`uu25).wjctbw;7*6?", After: "\xff"}
		case locate.Parent:
			l.Text = "example"
		}
		if form != locate.Verbatim {
			res.Wanted.Hosts = append(res.Wanted.Hosts, host)
		}
		res.Leads = append(res.Leads, l)
	}
	res.Leads[3].Mention.Template, res.Leads[4].Mention.Noise = true, "example"
	return res
}

// partly has one host of two.
func partly() *locate.Result {
	res := inBundle()
	res.Wanted.Hosts = append(res.Wanted.Hosts, "region1.app-measurement.com")
	res.Leads = append(res.Leads, locate.Lead{Wanted: "region1.app-measurement.com", File: bundle, Offset: 99, Form: locate.Parent, Text: "app-measurement.com", Place: reading.Place{Line: 1, Column: 100}})
	res.Unread = behindFairPlay().Unread
	return res
}

// inFolder is an app that is a folder, a file of which could not be read.
func inFolder(path, kind, file string) *locate.Result {
	res := inBundle()
	res.Apps = []locate.App{{Info: container.Info{Path: path, Kind: kind, Folder: true, Size: 1_204_118, Files: 212}, Identity: reading.Identity{Name: "Shop"}}}
	res.Wanted.Hosts = append(res.Wanted.Hosts, "graph.facebook.com")
	res.Failures = []container.Failure{{Path: strings.TrimSuffix(path, "/") + "/.env", Err: errors.New("permission denied")}}
	l := &res.Leads[0]
	if l.File = file; kind == "source tree" {
		l.Place.Line, l.Place.Column, l.Place.Module = 3, 20, nil
	}
	return res
}

// manyLeads has more leads to one host than are told.
func manyLeads() *locate.Result {
	res := inBundle()
	for i := range 30 {
		l := probeLead()
		l.Offset, l.Place.Column, l.Place.Module = l.Offset+int64(i), l.Place.Column+i, &reading.Module{ID: fmt.Sprint(500 + i), Name: "node_modules/x/index.js"}
		l.Same = i
		res.Leads = append(res.Leads, l)
	}
	return res
}

// listed is what an app could contact: 30 hosts and noise.
func listed() *Located {
	res := inBytecode()
	res.Wanted, res.Leads, res.Listed = locate.Wanted{}, nil, true
	names := []string{"graph.facebook.com", "app-measurement.com", "www.googletagmanager.com", "firebaseinstallations.googleapis.com", "api2.branch.io", "t.appsflyer.com", "clients3.google.com", "api.example.com"}
	for i := range 22 {
		names = append(names, fmt.Sprintf("service-%02d.a-rather-long-name-of-a-company.example", i))
	}
	for i, name := range names {
		res.Leads = append(res.Leads, locate.Lead{
			Wanted: name, File: fmt.Sprintf("base.apk!/classes%d.dex", i%3+1), Offset: int64(1000 * i), Form: locate.WholeURL, Text: "https://" + name + "/v1", Same: i * 120,
			Mention: hosts.Mention{Host: name, URL: "https://" + name + "/v1", Template: i == 9},
		})
	}
	res.Leads[0].Origin = &library.Origin{Name: "com.facebook.core", Ecosystem: inventory.Maven, Confidence: library.Certain}
	for i, noise := range []string{"XML namespace", "XML namespace", "XML namespace", "XML namespace", "link in a licence"} {
		name := fmt.Sprintf("noise-%d.example", i)
		res.Leads = append(res.Leads, locate.Lead{Wanted: name, File: "base.apk!/AndroidManifest.xml", Mention: hosts.Mention{Host: name, Noise: noise}})
	}
	l := located(res)
	l.Capture, l.Policy = "", PolicyInfo{Name: "Shop", File: "telltale.yaml"}
	l.Judge = func(host, _ string) policy.Judgement {
		switch {
		case strings.HasPrefix(host, "service"):
			return policy.Judgement{Verdict: policy.Allowed, Host: host}
		case strings.HasPrefix(host, "clients3"):
			return policy.Judgement{Verdict: policy.Ignored, Host: host}
		}
		return policy.Judgement{Verdict: policy.Violation, Host: host, Category: "analytics", Findings: []policy.Finding{{Rule: policy.HostNotAllowed, Host: host}}}
	}
	return l
}

// besideApp is an audit to which the app was given: one host is found, one is turned off, one
// stands there in base64, and one is not found.
func besideApp() *Report {
	r := covidAlert()
	r.Command = "telltale check covid-alert.har --policy telltale.yaml --app covid-alert.ipa"
	res := partly()
	add := func(host string, leads ...locate.Lead) {
		v := r.Summary.Violations[0]
		v.ID, v.Method, v.URL, v.Count, v.Flows = fmt.Sprintf("%016x", len(r.Summary.Violations)), "GET", "https://"+host+"/", 1, v.Flows[:1]
		v.Finding = policy.Finding{
			Rule: policy.HostNotAllowed, Severity: policy.SeverityError, Host: host, Title: "nothing in the policy allows this host",
			Message: "The policy names every host that the app may contact.", Remedy: "Find out which part of the app contacts it.", Source: v.Finding.Source,
		}
		r.Summary.Violations = append(r.Summary.Violations, v)
		r.Summary.Flows, r.Summary.Violating = r.Summary.Flows+1, r.Summary.Violating+1
		r.Summary.Hosts = append(r.Summary.Hosts, capture.Host{Name: host, Verdict: policy.Violation, Rule: policy.HostNotAllowed, Flows: 1, Violating: 1, Source: v.Finding.Source, First: v.First, Last: v.First})
		if !slices.Contains(res.Wanted.Hosts, host) {
			res.Wanted.Hosts = append(res.Wanted.Hosts, host)
		}
		for _, l := range leads {
			l.Wanted = host
			res.Leads = append(res.Leads, l)
		}
	}
	add("region1.app-measurement.com")
	off := inFixedBundle().Leads[0]
	off.Offset, off.Text = 2_000_001, "https://clients4.google.com/generate_204"
	off.Snippet.Match = off.Text
	add("clients4.google.com", off)
	hidden := inEveryForm().Leads[6]
	hidden.File, hidden.App = "Payload/CovidShield.app/Frameworks/Ads.framework/Ads", 0
	add("host-06.example", append([]locate.Lead{hidden}, manyLeads().Leads[1:9]...)...)
	r.Origins = res
	return r
}

// hostileText is text that would take a terminal over, or leave its place in a document, and
// a never-send value and keys beside it.
const hostileText = "a\x1b[31mred\x07\u202eover\u200b\x00 `b` | <script>x</script> @me #1 https://u:hunter2@h.example/?key=" + token + "&v=" + secret + " AIza" + apiKey + "\n## forged\xff"

const apiKey = "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"

// hostileResult has a text everywhere.
func hostileResult(bad string) *locate.Result {
	l := probeLead()
	l.File, l.Text, l.Snippet = bad, bad, locate.Snippet{Before: bad, Match: "clients3.google.com", After: bad}
	l.Place = reading.Place{
		Section: bad, Line: 3, Column: 4, Module: &reading.Module{ID: bad, Name: bad}, Source: &reading.Source{File: bad, Line: 1, By: bad, Name: bad},
		Users: []reading.User{{Name: bad, Package: bad, File: bad, Line: 2}, {Obfuscated: true}}, More: 1,
	}
	l.Mention.Noise = bad
	l.Origin = &library.Origin{
		Name: bad, Ecosystem: inventory.NPM, Version: bad, VersionBy: bad, Confidence: library.Possible, Reasons: []string{bad, bad},
		Default: &library.Default{URL: bad, Setting: bad, File: bad, Line: 1, Versions: bad, When: bad}, Remedy: bad + "\n\n    " + bad, Docs: bad,
	}
	l.Overrides = []library.Override{{Setting: reading.Setting{Name: bad, Value: bad}, File: bad, Line: 1, Column: 2, Says: bad}, {Setting: reading.Setting{Name: bad}, File: bad}}
	above := locate.Lead{Wanted: "missing.example", File: bad, Form: locate.Parent, Text: bad}
	return &locate.Result{
		Apps:       []locate.App{{Info: container.Info{Path: bad, Kind: "APK"}, Identity: reading.Identity{ID: bad, Name: bad, Version: bad}}},
		Wanted:     locate.Wanted{Hosts: []string{probe, "missing.example"}, Strings: []string{bad}},
		Leads:      []locate.Lead{l, l, l, l, l, l, above},
		Unread:     []locate.Unread{{File: bad, Why: bad}},
		Failures:   []container.Failure{{Path: bad, Err: errors.New(bad)}, {Path: "x"}},
		Kinds:      []locate.Kind{{Name: bad, Files: 1}},
		Components: []inventory.Component{{Name: bad, Version: bad, Range: bad, File: bad}},
	}
}

func hostileLocated(bad string) *Located {
	l := located(hostileResult(bad))
	l.Command, l.Capture, l.Policy = attack, attack, PolicyInfo{Name: attack, File: attack}
	l.Mask = func(s string) string { return strings.ReplaceAll(s, secret, "[redacted]") }
	return l
}
