package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"telltale/proxy/wireguard/phone"
)

// What a whole device is driven with, and the limits that telltale sets itself.
const (
	tunnelMiB       = 64
	tunnelPeak      = 256 << 20
	tunnelWanted    = 300.0 / 8 * 1e6 / (1 << 20) // MiB/s that are 300 Mbit/s
	atOnce          = 1000                        // connections
	questionWorkers = 64
	questionsWanted = 10_000 // a second
	invented        = "203.0.113.7"
)

// wholeDevice asks what a device gets that sends everything through telltale: beside a
// pair of network stacks with nothing between them, which is the limit of this machine.
func (b *bench) wholeDevice() (rows []row, err error) {
	limit, err := b.emptyPair()
	if err != nil {
		return nil, fmt.Errorf("an empty pair: %w", err)
	}
	rows = append(rows,
		row{scenario: "whole", subject: "empty pair, down", rate: speed(limit.down)},
		row{scenario: "whole", subject: "empty pair, up", rate: speed(limit.up)})
	if b.telltale == "" {
		return rows, nil
	}
	d, err := b.openDevice()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	more, err := d.measure(limit)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, d.process.words())
	}
	return append(rows, more...), nil
}

// speeds are in MiB a second.
type speeds struct{ down, up float64 }

func speed(mib float64) string {
	return fmt.Sprintf("%.0f MiB/s (%.0f Mbit/s)", mib, mib*(1<<20)*8/1e6)
}

// A device is a phone whose every packet goes through telltale.
type device struct {
	b       *bench
	process *process
	phone   *phone.Phone
	names   net.PacketConn // the resolver that telltale asks
}

func (b *bench) openDevice() (*device, error) {
	d := &device{b: b}
	var err error
	if d.names, err = serveNames(); err != nil {
		return nil, err
	}
	b.captures++
	data := filepath.Join(b.dir, fmt.Sprintf("data%d", b.captures))
	c := exec.Command(b.telltale, "record", "--listen", "127.0.0.1:0", "--wireguard=127.0.0.1:0",
		"--resolve", invented+":*:127.0.0.1", "--dns", d.names.LocalAddr().String(), "--upstream-ca", b.roots,
		"--policy", b.policy, "--ca", filepath.Join(b.dir, "ca"), "--save", b.capture())
	c.Env = append(os.Environ(), "XDG_DATA_HOME="+data)
	if d.process, err = launch(c); err != nil {
		d.names.Close()
		return nil, err
	}
	if d.phone, err = connectPhone(data); err != nil {
		d.names.Close()
		return nil, errors.Join(err, d.process.stop())
	}
	return d, nil
}

// connectPhone takes the first configuration that telltale wrote.
func connectPhone(data string) (*phone.Phone, error) {
	found, err := filepath.Glob(filepath.Join(data, "telltale", "wireguard", "devices", "*", "*.conf"))
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("telltale wrote no configuration below %s: %w", data, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return nil, err
	}
	return phone.Open(string(text))
}

func (d *device) close() error {
	d.phone.Close()
	d.names.Close()
	return d.process.stop()
}

// measure drives the device.
func (d *device) measure(limit speeds) (rows []row, err error) {
	reached, err := d.transfers()
	if err != nil {
		return nil, err
	}
	for _, r := range []struct {
		way        string
		got, limit float64
	}{{"down", reached.down, limit.down}, {"up", reached.up, limit.up}} {
		wanted := min(tunnelWanted, r.limit)
		rows = append(rows, row{
			scenario: "whole", subject: telltaleName + ", " + r.way, rate: speed(r.got), ratio: fmt.Sprintf("%.2f of the empty pair", r.got/r.limit),
			wanted: "≥ " + speed(wanted), met: r.got >= wanted,
		})
	}
	many, err := d.manyAtOnce()
	if err != nil {
		return nil, err
	}
	asked, err := d.questions()
	return append(rows, many, asked), err
}

// transfers returns the medians of a big body each way, read and recorded by telltale.
func (d *device) transfers() (speeds, error) {
	conn, err := d.secure("files." + domain)
	if err != nil {
		return speeds{}, err
	}
	defer conn.Close()
	client := &http1{Conn: conn, r: bufio.NewReader(conn), target: "files." + domain, fixed: fixedLines("files." + domain)}
	var down, up []float64
	for range d.b.rounds {
		for _, way := range []struct {
			speeds *[]float64
			run    func() error
		}{
			{&down, func() error { return client.get("/bytes/" + strconv.Itoa(tunnelMiB<<20)) }},
			{&up, func() error { return client.post("/upload", tunnelMiB<<20) }},
		} {
			begin := time.Now()
			if err := way.run(); err != nil {
				return speeds{}, err
			}
			*way.speeds = append(*way.speeds, tunnelMiB/time.Since(begin).Seconds())
		}
	}
	return speeds{median(down), median(up)}, nil
}

// secure opens TLS through the tunnel. It verifies nothing, as the other loads.
func (d *device) secure(name string) (*tls.Conn, error) {
	conn, err := d.phone.Net.DialContext(context.Background(), "tcp", net.JoinHostPort(invented, d.b.http1Port))
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, &tls.Config{ServerName: name, NextProtos: []string{"http/1.1"}, InsecureSkipVerify: true})
	if err := secure.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// manyAtOnce opens many connections, each with a request, and holds them all.
func (d *device) manyAtOnce() (row, error) {
	name := "api." + domain
	clients := make([]client, atOnce)
	defer closeAll(clients)
	begin := time.Now()
	n, err := drive(someWorkers, counting(atOnce), func(_, n int) error {
		conn, err := d.secure(name)
		if err != nil {
			return err
		}
		c := &http1{Conn: conn, r: bufio.NewReader(conn), target: name, fixed: fixedLines(name)}
		clients[n] = c
		return c.get(keysPath(0, n))
	})
	took := time.Since(begin)
	if err != nil {
		return row{}, err
	}
	if _, err := drive(someWorkers, counting(atOnce), func(_, n int) error { return clients[n].get(keysPath(1, n)) }); err != nil {
		return row{}, fmt.Errorf("a second request on each: %w", err)
	}
	u, err := used(d.process.Process.Pid)
	return row{
		scenario: "whole", subject: fmt.Sprintf("%s, %d connections", telltaleName, atOnce), rate: fmt.Sprintf("%.0f visit/s", float64(n)/took.Seconds()),
		peak: mebibytes(u.peak), ratio: fmt.Sprintf("%d of %d served", n, atOnce), wanted: fmt.Sprintf("all, < %s", mebibytes(tunnelPeak)), met: n == atOnce && u.peak < tunnelPeak,
	}, err
}

// questions asks DNS through the tunnel for the period.
func (d *device) questions() (row, error) {
	resolver := net.JoinHostPort(d.phone.Resolvers[0].String(), "53")
	conns := make([]net.Conn, questionWorkers)
	for i := range conns {
		c, err := d.phone.Net.DialContext(context.Background(), "udp", resolver)
		if err != nil {
			return row{}, err
		}
		defer c.Close()
		conns[i] = c
	}
	var lost atomic.Int64
	begin := time.Now()
	n, err := drive(questionWorkers, lasting(2*d.b.period), func(worker, n int) error {
		answered, err := ask(conns[worker], uint16(n), fmt.Sprintf("n%d", n))
		if !answered {
			lost.Add(1)
		}
		return err
	})
	rate := float64(n-int(lost.Load())) / time.Since(begin).Seconds()
	return row{
		scenario: "whole", subject: telltaleName + ", DNS", rate: fmt.Sprintf("%.0f question/s", rate), ratio: fmt.Sprintf("%d of %d lost", lost.Load(), n),
		wanted: fmt.Sprintf("≥ %d/s", questionsWanted), met: rate >= questionsWanted,
	}, err
}

// ask puts one question and waits for its answer.
func ask(c net.Conn, id uint16, label string) (answered bool, err error) {
	query := append([]byte{byte(id >> 8), byte(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, byte(len(label))}, label...)
	query = append(query, "\x07measure\x07example\x00\x00\x01\x00\x01"...)
	if _, err := c.Write(query); err != nil {
		return false, err
	}
	c.SetReadDeadline(time.Now().Add(time.Second))
	answer := make([]byte, 512)
	for {
		n, err := c.Read(answer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false, nil
		case err != nil:
			return false, err
		case n > 2 && answer[0] == query[0] && answer[1] == query[1]:
			return true, nil
		}
	}
}

// serveNames answers every question with one address.
func serveNames() (net.PacketConn, error) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			c.WriteTo(answerTo(b[:n]), from)
		}
	}()
	return c, nil
}

// answerTo makes the answer of a question without options (RFC 1035, 4.1).
func answerTo(query []byte) []byte {
	end := 12
	for end < len(query) && query[end] != 0 {
		end += 1 + int(query[end])
	}
	out := append([]byte(nil), query[:min(len(query), end+5)]...)
	out[2], out[3], out[7] = 0x81, 0x80, 1
	copy(out[8:12], []byte{0, 0, 0, 0}) // no further sections
	return append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7)
}
