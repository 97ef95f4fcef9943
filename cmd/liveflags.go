package cmd

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"telltale/flow"
	"telltale/policy"
	"telltale/proxy"
	"telltale/reports"
)

// liveFlags are the flags of the commands that run a proxy.
type liveFlags struct {
	policy policyFlags
	report reportFlags
	gate   gateFlags // only record has flags for it
	app    appFlags

	listen           string
	save             string
	keep             string
	duration         time.Duration
	bounded          bool // --for was given
	until            string
	deadline         time.Time // of --until; zero without it
	devices          []string
	auth             string
	passthrough      []string
	experiments      experimentFlags
	upstreamProxy    string
	upstreamCA       string
	insecureUpstream bool
	resolve          []string
	allowLocal       bool
	allowNetworks    []string
	bodyLimit        string
	ca               string
	caPassphrase     passphraseSource
	ways             wayFlags
	notify           []string
	bodies           string
	feed             string
	feedLifetime     time.Duration
	idle             bool // only record has a flag for it
}

func (l *liveFlags) register(c *cobra.Command) {
	l.policy.register(c)
	l.report.register(c)
	l.app.register(c)
	l.gate.minFlows = reports.FewFlows
	f := c.Flags()
	f.StringVar(&l.listen, "listen", ":8080", "`address` of the proxy; port 0 picks a free one")
	f.StringVar(&l.save, "save", "", "keep the capture in `file` (.telltale)")
	f.StringVar(&l.keep, "keep", "168h", "how long a capture without --save is kept: a `duration`, forever or none")
	f.DurationVar(&l.duration, "for", 0, "stop after this `duration`, for example 90s or 10m")
	f.StringVar(&l.until, "until", "", "stop at this local `time`: 18:30, or 2027-01-31T06:00")
	f.StringArrayVar(&l.devices, "device", nil, "accept only the client with this `IP` address; repeatable")
	f.StringVar(&l.auth, "auth", "", "ask clients for proxy authentication: `user:password`")
	f.StringArrayVar(&l.passthrough, "passthrough", nil, "do not decrypt hosts that match `pattern`; they are recorded and judged by name; repeatable")
	l.experiments.register(c)
	f.StringVar(&l.upstreamProxy, "upstream-proxy", "", "reach the servers through the proxy at `URL`")
	f.StringVar(&l.upstreamCA, "upstream-ca", "", "also trust the CAs in `file` (PEM) towards servers")
	f.BoolVar(&l.insecureUpstream, "insecure-upstream", false, "accept any server certificate; recorded on every flow")
	f.StringArrayVar(&l.resolve, "resolve", nil, "reach servers at another address by a `rule` HOST:PORT:ADDR[:PORT] instead of asking DNS; * is any host or port; repeatable")
	f.BoolVar(&l.allowLocal, "allow-local", false, "let devices reach this machine (loopback, own addresses) and its other networks through the proxy")
	f.StringArrayVar(&l.allowNetworks, "allow-network", nil, "let devices reach this `network` (10.1.0.0/16, or one address) through the proxy although it is another one of this machine, such as a VPN; repeatable")
	f.StringVar(&l.bodyLimit, "body-limit", "1MiB", "`size` of each body that is recorded; 0 records none; what is forwarded is never cut")
	f.StringVar(&l.bodies, "bodies", "", "whose bodies are recorded: `all`, violations or none (default: what the policy says)")
	f.StringArrayVar(&l.notify, "notify", nil, "tell of violations at `URL`: Slack, Teams, Discord, a webhook, mailto:, github:, or env:NAME where that stands; repeatable")
	f.StringVar(&l.feed, "feed", "", "serve the events of this audit to other programs at `address`, such as 4317")
	f.DurationVar(&l.feedLifetime, "feed-lifetime", 24*time.Hour, "how long the token of --feed is good: a `duration`")
	f.StringVar(&l.ca, "ca", "", "`folder` of the certificate authority (default: "+caFolderHelp+")")
	_ = c.MarkFlagDirname("ca")
	l.caPassphrase = keyPassphrase()
	l.caPassphrase.register(f)
	l.ways.register(c)
}

// proxyConfig reads the flags that describe the wire.
func (l *liveFlags) proxyConfig() (proxy.Config, error) {
	if l.bounded && l.duration <= 0 {
		return proxy.Config{}, fmt.Errorf("--for: %s is no time to record for", l.duration)
	}
	if l.until != "" {
		var err error
		if l.deadline, err = parseDeadline(l.until, time.Now()); err != nil {
			return proxy.Config{}, err
		}
	}
	if err := l.checkBodies(); err != nil {
		return proxy.Config{}, err
	}
	cfg := proxy.Config{AllowLocal: l.allowLocal, InsecureUpstream: l.insecureUpstream}
	var err error
	if cfg.BodyLimit, err = parseSize(l.bodyLimit); err != nil {
		return cfg, fmt.Errorf("--body-limit: %w", err)
	}
	if cfg.Devices, err = parseDevices(l.devices); err != nil {
		return cfg, err
	}
	if cfg.AllowNetworks, err = parseNetworks(l.allowNetworks); err != nil {
		return cfg, err
	}
	if cfg.Resolve, err = parseResolves(l.resolve); err != nil {
		return cfg, err
	}
	if l.auth != "" {
		var ok bool
		if cfg.User, cfg.Password, ok = strings.Cut(l.auth, ":"); !ok || cfg.User == "" {
			return cfg, errors.New("--auth: expected user:password")
		}
	}
	if cfg.UpstreamProxy, err = parseUpstreamProxy(l.upstreamProxy); err != nil {
		return cfg, err
	}
	if cfg.UpstreamRoots, err = upstreamRoots(l.upstreamCA); err != nil {
		return cfg, err
	}
	return cfg, l.ways.configure(&cfg)
}

func parseDevices(list []string) ([]netip.Addr, error) {
	var devices []netip.Addr
	for _, s := range list {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("--device: %q is not an IP address", s)
		}
		devices = append(devices, addr.Unmap())
	}
	return devices, nil
}

// parseNetworks reads prefixes and single addresses.
func parseNetworks(list []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, s := range list {
		if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			networks = append(networks, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil || p.Addr().Is4In6() {
			return nil, fmt.Errorf("--allow-network: %q is neither a network such as 10.1.0.0/16 nor an IP address", s)
		}
		if p != p.Masked() {
			return nil, fmt.Errorf("--allow-network: %s has bits beyond its length; the network is %s", s, p.Masked())
		}
		networks = append(networks, p)
	}
	return networks, nil
}

func parseResolves(list []string) ([]proxy.Resolve, error) {
	var rules []proxy.Resolve
	for _, s := range list {
		rule, err := parseResolve(s)
		if err != nil {
			return nil, fmt.Errorf("--resolve %s: %w", s, err)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// parseResolve reads HOST:PORT:ADDR[:PORT]. IPv6 addresses may stand in brackets, as HOST
// they have to; without them, all that follows the port is the address.
func parseResolve(s string) (proxy.Resolve, error) {
	var rule proxy.Resolve
	host, rest, ok := strings.Cut(s, ":")
	if strings.HasPrefix(s, "[") {
		host, rest, ok = strings.Cut(s[1:], "]:")
	}
	port, target, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 || host == "" || target == "" {
		return rule, errors.New("expected HOST:PORT:ADDR or HOST:PORT:ADDR:PORT")
	}
	rule.Host, rule.Port = "*", port
	if host != "*" {
		rule.Host = flow.CanonicalHost(host)
	}
	if port != "*" && !validPort(port) {
		return rule, fmt.Errorf("%q is not a port", port)
	}
	if addr, err := netip.ParseAddr(strings.Trim(target, "[]")); err == nil {
		rule.Addr = addr
		return rule, nil
	}
	addr, toPort, err := net.SplitHostPort(target)
	if err != nil {
		return rule, fmt.Errorf("%q is not an IP address", target)
	}
	if rule.Addr, err = netip.ParseAddr(addr); err != nil {
		return rule, fmt.Errorf("%q is not an IP address", addr)
	}
	if !validPort(toPort) {
		return rule, fmt.Errorf("%q is not a port", toPort)
	}
	rule.ToPort = toPort
	return rule, nil
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

func parseUpstreamProxy(s string) (*url.URL, error) {
	if s == "" {
		return nil, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return nil, errors.New("--upstream-proxy: expected a URL such as http://127.0.0.1:3128")
	}
	switch u.Scheme {
	case "http", "https", "socks5":
		return u, nil
	}
	return nil, fmt.Errorf("--upstream-proxy: unknown scheme %q; known are http, https and socks5", u.Scheme)
}

// upstreamRoots adds the CAs of a file to those of the system.
func upstreamRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--upstream-ca: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without roots still trusts the file
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--upstream-ca: %s holds no PEM certificate", file)
	}
	return pool, nil
}

// recording says whose bodies are kept: what the flag says goes before the policy's word.
func (l *liveFlags) recording(pol *policy.Policy) policy.Recording {
	r := pol.Recording()
	if l.bodies != "" {
		r.Bodies = policy.Bodies(l.bodies)
	}
	return r
}

// checkBodies refuses a --bodies that says nothing.
func (l *liveFlags) checkBodies() error {
	switch policy.Bodies(l.bodies) {
	case "", policy.AllBodies, policy.ViolationsBodies, policy.NoBodies:
		return nil
	}
	return fmt.Errorf("--bodies: %q is none of all, violations and none", l.bodies)
}

// sizeUnits are what may follow the number of a size.
var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"b", 1}, {"", 1},
}

// parseSize reads "0", "4096", "64KiB", "1MiB", "10MB".
func parseSize(s string) (int64, error) {
	lower := strings.ToLower(strings.TrimSpace(s))
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(lower, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/unit.bytes {
			break
		}
		return n * unit.bytes, nil
	}
	return 0, fmt.Errorf("%q is not a size; expected a number and a unit such as 64KiB or 1MiB", s)
}

// passthroughPatterns reads --passthrough.
func (l *liveFlags) passthroughPatterns() ([]policy.Pattern, error) {
	var patterns []policy.Pattern
	for _, s := range l.passthrough {
		p, err := policy.ParsePattern(s)
		if err != nil {
			return nil, fmt.Errorf("--passthrough: %w", err)
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}
