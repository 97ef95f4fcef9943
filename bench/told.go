package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// toldLimit is what it may cost to tell somebody: of the rate while nobody is told.
const toldLimit = 0.95

// The contenders of the scenario: every request breaks the policy.
const (
	silentName = "telltale, nobody told"
	toldName   = "telltale, told"
)

// toldPolicy allows nothing of the load, and may name a receiver.
func toldPolicy(receiver string) string {
	text := "version: 1\nallow: [\"*.canada.ca\"]\n"
	if receiver != "" {
		text += fmt.Sprintf("notify:\n  to:\n    - name: hangs\n      webhook: http://%s/\n", receiver)
	}
	return text
}

// told asks what it costs the recording that somebody is told of every violation, whose
// receiver takes connections and never answers.
func (b *bench) told() ([]row, error) {
	if b.telltale == "" {
		return nil, nil
	}
	receiver, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer receiver.Close()
	policies := map[string]string{silentName: toldPolicy(""), toldName: toldPolicy(receiver.Addr().String())}
	contenders := b.contenders
	defer func() { b.contenders = contenders }()
	b.contenders = nil
	for _, name := range []string{toldName, silentName} {
		file := filepath.Join(b.dir, name+".yaml")
		if err := os.WriteFile(file, []byte(policies[name]), 0o600); err != nil {
			return nil, err
		}
		b.contenders = append(b.contenders, contender{name, func() (*process, error) { return b.startTelltaleBy(file) }})
	}
	rows, err := b.compare("told", b.small("http/1.1", b.http1Port)) // beside the second
	if err != nil {
		return nil, err
	}
	rows[0].wanted, rows[0].met = fmt.Sprintf("≥ %.2f", toldLimit), rows[0].share >= toldLimit
	return rows, nil
}
