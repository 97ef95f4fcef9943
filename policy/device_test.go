package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// devicePolicy has one of everything; the numbers in TestDevicesHaveTheirOwn are its lines.
const devicePolicy = `version: 1
allow:
  - "*.canada.ca"
ignore:
  - noise.example
deny:
  - bad.example
waivers:
  - {rule: host-denied, host: bad.example, reason: general, until: 2027-06-30}
devices:
  - name: Pixel of the lab
    address: 192.168.1.20
    allow:
      - updates.example
      - bad.example
      - host: api.example
        methods: [GET]
    ignore:
      - preset: android-system
    deny:
      - secret.canada.ca
      - category: analytics
    waivers:
      - {rule: host-not-allowed, host: waived.example, reason: its own, until: 2027-06-30}
  - name: the other lab
    address: [10.1.0.0/16, "2001:db8::/64", "fe80::1"]
    deny: ["*.canada.ca"]
  - name: only named
    address: "::ffff:192.168.1.30"
`

// from is a request of a device.
func from(client, url string) *flow.Flow {
	return flowtest.Get(url, flowtest.From(client), flowtest.UserAgentOf("x"))
}

func TestDevicesHaveTheirOwn(t *testing.T) {
	p := parse(t, devicePolicy)
	const pixel, lab, named, stranger = "192.168.1.20:1", "10.1.2.3:1", "192.168.1.30:1", "192.168.1.99:1"
	for _, tt := range []struct{ client, url, want string }{
		{pixel, "https://www.canada.ca/", "allowed  @3"},
		{pixel, "https://updates.example/", "allowed  @14"},
		{stranger, "https://updates.example/", "violation host-not-allowed @2"},
		{lab, "https://updates.example/", "violation host-not-allowed @2"},
		{named, "https://updates.example/", "violation host-not-allowed @2"},
		{pixel, "https://api.example/", "allowed  @16"},
		{pixel, "https://secret.canada.ca/", "violation host-denied @21"},
		{stranger, "https://secret.canada.ca/", "allowed  @3"},
		{lab, "https://secret.canada.ca/", "violation host-denied @27"},
		{"[2001:db8::7]:1", "https://www.canada.ca/", "violation host-denied @27"},
		{"[fe80::1%eth0]:1", "https://www.canada.ca/", "violation host-denied @27"},
		{"[fe80::2%eth0]:1", "https://www.canada.ca/", "allowed  @3"},
		{"[::ffff:10.1.2.3]:1", "https://www.canada.ca/", "violation host-denied @27"},
		{pixel, "https://app-measurement.com/", "violation tracker @22"},
		{stranger, "https://app-measurement.com/", "violation tracker @2"},
		{pixel, "https://noise.example/", "ignored  @5"},
		{pixel, "https://connectivitycheck.gstatic.com/generate_204", "ignored  @19"},
		{stranger, "https://connectivitycheck.gstatic.com/generate_204", "violation captive-portal-probe @2"},
		// The general deny wins over the device's allow, and the general waiver over both.
		{pixel, "https://bad.example/", "waived host-denied @9"},
		{stranger, "https://bad.example/", "waived host-denied @9"},
		{pixel, "https://waived.example/", "waived host-not-allowed @24"},
		{stranger, "https://waived.example/", "violation host-not-allowed @2"},
	} {
		if got := judged(p.Judge(from(tt.client, tt.url))); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.client, tt.url, got, tt.want)
		}
	}
	har := from(pixel, "https://updates.example/")
	har.Client = flow.Client{}
	if got := judged(p.Judge(har)); got != "violation host-not-allowed @2" {
		t.Errorf("without a client: %s", got)
	}
}

// Every one of a flow's names is judged by the entries of its device.
func TestDevicesOwnCoversAllNames(t *testing.T) {
	p := parse(t, devicePolicy)
	f := from("192.168.1.20:1", "https://updates.example/")
	f.Server.SNI = "secret.canada.ca"
	if j := p.Judge(f); j.Rule() != HostMismatch {
		t.Errorf("%s", judged(j))
	}
}

// One violation has one fingerprint, whatever device it is of.
func TestFingerprintKnowsNoDevice(t *testing.T) {
	p := parse(t, devicePolicy)
	a, b := p.Judge(from("192.168.1.20:1", "https://x.example/")), p.Judge(from("10.1.0.1:1", "https://x.example/"))
	if a.Findings[0].Fingerprint() != b.Findings[0].Fingerprint() {
		t.Errorf("%+v, %+v", a.Findings, b.Findings)
	}
}

func TestDeviceNames(t *testing.T) {
	p := parse(t, devicePolicy)
	for addr, want := range map[string]string{
		"192.168.1.20": "Pixel of the lab", "::ffff:192.168.1.20": "Pixel of the lab", "192.168.1.21": "",
		"10.1.255.255": "the other lab", "fe80::1%en0": "the other lab", "192.168.1.30": "only named",
	} {
		if got := DeviceName(Baseline{"x": true}.Beside(p), netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
	if got := p.DeviceName(netip.Addr{}); got != "" {
		t.Errorf("no address: %q", got)
	}
	if addr, ok := p.DeviceAddress("the other lab"); !ok || addr.String() != "10.1.0.0" {
		t.Errorf("%s, %v", addr, ok)
	}
	if addr, ok := p.DeviceAddress("nobody"); ok {
		t.Errorf("nobody is %s", addr)
	}
	if none, err := New(nil); err != nil || DeviceName(none, netip.MustParseAddr("192.168.1.20")) != "" {
		t.Errorf("a policy without a file names devices, or %v", err)
	}
}

// --allow is for every device.
func TestAllowAlsoIsForEveryDevice(t *testing.T) {
	p := parse(t, devicePolicy)
	f := from("192.168.1.20:1", "https://flag.example/")
	if got := judged(p.Judge(f)); got != "violation host-not-allowed @2" {
		t.Errorf("before: %s", got)
	}
	if err := p.AllowAlso("flag.example"); err != nil {
		t.Fatal(err)
	}
	for _, client := range []string{"192.168.1.20:1", "192.168.1.99:1", "10.1.0.1:1"} {
		if got := judged(p.Judge(from(client, "https://flag.example/"))); got != "allowed  @--allow 'flag.example'" {
			t.Errorf("%s: %s", client, got)
		}
	}
	if got := judged(p.Judge(from("192.168.1.20:1", "https://updates.example/"))); got != "allowed  @14" {
		t.Errorf("the device's own: %s", got)
	}
}

func TestExplainFromADevice(t *testing.T) {
	p := parse(t, devicePolicy)
	for _, tt := range []struct {
		client, url, device, want string
	}{
		{"192.168.1.20", "https://updates.example/", "Pixel of the lab", "allow 14"},
		{"192.168.1.20", "https://secret.canada.ca/", "Pixel of the lab", "deny 21"},
		{"192.168.1.20", "bad.example", "Pixel of the lab", "deny 7"},
		{"192.168.1.99", "https://updates.example/", "", "otherwise 2"},
		{"", "https://secret.canada.ca/", "", "allow 3"},
	} {
		var client netip.Addr
		if tt.client != "" {
			client = netip.MustParseAddr(tt.client)
		}
		e, err := p.ExplainFrom(client, "GET", tt.url)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, s := range e.Steps {
			if s.Decided && s.Stage != "waiver" {
				got = fmt.Sprint(s.Stage, " ", s.Source.Line)
			}
		}
		if got != tt.want || e.Device != tt.device {
			t.Errorf("%s %s: %q by %s, want %q by %s", tt.client, tt.url, e.Device, got, tt.device, tt.want)
		}
	}
}

// A general entry is added beside devices, and they stay as they are.
func TestEditBesideDevices(t *testing.T) {
	general, devices, _ := strings.Cut(devicePolicy, "devices:")
	for _, c := range []Change{
		{Kind: ChangeAllow, Pattern: "new.example"},
		{Kind: ChangeIgnore, Pattern: "new.example"},
		{Kind: ChangeWaive, Pattern: "new.example", Rule: HostNotAllowed, Reason: "x", Until: today.AddDate(0, 1, 0)},
	} {
		edited, err := Edit("telltale.yaml", []byte(devicePolicy), c, options())
		if err != nil {
			t.Errorf("%s: %v", c.Kind, err)
			continue
		}
		p := parse(t, string(edited))
		if got := p.Judge(from("192.168.1.99:1", "https://new.example/")).Verdict; got == Violation {
			t.Errorf("%s: %s\n%s", c.Kind, got, edited)
		}
		if !strings.HasPrefix(string(edited), general[:20]) || !strings.HasSuffix(string(edited), "devices:"+devices) {
			t.Errorf("%s: the devices have changed:\n%s", c.Kind, edited)
		}
	}
	alone := "version: 1\ndevices:\n  - name: x\n    address: 192.0.2.1\n    allow: [a.example]\n"
	edited, err := Edit("telltale.yaml", []byte(alone), Change{Kind: ChangeAllow, Pattern: "new.example"}, options())
	if err != nil {
		t.Fatal(err)
	}
	if p := parse(t, string(edited)); len(p.allow) != 1 || len(p.devices) != 1 {
		t.Errorf("%s", edited)
	}
}

func TestManyDevicesAreRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\nallow: [a.example]\ndevices:\n")
	for i := range maxDevices + 1 {
		fmt.Fprintf(&b, "  - {name: d%d, address: 10.0.%d.%d}\n", i, i/256, i%256)
	}
	_, err := Parse("telltale.yaml", []byte(b.String()), options())
	var e *Error
	if !errors.As(err, &e) || e.Line != maxDevices+4 || !strings.Contains(e.Message, "more than 256 devices") {
		t.Errorf("%v", err)
	}
	b.Reset()
	b.WriteString("version: 1\nallow: [a.example]\ndevices:\n  - name: x\n    address:\n")
	for i := range maxAddresses + 1 {
		fmt.Fprintf(&b, "      - 10.0.%d.%d\n", i/256, i%256)
	}
	if _, err = Parse("telltale.yaml", []byte(b.String()), options()); !errors.As(err, &e) || !strings.Contains(e.Message, "more than 1024 addresses") {
		t.Errorf("%v", err)
	}
}

const twoKeys = "version: 1\nallow: [a.example]\n"

// badDevices are as badPolicies, of the section devices.
var badDevices = []badPolicy{
	{"no devices", twoKeys + "devices: []\n", 3, 1, "devices is an empty list", "remove the key"},
	{"devices as keys", twoKeys + "devices:\n  x: 192.0.2.1\n", 4, 3, "expected a list, found keys with values", "dash"},
	{"a device as text", twoKeys + "devices: [192.0.2.1]\n", 3, 11, "expected keys with values, found text", "address, allow"},
	{"a device without a name", twoKeys + "devices:\n  - address: 192.0.2.1\n", 4, 5, "name is missing", "name"},
	{"a device without an address", twoKeys + "devices:\n  - name: x\n", 4, 5, "address is missing", "address"},
	{"an unknown key of a device", twoKeys + "devices:\n  - name: x\n    addrezs: 192.0.2.1\n", 5, 5, `unknown key "addrezs"; did you mean "address"?`, "address"},
	{"never-send of a device", twoKeys + "devices:\n  - name: x\n    address: 192.0.2.1\n    never-send: [{name: n, value: secret}]\n", 6, 5, `unknown key "never-send"`, "one of: address"},
	{"a number for an address", twoKeys + "devices:\n  - {name: x, address: 12}\n", 4, 24, "expected text, found a number", "quotes"},
	{"a name for an address", twoKeys + "devices:\n  - {name: x, address: phone.local}\n", 4, 24, `"phone.local" is neither an IP address nor a CIDR block`, "192.168.1.20"},
	{"a port with an address", twoKeys + "devices:\n  - {name: x, address: \"192.0.2.1:80\"}\n", 4, 24, "neither an IP address", ""},
	{"an address with a zone", twoKeys + "devices:\n  - {name: x, address: \"fe80::1%eth0\"}\n", 4, 24, "has a zone", `"fe80::1"`},
	{"bits behind the prefix", twoKeys + "devices:\n  - {name: x, address: 192.0.2.1/24}\n", 4, 24, "bits behind its prefix", `"192.0.2.0/24"`},
	{"a bad address in a list", twoKeys + "devices:\n  - name: x\n    address:\n      - 192.0.2.1\n      - 192.0.2.256\n", 7, 9, `"192.0.2.256" is neither`, ""},
	{"no addresses", twoKeys + "devices:\n  - {name: x, address: []}\n", 4, 6, "address of the device is an empty list", ""},
	{"an empty section", twoKeys + "devices:\n  - {name: x, address: 192.0.2.1, deny: []}\n", 4, 35, "deny is an empty list", "remove the key"},
	{"a section without value", twoKeys + "devices:\n  - name: x\n    address: 192.0.2.1\n    allow:\n", 6, 5, `"allow" has no value`, ""},
	{"two devices of one name", twoKeys + "devices:\n  - {name: x, address: 192.0.2.1}\n  - {name: x, address: 192.0.2.2}\n", 5, 12, `two devices are named "x": the other one is in line 4`, "list of addresses"},
	{"one address twice", twoKeys + "devices:\n  - {name: x, address: [192.0.2.1, 192.0.2.1]}\n", 4, 36, "192.0.2.1 overlaps with 192.0.2.1", "one of the two"},
	{"an address of two devices", twoKeys + "devices:\n  - {name: x, address: 192.0.2.1}\n  - {name: y, address: \"::ffff:192.0.2.1\"}\n", 5, 24, `192.0.2.1 overlaps with 192.0.2.1 of the device "x" in line 4`, ""},
	{"an address in a block", twoKeys + "devices:\n  - {name: x, address: 192.0.2.7}\n  - {name: y, address: [10.0.0.0/8, 192.0.2.0/24]}\n", 5, 37, `192.0.2.0/24 overlaps with 192.0.2.7 of the device "x" in line 4`, ""},
	{"a name that does not show", twoKeys + "devices:\n  - {name: \"a\\u202eb\", address: 192.0.2.1}\n", 4, 12, "holds what does not show", "plain text"},
	{"a long name", twoKeys + "devices:\n  - {name: " + strings.Repeat("x", 61) + ", address: 192.0.2.1}\n", 4, 12, "more than 60 columns", ""},
	{"an empty name", twoKeys + "devices:\n  - {name: \" \", address: 192.0.2.1}\n", 4, 12, "the text is empty", ""},
	{"a device's bad pattern", twoKeys + "devices:\n  - {name: x, address: 192.0.2.1, allow: [\"*foo.com\"]}\n", 4, 43, `has a * that is not a whole label`, ""},
	{"a device's entry without host", twoKeys + "devices:\n  - {name: x, address: 192.0.2.1, allow: [{reason: y}]}\n", 4, 44, "host is missing", ""},
	{"a device's host and category", twoKeys + "devices:\n  - {name: x, address: 192.0.2.1, deny: [{host: a.example, category: social}]}\n", 4, 43, "either a host or a category", ""},
	{"a device's expired waiver", twoKeys + "devices:\n  - {name: x, address: 192.0.2.1, waivers: [{rule: cleartext, host: a.example, reason: x, until: 2026-01-01}]}\n", 4, 0, "the waiver expired on 2026-01-01", ""},
	{"a policy of names alone", "version: 1\ndevices: [{name: x, address: 192.0.2.1}]\n", 1, 1, "the policy names nothing", ""},
}

func TestParseBadDevices(t *testing.T) { checkBad(t, badDevices) }

func BenchmarkJudgeDevices(b *testing.B) {
	p := parse(b, devicePolicy)
	for _, client := range []string{"192.168.1.20:1", "192.168.1.99:1"} {
		f := from(client, "https://www.canada.ca/")
		b.Run(client, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Judge(f)
			}
		})
	}
}
