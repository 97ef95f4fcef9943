package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What the scenario sent posts, and what it is allowed to cost.
const (
	sentSize  = 4 << 10
	canaries  = 50
	sentLimit = 0.8 // of the rate without canaries
)

// The contenders of the scenario: telltale without and with values under never-send.
const (
	plainName   = "telltale, no value"
	seekingName = "telltale, 50 values"
)

// sentBody returns JSON as apps send it, of about sentSize bytes, each time another.
func sentBody(round, n int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"sequence":%d,"batch":%d,"app":{"name":"CovidShield","version":"1.0.2","build":"231"},"events":[`, n, round)
	for i := 0; b.Len() < sentSize-160; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"screen_view","at":"2026-11-20T12:%02d:%02d.%03dZ","took":%d.%d,"params":{"screen":"home/exposure","items":%d,"dark":%t,"note":"opened from the list \u2013 again"}}`,
			n/60%60, n%60, i, i*37%900, n%10, i*n%250, i%2 == 0)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

// sentPolicy is the policy with values that none of the requests holds.
func sentPolicy() string {
	var b strings.Builder
	b.WriteString(policyText + "never-send:\n")
	for i := range canaries {
		value := fmt.Sprintf("jane.roe+%d@mailbox%d.example", i*7919, i)
		if i%2 == 1 {
			value = fmt.Sprintf("%08x-91c4-4d1e-8a%02x-5be77f%06x", 0x8f21c0de+i*104729, i, i*7)
		}
		fmt.Fprintf(&b, "  - name: value %d\n    value: %q\n", i, value)
	}
	return b.String()
}

// sent asks what it costs to look for values in what devices send.
func (b *bench) sent() ([]row, error) {
	if b.telltale == "" {
		return nil, nil
	}
	seeking := filepath.Join(b.dir, "canaries.yaml")
	if err := os.WriteFile(seeking, []byte(sentPolicy()), 0o600); err != nil {
		return nil, err
	}
	contenders := b.contenders
	defer func() { b.contenders = contenders }()
	b.contenders = []contender{
		{seekingName, func() (*process, error) { return b.startTelltaleBy(seeking) }},
		{plainName, b.startTelltale},
	}
	rows, err := b.compare("sent", b.posts()) // beside the second
	if err != nil {
		return nil, err
	}
	rows[0].wanted, rows[0].met = fmt.Sprintf("≥ %.1f", sentLimit), rows[0].share >= sentLimit
	return rows, nil
}

// posts is the load of apps that send 4 KiB of JSON each time.
func (b *bench) posts() load {
	return load{unit: "request", open: func(proxy string) (session, error) {
		clients, err := openAll(proxy, "api."+domain+":"+b.http1Port, "http/1.1")
		made := 0
		return session{
			round: func(round int) (int, error) {
				n, err := drive(len(clients), lasting(b.period), func(worker, n int) error {
					return clients[worker].(*http1).send("/v1/events", sentBody(round, n))
				})
				made += n
				return n, err
			},
			requests: func() int { return made },
			close:    func() { closeAll(clients) },
		}, err
	}}
}
