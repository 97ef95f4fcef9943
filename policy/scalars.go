package policy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"telltale/policy/catalog"
)

func (t *text) decodeScalar(d *decoder, n ast.Node) (err error) {
	if t.Value, err = d.stringOf(n); err != nil {
		return err
	}
	if strings.TrimSpace(t.Value) == "" {
		return d.errorOn(n, "the text is empty", "give it a value or remove the key")
	}
	return nil
}

func (v *formatVersion) decodeScalar(d *decoder, n ast.Node) error {
	_, integer := n.(*ast.IntegerNode)
	_, decimal := n.(*ast.FloatNode)
	if !integer && !decimal {
		return d.errorOn(n, "version must be the number 1, found "+describe(n), "write version: 1")
	}
	if n.GetToken().Value != "1" {
		return d.errorOn(n, "version "+n.GetToken().Value+" is not known to this program", "write version: 1, or use a newer telltale")
	}
	v.Value = 1
	return nil
}

func (b *boolean) decodeScalar(d *decoder, n ast.Node) error {
	node, ok := n.(*ast.BoolNode)
	if !ok {
		return d.errorOn(n, "expected true or false, found "+describe(n), "write true or false, without quotes")
	}
	b.Value = node.Value
	return nil
}

func (h *hostPattern) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	h.Pattern, err = ParsePattern(s)
	var bad *PatternError
	if errors.As(err, &bad) {
		return d.errorOn(n, bad.Error(), bad.Hint())
	}
	return err
}

// decodeScalar takes an HTTP method (RFC 9110, 9.1): case-sensitive, a token.
func (m *method) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if upper := strings.ToUpper(s); upper != s {
		return d.errorOn(n, fmt.Sprintf("method %q is not in upper case; did you mean %q?", s, upper), "methods are case-sensitive: "+upper)
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}*`, c) >= 0 {
			return d.errorOn(n, fmt.Sprintf("%q is not an HTTP method", s), "leave methods out to allow every method")
		}
	}
	if s == "" {
		return d.errorOn(n, "the method is empty", "leave methods out to allow every method")
	}
	m.Value = s
	return nil
}

func (p *pathGlob) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if message, hint := checkPathGlob(s); message != "" {
		return d.errorOn(n, fmt.Sprintf("path %q %s", s, message), hint)
	}
	p.Value = s
	return nil
}

func (p *presetName) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if _, ok := catalog.FindPreset(s); !ok {
		suffix, hint := didYouMean(s, presetNames())
		return d.errorOn(n, fmt.Sprintf("unknown preset %q%s", s, suffix), hint)
	}
	p.Value = s
	return nil
}

func presetNames() []string {
	var names []string
	for _, p := range catalog.Presets() {
		names = append(names, p.Name)
	}
	return names
}

func (c *categoryName) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if _, ok := catalog.FindCategory(s); !ok {
		suffix, hint := didYouMean(s, categoryNames())
		return d.errorOn(n, fmt.Sprintf("unknown category %q%s", s, suffix), hint)
	}
	c.Value = s
	return nil
}

func categoryNames() []string {
	var names []string
	for _, c := range catalog.Categories() {
		names = append(names, c.Name)
	}
	return names
}

func (r *ruleName) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	for _, rule := range Rules {
		if string(rule) == s {
			r.Value = rule
			return nil
		}
	}
	suffix, hint := didYouMean(s, ruleNames())
	return d.errorOn(n, fmt.Sprintf("unknown rule %q%s", s, suffix), hint)
}

func ruleNames() []string {
	var names []string
	for _, rule := range Rules {
		names = append(names, string(rule))
	}
	return names
}

// tlsVersions are the versions that a policy can name, lowest first.
var tlsVersions = []struct {
	name  string
	value uint16
}{{"1.0", tls.VersionTLS10}, {"1.1", tls.VersionTLS11}, {"1.2", tls.VersionTLS12}, {"1.3", tls.VersionTLS13}}

// decodeScalar takes the version with or without quotes: 1.2 is the same to YAML
// and to people.
func (v *tlsVersion) decodeScalar(d *decoder, n ast.Node) error {
	s := written(n)
	if _, number := n.(*ast.FloatNode); !number {
		var err error
		if s, err = d.stringOf(n); err != nil {
			return d.errorOn(n, "expected a TLS version, found "+describe(n), `write tls: "1.2"`)
		}
	}
	var names []string
	for _, version := range tlsVersions {
		if version.name == s {
			v.Value = version.value
			return nil
		}
		names = append(names, version.name)
	}
	return d.errorOn(n, fmt.Sprintf("unknown TLS version %q", s), "one of: "+strings.Join(names, ", "))
}

func (c *certificate) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if s != "valid" && s != "any" {
		suffix, _ := didYouMean(s, []string{"valid", "any"})
		return d.errorOn(n, fmt.Sprintf("certificate cannot be %q%s", s, suffix), "write certificate: valid, or certificate: any")
	}
	c.Any = s == "any"
	return nil
}

func (t *date) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return d.errorOn(n, "expected a date, found "+describe(n), "write it as 2027-01-31")
	}
	if t.Value, err = time.Parse(time.DateOnly, s); err != nil {
		return d.errorOn(n, strconv.Quote(s)+" is not a date", "write it as 2027-01-31")
	}
	if today := d.now.UTC().Truncate(24 * time.Hour); t.Value.Before(today) {
		return d.errorOn(n, "the waiver expired on "+s, "remove it, or decide again and give it a new date")
	}
	return nil
}

// decodeScalar takes one address, or a list of them.
func (l *addressList) decodeScalar(d *decoder, n ast.Node) error {
	nodes := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		nodes = list.Values
	}
	for _, node := range nodes {
		var a address
		if err := d.decode(node, reflect.ValueOf(&a).Elem()); err != nil {
			return err
		}
		l.Value = append(l.Value, a)
	}
	return nil
}

// decodeScalar takes an IP address or a CIDR block of them (RFC 4632, 3.1), the
// IPv4-mapped form as the address that it stands for.
func (a *address) decodeScalar(d *decoder, n ast.Node) error {
	s, err := d.stringOf(n)
	if err != nil {
		return err
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		if addr.Zone() != "" {
			return d.errorOn(n, fmt.Sprintf("the address %q has a zone", s), "write it as "+strconv.Quote(addr.WithZone("").String()))
		}
		addr = addr.Unmap()
		a.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return d.errorOn(n, fmt.Sprintf("%q is neither an IP address nor a CIDR block", s), "write it as 192.168.1.20, as 192.168.1.0/24 or as a list of them")
	}
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	if a.Prefix = prefix.Masked(); a.Prefix != prefix {
		return d.errorOn(n, fmt.Sprintf("the block %q has bits behind its prefix", s), "write "+strconv.Quote(a.Prefix.String()))
	}
	return nil
}

// String returns the address, or the block, in its shortest form.
func (a address) String() string {
	if a.Prefix.IsSingleIP() {
		return a.Prefix.Addr().String()
	}
	return a.Prefix.String()
}
