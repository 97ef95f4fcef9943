package reports

import (
	"strings"

	"telltale/diagnosis"
	"telltale/flow"
)

// maxTurnedAway bounds the clients that are told one by one: scanners are many.
const maxTurnedAway = 10

// failureWords say what a class of failures is, after "3 contacts", and what to do.
type failureWords struct {
	text string
	next []string
}

// failures are the words by class; those of "" are for a class that is not known.
var failures = map[string]failureWords{
	flow.FailureDNS: {"found no address for the name of the server", []string{
		"Look whether this machine can: `nslookup HOST`. A name that only another network knows needs `--resolve HOST:PORT:ADDRESS`.",
	}},
	flow.FailureRefused: {"reached a machine that has nothing on that port", []string{
		"Look whether the server is up, and whether the port is the right one.",
	}},
	flow.FailureReset: {"ended when the server, or a firewall before it, cut the connection", []string{
		"Try the same request without the proxy, from this machine.",
	}},
	flow.FailureTimeout: {"got no answer in time", []string{
		"Look whether this machine reaches the server: a firewall, or a network that only the device is in.",
	}},
	flow.FailureUnreachable: {"found no way to the server", []string{
		"Look whether this machine is online. Where it needs a proxy itself, name that with `--upstream-proxy URL`.",
	}},
	flow.FailureCertificate: {"met a server whose certificate this machine does not trust", []string{
		"For a test server with an authority of its own: `telltale record --upstream-ca FILE`.",
		"Else it is a finding: the app must not talk to that server either.",
	}},
	flow.FailureTLS: {"found no version or cipher of TLS in common with the server", []string{
		"Look at the server's TLS: what is older than TLS 1.2 is refused by telltale as by current systems.",
	}},
	flow.FailureTruncated: {"broke off before the end of the answer", []string{
		"Try the same request without the proxy: a server that closes early does so to everybody.",
	}},
	flow.FailureProtocol: {"got an answer that is not HTTP", []string{
		"Look whether the port is one of HTTP; `--passthrough HOST` lets the device talk to it unread.",
	}},
	diagnosis.Local: {"led to this machine itself or its link, which devices may not reach through the proxy", []string{
		"Where that is your own test server: `telltale record --allow-local`, or `--resolve HOST:PORT:ADDRESS` for one; `--allow-network PREFIX` for another network of this machine.",
	}},
	"": {"did not reach the server", []string{"Try the same request without the proxy, from this machine."}},
}

// untoldCertificate are the words for a certificate in a file of another program.
var untoldCertificate = failureWords{"ended at a certificate that was not trusted, by whom is not known", []string{
	"Record it with telltale: that tells a device that refuses telltale's certificate from a server whose certificate nobody should trust.",
}}

// admission says what lets a client in that was turned away.
func admission(c diagnosis.TurnedAway) []string {
	why := strings.ToLower(c.Why)
	switch {
	case strings.Contains(why, "public address"):
		return []string{"Where it is your device: name it with `--device " + c.Client + "`. Else it is a stranger: keep the proxy in a network of your own, with `--listen ADDRESS`."}
	case strings.Contains(why, "not one of the devices"):
		return []string{"Where it is your device: add `--device " + c.Client + "`. Its address may have changed."}
	case strings.Contains(why, "password"), strings.Contains(why, "credentials"):
		return []string{
			"Enter the user and password of `--auth` in the device's proxy settings.",
			"Apps that never ask for them cannot use a proxy with `--auth`: name the device with `--device` instead.",
		}
	case strings.Contains(why, "connections"):
		return []string{"Look what on the device opens that many connections, and restart it."}
	}
	return nil
}
