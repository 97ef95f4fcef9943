package catalog

import (
	"net/netip"
	"strings"
)

// EncryptedDNS is the category of contacts that hide from the network which names are
// looked up.
const EncryptedDNS = "encrypted-dns"

// A Resolver is a public resolver of DNS.
type Resolver struct {
	Operator   string   `yaml:"operator"`
	Hosts      []string `yaml:"hosts"`     // "host", or ".host" with everything below
	Addresses  []string `yaml:"addresses"` // or blocks of them
	Source     string   `yaml:"source"`
	Confidence string   `yaml:"confidence"` // A, B, or Unverified
}

// Resolvers returns every public resolver. The caller must not change it.
func Resolvers() []Resolver { return load().resolvers }

// FindResolver returns the public resolver behind a canonical host, a name or an IP
// address. Where several rows have it, the longest name wins.
func FindResolver(host string) (*Resolver, bool) {
	d := load()
	if rows := d.resolverHosts.find(host); len(rows) > 0 {
		return &d.resolvers[rows[0]], true
	}
	if !mayBeAddress(host) {
		return nil, false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return nil, false
	}
	if row, ok := d.resolverAddrs[addr]; ok {
		return &d.resolvers[row], true
	}
	for _, b := range d.resolverBlocks {
		if b.prefix.Contains(addr) {
			return &d.resolvers[b.row], true
		}
	}
	return nil, false
}

// mayBeAddress spares names the cost of an error of the parser.
func mayBeAddress(host string) bool {
	return host != "" && (strings.IndexByte(host, ':') >= 0 || host[len(host)-1] >= '0' && host[len(host)-1] <= '9')
}

// block is a block of addresses of a row.
type block struct {
	prefix netip.Prefix
	row    int
}

// addResolvers fills the indexes. An address that does not parse is a fault of the
// program, as a table that does not.
func (d *data) addResolvers() {
	d.resolverAddrs = map[netip.Addr]int{}
	for i := range d.resolvers {
		d.resolverHosts.add(i, d.resolvers[i].Hosts)
		for _, a := range d.resolvers[i].Addresses {
			if strings.Contains(a, "/") {
				d.resolverBlocks = append(d.resolverBlocks, block{netip.MustParsePrefix(a), i})
				continue
			}
			d.resolverAddrs[netip.MustParseAddr(a)] = i
		}
	}
}
