package policy

import (
	"net/netip"
	"time"
)

// The types in this file are the policy file, version 1: the decoder, the JSON
// Schema and the reference (docs/policy.md) are made of the same structs. The tag
// `about` is the description of a key; `need` marks a key that must be there.

// document is a whole file.
type document struct {
	place
	Version     formatVersion  `yaml:"version" need:"true" about:"Version of the file's format: 1."`
	Name        text           `yaml:"name" about:"What the policy says, in one line. Reports show it as their title."`
	App         appEntry       `yaml:"app" about:"The app under audit."`
	Allow       []allowEntry   `yaml:"allow" about:"Hosts that the app may contact. Each entry is a host pattern, or a host pattern with limits."`
	Ignore      []ignoreEntry  `yaml:"ignore" about:"The device's own noise: recorded, never a violation. Each entry is a host pattern or a preset."`
	Deny        []denyEntry    `yaml:"deny" about:"Hosts that are forbidden even where allow names them. Each entry is a host pattern or a category."`
	Consent     []consentEntry `yaml:"consent" least:"1" about:"Hosts that a person has to agree to first. They change no verdict: --simulate consent-refused lets them answer nothing. Each entry is a host pattern or a category."`
	Require     requireEntry   `yaml:"require" about:"How connections to allowed hosts must be secured."`
	NeverSend   []secretEntry  `yaml:"never-send" about:"Values that must not leave the device, whatever the host. Reports and exports mask them."`
	Identifiers identifierList `yaml:"identifiers" about:"Which hosts must not get which kind of identifiers: never (no host may), third-parties (no host that is not allowed may) or ignore (every host may)."`
	Waivers     []waiverEntry  `yaml:"waivers" about:"Violations that are excused until a date."`
	Devices     []deviceEntry  `yaml:"devices" least:"1" about:"Devices by their addresses: what they are called, and what is true for one of them alone."`
	Notify      notifyEntry    `yaml:"notify" about:"Who is told of what happens, and where."`
	On          []actionEntry  `yaml:"on" least:"1" about:"Programs that are run when something happens. Each gets the event as JSON on its standard input."`
	Record      recordEntry    `yaml:"record" about:"What of the traffic is kept."`
}

type appEntry struct {
	place
	UserAgent text `yaml:"user-agent" about:"Which User-Agent headers are the app's own; * stands for any characters. A preset under ignore never excuses the app's own requests."`
}

type allowEntry struct {
	place
	Host    hostPattern `yaml:"host" need:"true" about:"Host pattern: canada.ca, *.canada.ca, .canada.ca, an IP address or a CIDR block; a :port may follow."`
	Methods []method    `yaml:"methods" about:"Only these HTTP methods, in upper case. Without it, every method."`
	Paths   []pathGlob  `yaml:"paths" about:"Only these paths; * stands for any characters, slashes included. Compared without the query, decoded and normalised. Without it, every path."`
	Reason  text        `yaml:"reason" about:"Why the host is allowed, for people who read the policy."`
}

type ignoreEntry struct {
	place
	Host   hostPattern `yaml:"host" about:"Host pattern, as under allow."`
	Preset presetName  `yaml:"preset" about:"A pack of hosts that a kind of device contacts by itself."`
	Reason text        `yaml:"reason" about:"Why it is ignored, for people who read the policy."`
}

type denyEntry struct {
	place
	Host     hostPattern  `yaml:"host" about:"Host pattern, as under allow."`
	Category categoryName `yaml:"category" about:"A class of hosts in the catalogue."`
	Reason   text         `yaml:"reason" about:"Why it is forbidden, for people who read the policy."`
}

type consentEntry struct {
	place
	Host     hostPattern  `yaml:"host" about:"Host pattern, as under allow."`
	Category categoryName `yaml:"category" about:"A class of hosts in the catalogue."`
	Reason   text         `yaml:"reason" about:"What the consent is about, for people who read the policy."`
}

type requireEntry struct {
	place
	HTTPS       boolean     `yaml:"https" about:"Cleartext HTTP to an allowed host is a violation (default true)."`
	TLS         tlsVersion  `yaml:"tls" about:"Lowest TLS version towards the server (default 1.2)."`
	Certificate certificate `yaml:"certificate" about:"valid (default): a certificate that does not verify is a violation; any: it is not."`
}

type secretEntry struct {
	place
	Name  text `yaml:"name" need:"true" about:"What the value is; findings name it in place of the value."`
	Value text `yaml:"value" about:"The value, at least 4 characters. Take it from the environment: ${TEST_EMAIL}."`
	File  text `yaml:"file" about:"A file that holds the value and nothing else, in place of value. Its path is relative to the policy file; a line break at its end does not count."`
}

type waiverEntry struct {
	place
	Rule   ruleName    `yaml:"rule" need:"true" about:"The rule whose violations are excused."`
	Host   hostPattern `yaml:"host" need:"true" about:"Host pattern, as under allow."`
	Reason text        `yaml:"reason" need:"true" about:"Why it is excused."`
	Until  date        `yaml:"until" need:"true" about:"Last day on which it is excused, as 2027-01-31 (UTC). From the next day on the file is an error."`
}

type deviceEntry struct {
	place
	Name    text          `yaml:"name" need:"true" about:"What the device is called, on the screen and in reports."`
	Address addressList   `yaml:"address" need:"true" about:"Its IP address or CIDR block, or a list of them. An address is that of one device."`
	Allow   []allowEntry  `yaml:"allow" least:"1" about:"As the section allow, for this device alone."`
	Ignore  []ignoreEntry `yaml:"ignore" least:"1" about:"As the section ignore, for this device alone."`
	Deny    []denyEntry   `yaml:"deny" least:"1" about:"As the section deny, for this device alone."`
	Waivers []waiverEntry `yaml:"waivers" least:"1" about:"As the section waivers, for this device alone."`
}

// place is where something stands in the file; zero when it is absent.
type place struct {
	Line    int    `yaml:"-"`
	Column  int    `yaml:"-"`
	written string // a scalar as written, variables not expanded
}

func (p *place) setPlace(q place) { *p = q }

func (p place) present() bool { return p.Line > 0 }

// The scalar types. Each carries its place, so that what is found wrong later can
// still be pointed at.
type (
	text struct {
		place
		Value string
	}
	formatVersion struct {
		place
		Value int
	}
	boolean struct {
		place
		Value bool
	}
	hostPattern struct {
		place
		Pattern Pattern
	}
	method struct {
		place
		Value string
	}
	pathGlob struct {
		place
		Value string
	}
	presetName struct {
		place
		Value string
	}
	categoryName struct {
		place
		Value string
	}
	ruleName struct {
		place
		Value Rule
	}
	tlsVersion struct {
		place
		Value uint16 // as in crypto/tls
	}
	certificate struct {
		place
		Any bool
	}
	date struct {
		place
		Value time.Time // midnight UTC
	}
	address struct {
		place
		Prefix netip.Prefix // masked; of one address for an address
	}
	// addressList is one address or several.
	addressList struct {
		place
		Value []address
	}
)

// shorthand marks entries that may be written as their host alone.
type shorthand interface{ hostField() *hostPattern }

func (e *allowEntry) hostField() *hostPattern  { return &e.Host }
func (e *ignoreEntry) hostField() *hostPattern { return &e.Host }
func (e *denyEntry) hostField() *hostPattern   { return &e.Host }

func (e *consentEntry) hostField() *hostPattern { return &e.Host }
