package reports

import (
	"time"

	"telltale/cadence"
	"telltale/capture"
	"telltale/declarations"
	"telltale/exposure"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
	"telltale/policy/lists"
)

func init() { cases["sent"] = whatWasSent }

const (
	attributed1 = "conversions.appsflyer.com"
	crashlytics = "firebase-settings.crashlytics.com"
)

// whatWasSent is an app that tells the same identifier to two companies, hides the user's
// mail in what it sends, and calls home by a timer.
func whatWasSent() *Report {
	r := covidAlert()
	s := &r.Summary
	leak := capture.Violation{
		ID: "77a1", Count: 2, Method: "POST", URL: "https://" + attributed1 + "/api/v6", App: app, First: after(time.Minute), Last: after(2 * time.Minute),
		Finding: policy.Finding{
			Rule: policy.ValueLeaked, Severity: policy.SeverityError, Host: attributed1, Subject: "e-mail of the test account",
			Title:   "sends a value that must not leave the device: e-mail of the test account",
			Message: "The value stands in the request body as its SHA-256: whoever knows the address can recognise it.",
			Remedy:  "Find what puts the value into the request, and remove it.",
			Source:  policy.Source{File: "telltale.yaml", Line: 12, Text: "never-send: e-mail of the test account"},
			Evidence: []policy.Evidence{
				{Where: "body.json $.user.mail", Layers: []string{"gzip", "base64"}, Form: "SHA-256 of it in lower case, in hexadecimal"},
				{Where: "header X-User", Form: "as typed", Masked: "t…@example.org"},
			},
		},
		Flows: []capture.Reference{{Capture: "covid-alert.har", Entry: 8, Line: 300, ID: 8}, {Capture: "covid-alert.har", Entry: 9, Line: 340, ID: 9}},
	}
	identifier := leak
	identifier.ID, identifier.Count, identifier.Flows = "77a2", 1, leak.Flows[:1]
	identifier.Finding = policy.Finding{
		Rule: policy.IdentifierLeaked, Severity: policy.SeverityError, Host: attributed1, Subject: exposure.AdvertisingID,
		Title: "sends the advertising identifier", Message: "All apps on the device have the same one.", Remedy: "Do not read it.",
		Source:   policy.Source{Text: "nothing allows it"},
		Evidence: []policy.Evidence{{Where: "query adid", Masked: "6d92…"}},
	}
	s.Violations = append(s.Violations, identifier, leak)
	s.Flows, s.Ignored, s.Violating, s.Subtracted = 31, 20, 8, 12
	s.Hosts = append(s.Hosts,
		capture.Host{Name: attributed1, Verdict: policy.Violation, Rule: policy.ValueLeaked, Flows: 2, Violating: 2, BytesSent: 900, First: leak.First, Last: leak.Last, Apps: []string{app}},
		capture.Host{Name: "gateway.icloud.com", Verdict: policy.Ignored, Flows: 14, First: epoch, Last: s.Last, Source: policy.Source{Text: "idle.telltale"}},
		capture.Host{Name: crashlytics, Verdict: policy.Allowed, Flows: 4, First: epoch, Last: s.Last, Source: allowCanada},
		capture.Host{Name: "www.google.com", Verdict: policy.Ignored, Flows: 2, First: epoch, Last: s.Last, Source: policy.Source{File: "telltale.yaml", Line: 9, Text: "preset: android-system"}})
	minutely := cadence.Rhythm{Every: time.Minute, Count: 6}
	s.Shapes = []capture.Shape{
		{Shape: policy.Shape{Host: "gateway.icloud.com", Method: "POST", Path: "/push/*"}, Flows: 14, Subtracted: 12, First: epoch, Last: s.Last, Rhythm: cadence.Rhythm{Every: 30 * time.Second, Count: 9}},
		{Shape: policy.Shape{Host: probe, Method: "HEAD", Path: "/generate_204"}, Flows: 6, First: epoch, Last: s.Last, Rhythm: minutely, App: app},
		{Shape: policy.Shape{Host: crashlytics, Method: "GET", Path: "/spi/v2/platforms/ios/*"}, Flows: 4, First: epoch, Last: s.Last},
	}
	s.Trails = []exposure.Trail{
		{Kind: exposure.AdvertisingID, Masked: "6d92…", Names: []string{"adid", "rdid"}, Hosts: []string{attributed1, probe}, Receivers: []string{"AppsFlyer", "Google"},
			Count: 7, First: epoch, Last: s.Last, Lasting: exposure.Stable},
		{Kind: exposure.InstallationID, Masked: "c0f1…", Names: []string{"fid"}, Hosts: []string{crashlytics}, Receivers: []string{"Google"}, Count: 2, First: epoch, Last: s.Last, Lasting: exposure.Session},
		{Kind: exposure.InstallationID, Masked: "9be4…", Names: []string{"fid"}, Hosts: []string{crashlytics}, Receivers: []string{"Google"}, Count: 2, First: epoch, Last: s.Last, Lasting: exposure.Session},
		{Kind: exposure.Email, Label: "e-mail 1", Names: []string{"mail"}, Hosts: []string{"api.tracker.example"}, Receivers: []string{"tracker.example"}, Count: 1, First: epoch, Last: epoch, Phases: []string{"before consent"}},
	}
	r.Idle = []*policy.Idle{{File: "idle.telltale", Shapes: map[policy.Shape]string{s.Shapes[0].Shape: "every 30 s"}}}
	r.Declarations = []declarations.Declaration{
		{File: "PrivacyInfo.xcprivacy", Privacy: &declarations.PrivacyManifest{
			Tracking: true, TrackingDomains: []string{"appsflyer.com"}, Collected: []declarations.CollectedType{{Type: "NSPrivacyCollectedDataTypeEmailAddress"}, {Type: "NSPrivacyCollectedDataTypeDeviceID"}},
		}},
		{File: "res/xml/network_security_config.xml", Network: &declarations.NetworkSecurity{Base: declarations.NetworkConfig{Cleartext: declarations.Forbidden, Anchors: []declarations.Anchor{{Source: "user"}}}, Domains: []declarations.NetworkConfig{{Cleartext: declarations.Permitted, Pins: &declarations.PinSet{}}}}},
	}
	r.Lists = []*lists.List{{Name: "easyprivacy.txt", Format: "Adblock", Rules: 48211, Skipped: 3920, Notes: []string{"line 7: an unknown option"}}}
	r.Flows = each(flowtest.Post("https://"+attributed1+"/api/v6?adid=x", `{"user":{}}`, flowtest.At(time.Minute)))
	keepRhythms(s)
	return r
}

// keepRhythms gives hosts the rhythm of their strongest shape, as captures do.
func keepRhythms(s *capture.Summary) {
	for i := range s.Hosts {
		for _, shape := range s.Shapes {
			if h := &s.Hosts[i]; shape.Host == h.Name && shape.Rhythm.Count > h.Rhythm.Count {
				h.Rhythm = shape.Rhythm
			}
		}
	}
}

// hostileSent adds a text to everywhere where what was sent has one.
func hostileSent(r *Report, bad string) {
	s := &r.Summary
	evidence := []policy.Evidence{{Where: "body.json " + bad, Layers: []string{bad}, Form: bad, Masked: bad}, {Where: bad}, {Where: "WebSocket message 3 " + bad}}
	for i := range s.Violations {
		s.Violations[i].Finding.Evidence = evidence
	}
	shape := policy.Shape{Host: s.Hosts[0].Name, Method: bad, Path: "/" + bad}
	s.Shapes = []capture.Shape{{Shape: shape, Flows: 2, Subtracted: 1, First: epoch, Last: epoch, Rhythm: cadence.Rhythm{Every: time.Minute, Count: 4}, App: bad}}
	s.Trails = []exposure.Trail{
		{Kind: bad, Masked: bad, Label: bad, Names: []string{bad}, Hosts: []string{bad}, Receivers: []string{bad, "=" + bad}, Count: 1, Phases: []string{bad}, Lasting: exposure.Stable},
		{Kind: exposure.Email, Label: bad, Hosts: []string{bad}, Receivers: []string{bad}, Count: 1, Lasting: exposure.Session},
	}
	r.Idle = []*policy.Idle{{File: bad, Shapes: map[policy.Shape]string{shape: bad}}}
	r.Declarations = []declarations.Declaration{{File: bad, Notes: []string{bad}, Privacy: &declarations.PrivacyManifest{TrackingDomains: []string{bad}, Collected: []declarations.CollectedType{{Type: bad}}}}}
	r.Lists = []*lists.List{{Name: bad, Format: bad, Rules: 1, Skipped: 1, Notes: []string{bad}}}
	keepRhythms(s)
}

// manySent has more of what was sent than a document can show.
func manySent(r *Report, n int, name func(int) string, long string) {
	s := &r.Summary
	for i := range min(n, 1000) {
		shape := policy.Shape{Host: name(i), Method: "GET", Path: "/" + long}
		s.Shapes = append(s.Shapes, capture.Shape{Shape: shape, Flows: 9, Subtracted: 1, Rhythm: cadence.Rhythm{Every: time.Minute, Count: 9}, App: long})
		s.Trails = append(s.Trails, exposure.Trail{Kind: exposure.Kinds[i%len(exposure.Kinds)].Name, Masked: long, Hosts: []string{name(i)}, Receivers: []string{name(i), name(i + 1)}, Count: 1, Lasting: exposure.Stable})
		r.Declarations = append(r.Declarations, declarations.Declaration{File: long + name(i), Privacy: &declarations.PrivacyManifest{TrackingDomains: []string{long, long, long, long, long, long, long}}})
		r.Lists = append(r.Lists, &lists.List{Name: long + name(i), Notes: []string{long, long}})
	}
	keepRhythms(s)
	for i := range s.Violations {
		for range 20 {
			s.Violations[i].Finding.Evidence = append(s.Violations[i].Finding.Evidence, policy.Evidence{Where: "body.json " + long, Layers: []string{long, long}, Form: long, Masked: long})
		}
	}
	r.Flows = each(&flow.Flow{Kind: flow.HTTP})
}
