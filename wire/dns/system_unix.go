//go:build !windows

package dns

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"
)

// resolvConf is where every Unix names its resolvers, macOS included (resolv.conf(5)).
const resolvConf = "/etc/resolv.conf"

// maxConf bounds what is read of it, in bytes.
const maxConf = 64 << 10

// systemState is what the file was when it was last read.
type systemState struct {
	path     string // "" is resolvConf
	modified time.Time
	size     int64
}

// refresh reads the file if it is another one than before.
func (s *System) refresh() {
	path := s.state.path
	if path == "" {
		path = resolvConf
	}
	info, err := os.Stat(path)
	if err != nil {
		s.keep(nil, fmt.Errorf("read the resolvers of this machine: %w", err))
		s.state.modified = time.Time{}
		return
	}
	if s.err == nil && info.ModTime().Equal(s.state.modified) && info.Size() == s.state.size {
		return
	}
	s.state.modified, s.state.size = info.ModTime(), info.Size()
	text, err := readConf(path)
	if err != nil {
		s.keep(nil, fmt.Errorf("read the resolvers of this machine: %w", err))
		return
	}
	s.keep(nameservers(text), nil)
}

func readConf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxConf))
}

// nameservers reads the lines that name a resolver. Others, and what is no address, are
// left to those who know them.
func nameservers(text []byte) []netip.Addr {
	var list []netip.Addr
	for line := range bytes.Lines(text) {
		if i := bytes.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		fields := strings.Fields(string(line))
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(fields[1]); err == nil && !a.IsUnspecified() {
			list = append(list, a)
		}
	}
	return list
}
