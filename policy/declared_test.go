package policy

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/declarations"
	"telltale/exposure"
	"telltale/flow"
	"telltale/flow/flowtest"
)

const (
	iPhone     = "Shop/3.1 CFNetwork/1498 Darwin/23.6.0"
	androidApp = "okhttp/4.12.0"
)

// declaring returns a policy with declarations of these texts.
func declaring(t testing.TB, text string, files ...string) *Policy {
	t.Helper()
	p := parse(t, text)
	for _, file := range files {
		d, err := declarations.Read("declared.xml", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		p.Declare(d)
	}
	return p
}

// manifest writes a privacy manifest.
func manifest(tracking bool, domains, types string) string {
	var b strings.Builder
	b.WriteString("<plist><dict><key>NSPrivacyTracking</key>")
	if b.WriteString("<false/>"); tracking {
		b.Reset()
		b.WriteString("<plist><dict><key>NSPrivacyTracking</key><true/>")
	}
	b.WriteString("<key>NSPrivacyTrackingDomains</key><array>")
	for _, domain := range strings.Fields(domains) {
		b.WriteString("<string>" + domain + "</string>")
	}
	b.WriteString("</array><key>NSPrivacyCollectedDataTypes</key><array>")
	for _, name := range strings.Fields(types) {
		b.WriteString("<dict><key>NSPrivacyCollectedDataType</key><string>NSPrivacyCollectedDataType" + name + "</string></dict>")
	}
	b.WriteString("</array></dict></plist>")
	return b.String()
}

// declaredRules is what the rules of declarations say of a flow: "rule subject" each.
func declaredRules(j Judgement) string {
	var out []string
	for _, f := range slices.Concat(j.Findings, j.Excused) {
		switch f.Rule {
		case UndeclaredTracking, UndeclaredData, NetworkSecurityConfig:
			out = append(out, strings.TrimSpace(string(f.Rule)+" "+strings.TrimPrefix(f.Subject, collectedPrefix)))
		}
	}
	return strings.Join(out, ", ")
}

const (
	openPolicy = "version: 1\nallow: [api.example.com, app-measurement.com, graph.facebook.com]\nignore: [noise.example, firebaselogging.googleapis.com]\n"
	namedApp   = "version: 1\napp: {user-agent: \"Shop/*\"}\nallow: [api.example.com, app-measurement.com]\n"
)

func TestUndeclaredTracking(t *testing.T) {
	ios, android := flowtest.UserAgentOf(iPhone), flowtest.UserAgentOf(androidApp)
	for _, tt := range []struct {
		name, policy string
		files        []string
		f            *flow.Flow
		want         string
	}{
		{"not named", openPolicy, []string{manifest(true, "other.example", "")}, flowtest.Get("https://app-measurement.com/a", ios), "undeclared-tracking"},
		{"named", openPolicy, []string{manifest(true, "app-measurement.com", "")}, flowtest.Get("https://app-measurement.com/a", ios), ""},
		{"named by the domain above", openPolicy, []string{manifest(true, "facebook.com", "")}, flowtest.Get("https://graph.facebook.com/a", ios), ""},
		{"named in a kit's manifest", openPolicy, []string{manifest(false, "", ""), manifest(true, "app-measurement.com", "")}, flowtest.Get("https://app-measurement.com/a", ios), ""},
		{"not allowed either", "version: 1\nallow: [a.example]\n", []string{manifest(false, "", "")}, flowtest.Get("https://app-measurement.com/a", ios), "undeclared-tracking"},
		{"unread", openPolicy, []string{manifest(false, "", "")}, &flow.Flow{Kind: flow.Tunnel, Outcome: flow.ClientRefused, Server: flow.Server{Asked: "app-measurement.com:443"}}, "undeclared-tracking"},
		{"no tracker", openPolicy, []string{manifest(false, "", "")}, flowtest.Get("https://api.example.com/", ios), ""},
		{"noise", openPolicy, []string{manifest(false, "", "")}, flowtest.Get("https://firebaselogging.googleapis.com/", ios), ""},
		{"crash reports are no tracking", openPolicy, []string{manifest(false, "", "")}, flowtest.Get("https://firebase-settings.crashlytics.com/", ios), ""},
		{"of Android", openPolicy, []string{manifest(false, "", "")}, flowtest.Get("https://app-measurement.com/a", android), ""},
		{"of the app", namedApp, []string{manifest(false, "", "")}, flowtest.Get("https://app-measurement.com/a", ios), "undeclared-tracking"},
		{"of another app", namedApp, []string{manifest(false, "", "")}, flowtest.Get("https://app-measurement.com/a", flowtest.UserAgentOf("Other/1 CFNetwork/1498 Darwin/23.6.0")), ""},
		{"nothing is declared", openPolicy, nil, flowtest.Get("https://app-measurement.com/a", ios), ""},
		{"only the other platform's", openPolicy, []string{networkConfig}, flowtest.Get("https://app-measurement.com/a", ios), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := declaring(t, tt.policy, tt.files...).Judge(tt.f)
			if got := declaredRules(j); got != tt.want {
				t.Errorf("%q, want %q: %+v", got, tt.want, j)
			}
		})
	}
}

func TestUndeclaredTrackingSaysWhatTheManifestSays(t *testing.T) {
	f := flowtest.Get("https://app-measurement.com/a", flowtest.UserAgentOf(iPhone))
	for tracking, want := range map[bool]bool{false: true, true: false} {
		j := declaring(t, openPolicy, manifest(tracking, "x.example", "")).Judge(f)
		got := j.Findings[0]
		if strings.Contains(got.Message, "does not track at all") != want || got.Severity != SeverityWarning || got.Source.File != "declared.xml" || got.Owner == "" ||
			!strings.Contains(got.Remedy, "NSPrivacyTrackingDomains") {
			t.Errorf("tracking %v: %+v", tracking, got)
		}
	}
}

func TestUndeclaredData(t *testing.T) {
	ios := flowtest.UserAgentOf(iPhone)
	const secrets = openPolicy + "never-send:\n  - {name: mail, value: jane.doe@example.com}\n  - {name: account, value: 6d92078a-8246-4ba4-ae5b-76104861e7dc}\n  - {name: word, value: correct-horse}\n"
	for _, tt := range []struct {
		name, policy, types string
		f                   *flow.Flow
		want                string
	}{
		{"declared", openPolicy, "EmailAddress", flowtest.Get("https://api.example.com/", ios, carries("e-mail query m")), ""},
		{"not declared", openPolicy, "", flowtest.Get("https://api.example.com/", ios, carries("e-mail query m", "idfv query i", "advertising-id query a", "location query l", "phone-number query p")),
			"undeclared-data EmailAddress, undeclared-data PhoneNumber, undeclared-data PreciseLocation, undeclared-data DeviceID"},
		{"another type", openPolicy, "Name UserID", flowtest.Get("https://api.example.com/", ios, carries("idfv query i")), "undeclared-data DeviceID"},
		{"kinds without a type", openPolicy, "", flowtest.Get("https://api.example.com/", ios, carries("push-token query t", "local-address query a", "android-id query i", "shoe-size query s")), ""},
		{"noise", openPolicy, "", flowtest.Get("https://noise.example/", ios, carries("e-mail query m")), ""},
		{"of Android", openPolicy, "", flowtest.Get("https://api.example.com/", flowtest.UserAgentOf(androidApp), carries("e-mail query m")), ""},
		{"a listed value", secrets, "", flowtest.Get("https://api.example.com/?m=jane.doe@example.com", ios), "undeclared-data EmailAddress"},
		{"a listed value that is declared", secrets, "EmailAddress", flowtest.Get("https://api.example.com/?m=jane.doe@example.com", ios), ""},
		{"a listed UUID", secrets, "", flowtest.Get("https://api.example.com/?id=6d92078a-8246-4ba4-ae5b-76104861e7dc", ios), "undeclared-data UserID"},
		{"a listed UUID that is the device's", secrets, "DeviceID", flowtest.Get("https://api.example.com/?id=6d92078a-8246-4ba4-ae5b-76104861e7dc", ios), ""},
		{"a listed value of no known type", secrets, "", flowtest.Get("https://api.example.com/?w=correct-horse", ios), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := declaring(t, tt.policy, manifest(false, "", tt.types)).Judge(tt.f)
			if got := declaredRules(j); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestUndeclaredDataHasEvidence holds that places are listed once, and that no value is
// in the finding.
func TestUndeclaredDataHasEvidence(t *testing.T) {
	const value = "jane.doe@example.com"
	p := declaring(t, openPolicy+"never-send:\n  - {name: mail, value: "+value+"}\n", manifest(false, "", ""))
	f := flowtest.Get("https://api.example.com/?m="+value, flowtest.UserAgentOf(iPhone))
	f.Exposures = exposure.Look(f)
	for _, finding := range p.Judge(f).Findings {
		if finding.Rule != UndeclaredData {
			continue
		}
		if len(finding.Evidence) != 1 || finding.Evidence[0].Where != "query m" || !strings.Contains(finding.Message, "in the URL, parameter m") {
			t.Errorf("evidence %+v: %s", finding.Evidence, finding.Message)
		}
		if strings.Contains(finding.Message+finding.Remedy+finding.Title+finding.Evidence[0].Masked, "jane") {
			t.Errorf("the value shows: %+v", finding)
		}
		return
	}
	t.Error("no finding")
}

const networkConfig = `<network-security-config>
<base-config cleartextTrafficPermitted="false"/>
<domain-config cleartextTrafficPermitted="true"><domain>plain.example.com</domain></domain-config>
<domain-config>
	<domain>api.example.com</domain>
	<pin-set expiration="2027-01-31"><pin digest="SHA-256">7HIpactkIAq2Y49orFOOQKurWxmmSFZhBCoQYcRhJ3Y=</pin></pin-set>
</domain-config>
<domain-config>
	<domain>own.example.com</domain>
	<trust-anchors><certificates src="user" overridePins="true"/></trust-anchors>
	<pin-set><pin digest="SHA-256">7HIpactkIAq2Y49orFOOQKurWxmmSFZhBCoQYcRhJ3Y=</pin></pin-set>
</domain-config>
</network-security-config>`

func TestNetworkSecurity(t *testing.T) {
	const policy = "version: 1\nallow: [.example.com]\nignore: [noise.example]\nrequire: {https: false}\n"
	android := flowtest.UserAgentOf(androidApp)
	late := func(f *flow.Flow) { f.Times.Start = time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC) }
	foreign := func(f *flow.Flow) { f.Client.TLS, f.Mode = 0, "har" }
	for _, tt := range []struct {
		name string
		f    *flow.Flow
		want string
		says string
	}{
		{"cleartext", flowtest.Get("http://a.example.com/", android), "network-security-config cleartext", "base-config"},
		{"cleartext to a pinned host", flowtest.Get("http://api.example.com/", android), "network-security-config cleartext", "domain api.example.com"},
		{"cleartext where it is permitted", flowtest.Get("http://plain.example.com/", android), "", ""},
		{"noise in cleartext", flowtest.Get("http://noise.example/", android), "", ""},
		{"cleartext of a device of Apple", flowtest.Get("http://a.example.com/", flowtest.UserAgentOf(iPhone)), "", ""},
		{"TLS", flowtest.Get("https://a.example.com/", android), "", ""},
		{"a pinned host that was read", flowtest.Get("https://api.example.com/", android), "network-security-config pins", "A build for debugging"},
		{"pins that the person's authorities need not", flowtest.Get("https://own.example.com/", android), "network-security-config pins", "overridePins"},
		{"a pinned host in a file of others", flowtest.Get("https://api.example.com/", android, foreign), "", ""},
		{"a pinned host that refused", &flow.Flow{Kind: flow.Tunnel, Outcome: flow.ClientRefused, Server: flow.Server{Asked: "api.example.com:443"}, Times: flow.NoTimes(flowtest.Epoch)}, "", ""},
		{"expired pins", flowtest.Get("https://api.example.com/", android, late), "network-security-config expired pins", "2027-01-31"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := declaring(t, policy, networkConfig).Judge(tt.f)
			if got := declaredRules(j); got != tt.want {
				t.Fatalf("%q, want %q", got, tt.want)
			}
			for _, f := range j.Findings {
				if f.Rule == NetworkSecurityConfig && (!strings.Contains(f.Message, tt.says) || f.Severity != SeverityWarning || f.Source.File != "declared.xml" || f.Source.Line == 0 || f.Remedy == "") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
	debug := strings.Replace(networkConfig, "</network-", `<debug-overrides><trust-anchors><certificates src="user"/></trust-anchors></debug-overrides></network-`, 1)
	j := declaring(t, policy, debug).Judge(flowtest.Get("https://api.example.com/", android))
	if len(j.Findings) != 1 || !strings.Contains(j.Findings[0].Message, "debug-overrides lets") {
		t.Errorf("with debug-overrides: %+v", j.Findings)
	}
}

func TestTransportSecurity(t *testing.T) {
	ios, android := flowtest.UserAgentOf(iPhone), flowtest.UserAgentOf(androidApp)
	const info = `<plist><dict><key>CFBundleIdentifier</key><string>org.example</string><key>NSAppTransportSecurity</key><dict>MORE<key>NSExceptionDomains</key><dict>
<key>plain.example.com</key><dict><key>NSExceptionAllowsInsecureHTTPLoads</key><true/></dict>
<key>safe.example.com</key><dict/></dict></dict></dict></plist>`
	for _, tt := range []struct {
		name, more string
		f          *flow.Flow
		want, says string
	}{
		{"cleartext", "", flowtest.Get("http://a.example.com/", ios), "network-security-config cleartext", "NSAppTransportSecurity"},
		{"cleartext to a named host", "", flowtest.Get("http://safe.example.com/", ios), "network-security-config cleartext", "NSExceptionDomains, safe.example.com"},
		{"an exception", "", flowtest.Get("http://plain.example.com/", ios), "", ""},
		{"encrypted", "", flowtest.Get("https://a.example.com/", ios), "", ""},
		{"the other platform's", "", flowtest.Get("http://a.example.com/", android), "", ""},
		{"an address", "", flowtest.Get("http://192.0.2.7/", ios), "", ""},
		{"all", "<key>NSAllowsArbitraryLoads</key><true/>", flowtest.Get("http://a.example.com/", ios), "", ""},
		{"web views", "<key>NSAllowsArbitraryLoadsInWebContent</key><true/>", flowtest.Get("http://a.example.com/", ios), "", ""},
	} {
		j := declaring(t, "version: 1\nallow: [\"*.example.com\", 192.0.2.7]\n", strings.Replace(info, "MORE", tt.more, 1)).Judge(tt.f)
		if got := declaredRules(j); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			continue
		}
		for _, f := range j.Findings {
			if f.Rule == NetworkSecurityConfig && (!strings.Contains(f.Message, tt.says) || f.Remedy == "" || f.Source.File != "declared.xml") {
				t.Errorf("%s: %+v", tt.name, f)
			}
		}
	}
}

func TestDeclare(t *testing.T) {
	p := parse(t, openPolicy+"devices:\n  - {name: lab, address: 192.168.1.23, allow: [lab.example]}\n"+
		"waivers:\n  - {rule: undeclared-tracking, host: graph.facebook.com, reason: x, until: 2027-01-01}\n")
	before := p.Digest()
	d, err := declarations.Read("PrivacyInfo.xcprivacy", []byte(manifest(false, "", "")))
	if err != nil {
		t.Fatal(err)
	}
	p.Declare(d)
	if p.Digest() == before || len(p.Declarations()) != 1 || p.ReadsContent() {
		t.Error("the digest does not depend on what is declared, or it is not listed")
	}
	// flowtest's phone is the device, which has entries of its own.
	if got := declaredRules(p.Judge(flowtest.Get("https://app-measurement.com/a", flowtest.UserAgentOf(iPhone)))); got != "undeclared-tracking" {
		t.Errorf("on a device with entries of its own: %q", got)
	}
	if j := p.Judge(flowtest.Get("https://graph.facebook.com/a", flowtest.UserAgentOf(iPhone))); j.Verdict != Waived {
		t.Errorf("a waiver does not excuse it: %+v", j)
	}
}

// TestDeclarationsReference holds docs/declarations.md against the code.
func TestDeclarationsReference(t *testing.T) {
	const file = "../docs/declarations.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for _, c := range collectedTypes {
		var kinds []string
		for _, kind := range c.kinds {
			if kind == kindUUID {
				kinds = append(kinds, "a UUID under `never-send`")
				continue
			}
			kinds = append(kinds, "`"+kind+"`")
		}
		names := "`" + strings.Join(append([]string{c.name}, c.others...), "` or `") + "`"
		rows.WriteString("| " + names + " | " + strings.Join(kinds, ", ") + " |\n")
	}
	const head = "what was sent |\n| --- | --- |\n"
	text := string(data)
	before, rest, found := strings.Cut(text, head)
	table, after, ended := strings.Cut(rest, "\n\n")
	if !found || !ended {
		t.Fatal("docs/declarations.md has no table of types")
	}
	if *update {
		text = before + head + rows.String() + "\n" + after
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	} else if table+"\n" != rows.String() {
		t.Errorf("the table of types is not that of the code; -update writes it:\n%s", rows.String())
	}
	for _, word := range slices.Concat(trackingByApple, []string{"cleartext", "pins", "expired pins"}) {
		if !strings.Contains(text, "`"+word+"`") {
			t.Errorf("docs/declarations.md does not name `%s`", word)
		}
	}
	for _, rule := range []Rule{UndeclaredTracking, UndeclaredData, NetworkSecurityConfig} {
		if !strings.Contains(text, "### "+string(rule)+"\n") {
			t.Errorf("docs/declarations.md does not explain %s", rule)
		}
	}
	for _, category := range trackingByApple {
		if !tracks(category) {
			t.Errorf("%s is no tracking category of the catalogue", category)
		}
	}
}
