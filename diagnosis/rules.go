package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// noCommonTLS finds clients that share no version or cipher with the proxy, and those
// that insist on Encrypted ClientHello.
func (j *judge) noCommonTLS() {
	for _, p := range j.programs {
		var common, hidden trouble
		for _, host := range p.hosts(func(host string, c *counts) bool { return c.failed.count > 0 && !p.readFrom(host) }) {
			c := p.servers[host]
			if n := c.reasons.of(alertECHRequired); n > 0 {
				hidden.failing(p, host, n, c, alertECHRequired)
			}
			for _, code := range []int16{noVersion, noCipher, alertHandshakeFailure, alertProtocolVersion,
				alertInsufficientSecurity, alertInappropriateFallback, alertNoApplicationProtocol} {
				if n := c.reasons.of(code); n > 0 {
					common.failing(p, host, n, c, code)
				}
			}
		}
		if common.failed > 0 {
			j.add(j.uncommon(p, &common))
		}
		if hidden.failed > 0 {
			d := j.diagnosis(NoCommonTLS, p, &hidden)
			d.Key += "/ech/" + p.digest()
			d.Certainty = Certain
			d.Title = j.name(p) + " insists on Encrypted ClientHello, which hides the server's name"
			d.Next = append([]string{"Switch Encrypted ClientHello off in it, or encrypted DNS, from which it has the keys."}, passThrough(d.Hosts)...)
			j.add(d)
		}
	}
}

func (t *trouble) failing(p *program, host string, n int, c *counts, code int16) {
	t.failed += n
	t.reasons.add(code, int32(n))
	t.first, t.last = earliest(t.first, c.failed.first), max(t.last, c.failed.last)
	t.name(p, host)
}

// uncommon is a client with which the proxy has nothing in common.
func (j *judge) uncommon(p *program, t *trouble) Diagnosis {
	d := j.diagnosis(NoCommonTLS, p, t)
	d.Key += "/" + p.digest()
	d.Certainty = Certain
	if t.reasons.of(alertHandshakeFailure) == t.failed {
		d.Certainty = Likely // it is sent for other reasons too (RFC 8446, 6.2)
	}
	d.Title = j.name(p) + " and the proxy have no TLS version or cipher in common"
	if p.offered != 0 && p.offered < 0x0301 {
		d.Evidence = append(d.Evidence, "It offers nothing newer than SSL 3.0, which RFC 7568 forbids.")
	}
	d.Next = append([]string{"Update the program: telltale speaks TLS 1.0 to 1.3."}, passThrough(d.Hosts)...)
	return d
}

// systemPinning is about the services of the maker of the system.
func (j *judge) systemPinning() {
	for _, maker := range []string{"Apple", "Google"} {
		t := j.keepers[maker]
		if t == nil {
			continue
		}
		d := j.diagnosis(SystemPinning, nil, t)
		d.Key += "/" + strings.ToLower(maker)
		d.Certainty = Likely
		if t.refused < again && !t.alerts.spoke() {
			d.Certainty = Possible
		}
		d.Title = "services of " + maker + " refuse to be read, as they always do"
		if j.trusted == 0 {
			d.Title = "services of " + maker + " refuse to be read, and nothing else was read yet"
			d.Certainty = Possible
			d.Evidence = append(d.Evidence, "Nothing else was refused, and nothing was read yet: this does not tell whether the certificate is trusted.")
			d.Next = []string{"To tell: open any https page in the device's browser. It has to appear here."}
		} else {
			d.Evidence = append(d.Evidence, "Other connections of the device can be read: this is expected, and no trouble.")
			d.Next = []string{"Nothing to do: they are recorded and judged by name."}
			others := slices.DeleteFunc(slices.Clone(d.Hosts), func(host string) bool { return slices.Contains(relayHosts, host) })
			if host := typed(others); host != "" {
				d.Next = append(d.Next, "If something on the device does not work without them: `--passthrough "+host+"`.")
			}
		}
		j.add(d)
	}
}

// proxyIgnored finds an app that never came, and names that were looked up and never
// contacted. Through the tunnel every app comes, and many a name is looked up ahead.
func (j *judge) proxyIgnored() {
	if j.tunnel {
		return
	}
	seen := moment(j.now).Sub(moment(j.all.first))
	if j.all.first == 0 || seen < unhurried || j.clients.more > 0 {
		return
	}
	missing := j.neverContacted()
	absent := j.known.App != nil && !j.known.AppSeen && j.trusted != 0
	for _, p := range j.programs {
		if j.isApp(p) || p.agent == "" && p.all.count > p.read.count+p.plain.count {
			absent = false // it came, or may be behind what named no program
		}
	}
	if !absent && len(missing) == 0 {
		return
	}
	made := slices.DeleteFunc(slices.Clone(j.programs), func(p *program) bool { return p.all.count == 0 })
	d := j.diagnosis(ProxyIgnored, nil, &trouble{hosts: missing})
	d.Certainty = Possible
	if absent {
		d.Title = "the app never came through the proxy"
		d.Evidence = append(d.Evidence, fmt.Sprintf("In %s, %s of other programs came: %s. None bore the app's User-Agent.",
			round(seen), number(j.all.count, "contact"), j.names(made)))
	} else {
		d.Title = "some program does not use the proxy"
	}
	if len(missing) > 0 {
		d.Evidence = append(d.Evidence, "Names that were looked up and never contacted through the proxy: "+j.some(missing)+".")
	}
	if absent {
		d.Next = append(d.Next, "Open the app and use it; close it first, so that it starts with the proxy set.",
			"If it was used: `app.user-agent` in the policy may not fit what it sends.")
	}
	d.Next = append(d.Next,
		"Flutter apps, native sockets and HTTP/3 ignore the proxy of the Wi-Fi settings: nothing of them is seen.",
		"Use WireGuard, which takes every app of the device: `telltale record --wireguard`.",
		"In an app of your own, set the proxy in its HTTP client: `HttpClient.findProxy` in Dart.")
	j.add(d)
}

// neverContacted are the names that were asked by DNS a while ago, and not contacted.
func (j *judge) neverContacted() []string {
	if j.lookups.more > 0 {
		return nil
	}
	contacted := map[string]bool{}
	for _, p := range j.programs {
		if p.more > 0 {
			return nil // it may be among those that are not kept
		}
		for host := range p.servers {
			contacted[host] = true
		}
	}
	var missing []string
	for _, l := range j.lookups.parts {
		quiet := l.first != 0 && j.now-l.first >= int64(unhurried)
		if quiet && !contacted[l.name] && makerOf(l.name) == "" && !slices.Contains(relayHosts, l.name) && !slices.Contains(resolverHosts, l.name) {
			missing = append(missing, l.name)
		}
	}
	return missing
}

// hiddenByRelay finds signs of what leads round the proxy.
func (j *judge) hiddenByRelay() {
	relay, resolvers := j.contacts(relayHosts), j.contacts(resolverHosts)
	resolvers = slices.DeleteFunc(resolvers, func(host string) bool { return j.lookupWays(host) == inClear })
	if len(relay) > 0 {
		d := j.diagnosis(HiddenByRelay, nil, &trouble{hosts: relay})
		d.Key += "/relay"
		d.Certainty, d.Title = Possible, "Private Relay of iCloud may lead connections round the proxy"
		d.Evidence = []string{"The device asked for the relay: " + j.some(relay) + "."}
		d.Next = []string{
			"On the device: `Settings › Wi-Fi`, the info button beside the network, and switch off `Limit IP Address Tracking`.",
			"Switch off VPNs too, for the time of the audit.",
		}
		j.add(d)
	}
	if len(resolvers) > 0 && len(j.lookups.parts) > 0 {
		d := j.diagnosis(HiddenByRelay, nil, &trouble{hosts: resolvers})
		d.Key += "/resolvers"
		var ways lookupWays
		for _, host := range resolvers {
			ways |= j.lookupWays(host)
		}
		d.Certainty, d.Title = Possible, hides(ways)+" which names are looked up"
		d.Evidence = []string{"The device contacted resolvers: " + j.some(resolvers) + "."}
		if ways == 0 {
			d.Evidence = []string{"The device asked for the addresses of resolvers: " + j.some(resolvers) + "."}
		}
		d.Next = []string{"Switch off private or secure DNS in the settings of the system and of the browser, for the time of the audit."}
		j.add(d)
	}
}

// lookupWays returns how a resolver was spoken with, 0 where it was only looked up.
func (j *judge) lookupWays(host string) (ways lookupWays) {
	for _, p := range j.programs {
		if c := p.servers[host]; c != nil {
			ways |= c.lookup
		}
	}
	return ways
}

// hides says by what names are hidden.
func hides(ways lookupWays) string {
	var named []string
	for _, way := range []struct {
		is   lookupWays
		name string
	}{{overHTTPS, "DNS over HTTPS"}, {overTLS, "DNS over TLS"}, {overQUIC, "DNS over QUIC"}} {
		if ways&way.is != 0 {
			named = append(named, way.name)
		}
	}
	switch len(named) {
	case 0:
		return "encrypted DNS hides"
	case 1:
		return named[0] + " hides"
	}
	last := len(named) - 1
	return strings.Join(named[:last], ", ") + " and " + named[last] + " hide"
}

// contacts returns which of some hosts were contacted or looked up.
func (j *judge) contacts(hosts []string) []string {
	seen := map[string]bool{}
	for _, p := range j.programs {
		for _, host := range hosts {
			seen[host] = seen[host] || p.servers[host] != nil
		}
	}
	for _, l := range j.lookups.parts {
		seen[l.name] = true
	}
	var out []string
	for _, host := range hosts {
		if seen[host] {
			out = append(out, host)
		}
	}
	slices.Sort(out)
	return out
}

func round(d time.Duration) string {
	if d < 2*time.Minute {
		return number(int(d.Seconds()), "second")
	}
	return number(int(d.Minutes()), "minute")
}
