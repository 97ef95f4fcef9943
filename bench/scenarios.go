package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The sizes of the loads, and the limits that telltale sets itself.
const (
	manyClients  = 64 // for requests on connections that stay
	someWorkers  = 16 // for connections that come and go
	newNames     = 2000
	bulkMiB      = 256
	bulkTimes    = 2 // transfers of one round: a short one is lost in the CPU clock's steps
	bulkPeak     = 64 << 20
	recordedMany = 100_000
	recordedPeak = 100 << 20
	recordedDisk = 2000 // bytes a flow
	lonelyRounds = 400  // requests of one round, one at a time
	addedLimit   = 150 * time.Microsecond
)

// A scenario is one question, with its answer in rows.
type scenario struct {
	name, title string
	run         func(*bench) ([]row, error)
}

// scenarios is the only list of them.
var scenarios = []scenario{
	{"h1", "small requests over HTTP/1.1, 64 clients", func(b *bench) ([]row, error) {
		return b.compare("h1", b.small("http/1.1", b.http1Port))
	}},
	{"h2", "small requests over HTTP/2, 64 clients", func(b *bench) ([]row, error) {
		return b.compare("h2", b.small("h2", b.http2Port))
	}},
	{"tls", "new TLS connections to one host", func(b *bench) ([]row, error) {
		return b.compare("tls", b.visits(func(int, int) string { return "www." + domain }, 0))
	}},
	{"names", "first contact with 2,000 new names", func(b *bench) ([]row, error) {
		name := func(round, n int) string { return fmt.Sprintf("n%d-%d.%s", round, n, domain) }
		return b.compare("names", b.visits(name, newNames))
	}},
	{"down", "256 MiB from the server", func(b *bench) ([]row, error) {
		return b.compare("down", b.bulk(func(c *http1) error {
			return c.get("/bytes/" + strconv.Itoa(bulkMiB<<20))
		}))
	}},
	{"up", "256 MiB to the server", func(b *bench) ([]row, error) {
		return b.compare("up", b.bulk(func(c *http1) error { return c.post("/upload", bulkMiB<<20) }))
	}},
	{"sent", "4 KiB of JSON in each request, 64 clients, without and with 50 values to look for", (*bench).sent},
	{"told", "small requests that break the policy, without and with a receiver that hangs", (*bench).told},
	{"latency", "one request at a time", (*bench).latency},
	{"recorded", "100,000 recorded flows", (*bench).longAudit},
	{"whole", "a whole device through the tunnel", (*bench).wholeDevice},
	{"locate", "an APK of 100 MB, 100 hosts", (*bench).locateApp},
	{"check", "a HAR of 200 MB and 100,000 entries", (*bench).checkHAR},
	{"folder", "1,000 HARs of 20 kB", (*bench).checkFolder},
}

// names lists the scenarios for the help text.
func names() string {
	var all []string
	for _, s := range scenarios {
		all = append(all, s.name)
	}
	return strings.Join(all, ", ")
}

// small is the load of an app that keeps its connections.
func (b *bench) small(protocol, port string) load {
	return load{unit: "request", wanted: 0.8, open: func(proxy string) (session, error) {
		clients, err := openAll(proxy, "api."+domain+":"+port, protocol)
		made := 0
		return session{
			round: func(round int) (int, error) {
				n, err := drive(len(clients), lasting(b.period), func(worker, n int) error {
					return clients[worker].get(keysPath(round, n))
				})
				made += n
				return n, err
			},
			requests: func() int { return made },
			close:    func() { closeAll(clients) },
		}, err
	}}
}

// keysPath makes each URL another, as real ones are.
func keysPath(round, n int) string { return fmt.Sprintf("/v1/keys/%d/%d?region=302", round, n) }

// openAll opens the connections of the many clients.
func openAll(proxy, target, protocol string) ([]client, error) {
	clients := make([]client, manyClients)
	_, err := drive(someWorkers, counting(manyClients), func(_, n int) (err error) {
		clients[n], err = newClient(proxy, target, protocol)
		return err
	})
	return clients, err
}

func closeAll(clients []client) {
	for _, c := range clients {
		if c != nil {
			c.Close()
		}
	}
}

// visits is the load of apps that connect, ask once and leave: total of them a
// round, or for the period when total is 0.
func (b *bench) visits(name func(round, n int) string, total int) load {
	l := load{unit: "visit", wanted: 0.9}
	if total > 0 {
		l.rounds = 3 // each is long, and makes all names new
	}
	l.open = func(proxy string) (session, error) {
		made := 0
		return session{
			round: func(round int) (int, error) {
				more := counting(total)
				if total == 0 {
					more = lasting(b.period)
				}
				n, err := drive(someWorkers, more, func(_, n int) error {
					return visit(proxy, name(round, n)+":"+b.http1Port)
				})
				made += n
				return n, err
			},
			requests: func() int { return made },
		}, nil
	}
	return l
}

// visit makes one request on a connection of its own.
func visit(proxy, target string) error {
	c, err := newClient(proxy, target, "http/1.1")
	if err != nil {
		return err
	}
	defer c.Close()
	return c.get("/v1/hello")
}

// bulk is the load of one big body at a time.
func (b *bench) bulk(transfer func(*http1) error) load {
	return load{unit: "MiB", wanted: 0.9, peak: bulkPeak, open: func(proxy string) (session, error) {
		c, err := newClient(proxy, "files."+domain+":"+b.http1Port, "http/1.1")
		if err != nil {
			return session{}, err
		}
		made := 0
		return session{
			round: func(int) (int, error) {
				for range bulkTimes {
					if err := transfer(c.(*http1)); err != nil {
						return 0, err
					}
					made++
				}
				return bulkTimes * bulkMiB, nil
			},
			requests: func() int { return made },
			close:    func() { c.Close() },
		}, nil
	}}
}

// latency asks how much longer a person waits: one request at a time, directly
// and through each proxy, in turns.
func (b *bench) latency() (rows []row, err error) {
	waits := load{open: func(proxy string) (session, error) {
		c, err := newClient(proxy, "api."+domain+":"+b.http1Port, "http/1.1")
		if err != nil {
			return session{}, err
		}
		made := 0
		return session{
			round: func(n int) (int, error) {
				made++
				return 1, c.get(keysPath(0, n))
			},
			requests: func() int { return made },
			close:    func() { c.Close() },
		}, nil
	}}
	direct, err := waits.open("")
	if err != nil {
		return nil, err
	}
	defer direct.close()
	entrants, err := b.enter(waits)
	defer func() {
		for _, e := range entrants {
			if left := e.leave(b); err == nil {
				err = left
			}
		}
	}()
	if err != nil {
		return nil, err
	}
	base := make([]time.Duration, 0, b.rounds)
	added := make([][]time.Duration, len(entrants))
	for range b.rounds {
		alone, err := lonely(direct)
		if err != nil {
			return nil, err
		}
		base = append(base, alone)
		for i, e := range entrants {
			through, err := lonely(e.session)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.name, err)
			}
			added[i] = append(added[i], through-alone)
		}
	}
	rows = append(rows, row{scenario: "latency", subject: "direct", cost: micros(median(base)) + " median"})
	for i, e := range entrants {
		extra := median(added[i])
		r := row{scenario: "latency", subject: e.name, cost: micros(median(base)+extra) + " median", ratio: micros(extra) + " added"}
		if e.name == telltaleName {
			r.wanted, r.met = "≤ "+micros(addedLimit), extra <= addedLimit
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// lonely returns the median time of requests that follow one another.
func lonely(s session) (time.Duration, error) {
	waits := make([]time.Duration, lonelyRounds)
	for n := range waits {
		begin := time.Now()
		if _, err := s.round(n); err != nil {
			return 0, err
		}
		waits[n] = time.Since(begin)
	}
	return median(waits), nil
}

// longAudit asks what is left in memory and on disk after many flows.
func (b *bench) longAudit() ([]row, error) {
	if b.telltale == "" {
		return nil, nil
	}
	p, err := b.startTelltale()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	after, err := b.fill(p)
	took := time.Since(begin)
	if stopped := p.stop(); err == nil {
		err = stopped
	}
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, p.words())
	}
	size, err := b.recorded(recordedMany)
	if err != nil {
		return nil, err
	}
	each := float64(size) / recordedMany
	return []row{
		{
			scenario: "recorded", subject: telltaleName,
			cost: micros(after.cpu/recordedMany) + " CPU/flow", rate: fmt.Sprintf("%.0f flow/s", recordedMany/took.Seconds()),
			peak: mebibytes(after.peak), ratio: mebibytes(after.resident) + " resident",
			wanted: "< " + mebibytes(recordedPeak), met: after.resident < recordedPeak,
		},
		{
			scenario: "recorded", subject: telltaleName,
			ratio: fmt.Sprintf("%.0f B/flow on disk", each), wanted: fmt.Sprintf("< %d B", recordedDisk), met: each < recordedDisk,
		},
	}, nil
}

// fill records the many flows and returns what the process then uses.
func (b *bench) fill(p *process) (usage, error) {
	clients, err := openAll(p.address, "api."+domain+":"+b.http1Port, "http/1.1")
	defer closeAll(clients)
	if err != nil {
		return usage{}, err
	}
	n, err := drive(len(clients), counting(recordedMany), func(worker, n int) error {
		return clients[worker].get(keysPath(0, n))
	})
	if err != nil {
		return usage{}, err
	}
	if n != recordedMany {
		return usage{}, fmt.Errorf("made %d requests of %d", n, recordedMany)
	}
	return p.settle()
}
