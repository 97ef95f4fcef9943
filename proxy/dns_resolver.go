package proxy

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"telltale/wire/dns"
)

const (
	// askTimeout is for a question in all. Stub resolvers give up after about as long.
	askTimeout = 5 * time.Second
	// A question is put at least minAsks times, to each server in turn, since a datagram
	// may be lost, and to maxAsks servers at most.
	minAsks, maxAsks = 3, 6
	// usualAnswer is a buffer that holds what nearly all clients take over UDP.
	usualAnswer = 4 << 10
)

// resolver puts questions to the resolvers that the operator named, or to the system's.
// Every question leaves from a port of its own and under an ID of its own, as random as
// the system makes them, so that an answer cannot be forged blindly (RFC 5452).
type resolver struct {
	named   []netip.AddrPort                 // by --dns; empty: the system's
	system  func() ([]netip.AddrPort, error) // the system's
	lookup  func(ctx context.Context, network, host string) ([]netip.Addr, error)
	timeout time.Duration // for a question in all

	limit, perClient int // of questions under way

	mu       sync.Mutex
	underWay map[netip.Addr]int // by client
	total    int
	waiting  map[heardKey]*heard // of questions to foreign resolvers
}

// maxQuestions bounds the questions under way, of which one client may have three in
// four. It is what 10,000 in a second come to where each takes 200 ms.
const maxQuestions = 2 << 10

func newResolver(cfg *Config) *resolver {
	return &resolver{
		named: cfg.Resolvers, system: new(dns.System).Resolvers, lookup: net.DefaultResolver.LookupNetIP, timeout: askTimeout,
		limit: maxQuestions, perClient: maxQuestions - maxQuestions/4,
		underWay: map[netip.Addr]int{}, waiting: map[heardKey]*heard{},
	}
}

// enter takes a place for a question of a client. leave gives it back.
func (r *resolver) enter(client netip.Addr) (leave func(), ok bool) {
	client = scoped(client)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.total >= r.limit || r.underWay[client] >= r.perClient {
		return nil, false
	}
	r.total++
	r.underWay[client]++
	return func() { r.leave(client) }, true
}

func (r *resolver) leave(client netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total--
	if r.underWay[client]--; r.underWay[client] == 0 {
		delete(r.underWay, client)
	}
}

// answered is what a resolver said.
type answered struct {
	bytes   []byte // not shared
	message *dns.Message
	from    netip.AddrPort // zero where the system asked for us
}

// askError says that no resolver answered.
type askError struct {
	name string
	last netip.AddrPort // the one that was asked last
	err  error
}

func (e *askError) Error() string {
	return fmt.Sprintf("could not resolve %s: no answer from %s: %s", e.name, e.last, cause(e.err))
}
func (e *askError) Unwrap() error { return e.err }

// ask returns the first useful answer, or else the last one that was no use. It alters
// the message, which is a question of the client's own, in its ID.
func (r *resolver) ask(ctx context.Context, q *dns.Query, message []byte) (answered, error) {
	servers := r.named
	if len(servers) == 0 {
		var err error
		if servers, err = r.system(); err != nil {
			return r.askSystem(ctx, q)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	end, _ := ctx.Deadline()
	var last answered
	var failed *askError
	asks := max(minAsks, min(len(servers), maxAsks))
	for i := range asks {
		server := servers[i%len(servers)]
		within := time.Until(end) / time.Duration(asks-i)
		got, err := askOne(ctx, server, q, message, time.Now().Add(within))
		switch {
		case err == nil && !got.message.Failed():
			return got, nil
		case err == nil:
			last = got
		default:
			failed = &askError{q.Name, server, err}
		}
		if ctx.Err() != nil || last.message != nil && i+1 >= len(servers) {
			break
		}
	}
	switch {
	case last.message != nil:
		return last, nil
	case errors.Is(ctx.Err(), context.Canceled):
		return answered{}, &askError{q.Name, failed.last, context.Canceled}
	}
	return answered{}, failed
}

// buffers are of the usual size.
var buffers = sync.Pool{New: func() any { return new([usualAnswer]byte) }}

// askOne puts a question to one server over UDP, and over TCP where the answer does not
// fit.
func askOne(ctx context.Context, server netip.AddrPort, q *dns.Query, message []byte, until time.Time) (answered, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return answered{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(past) })() //nolint:errcheck // one that is closed needs none
	if err := conn.SetDeadline(until); err != nil {
		return answered{}, err
	}
	id := setRandomID(message)
	if _, err := conn.Write(message); err != nil {
		return answered{}, err
	}
	buf := buffers.Get().(*[usualAnswer]byte)
	defer buffers.Put(buf)
	into := buf[:]
	if q.Size > len(into) {
		into = make([]byte, q.Size)
	}
	for {
		n, err := conn.Read(into)
		if err != nil && (n == 0 || errors.Is(err, os.ErrDeadlineExceeded)) {
			return answered{}, err
		}
		m, err := dns.Parse(into[:n])
		if err != nil || !q.Matches(m, id) {
			continue // forged, or late, or not what was asked: the right one may come
		}
		got := answered{bytes.Clone(into[:n]), m, server}
		if m.Truncated {
			if whole, err := askStream(ctx, server, q, message); err == nil {
				got = whole
			}
		}
		return got, nil
	}
}

// askStream puts a question to a server over TCP.
func askStream(ctx context.Context, server netip.AddrPort, q *dns.Query, message []byte) (answered, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", server.String())
	if err != nil {
		return answered{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(past) })()
	id := setRandomID(message)
	if _, err := conn.Write(framed(message)); err != nil {
		return answered{}, err
	}
	b, err := readFramed(conn)
	if err != nil {
		return answered{}, err
	}
	m, err := dns.Parse(b)
	if err != nil {
		return answered{}, err
	}
	if !q.Matches(m, id) {
		return answered{}, errors.New("the server answered another question")
	}
	return answered{b, m, server}, nil
}

func setRandomID(message []byte) uint16 {
	rand.Read(message[:2])
	return binary.BigEndian.Uint16(message)
}

// framed puts the length before a message, as TCP wants it (RFC 1035, 4.2.2).
func framed(message []byte) []byte {
	b := make([]byte, 2, 2+len(message))
	binary.BigEndian.PutUint16(b, uint16(len(message)))
	return append(b, message...)
}

// readFramed reads a message with its length.
func readFramed(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// askSystem lets the system find addresses where it does not say whom it asks. Of other
// types nothing can be found so: HTTPS and SVCB, which clients can do without, have no
// record, and the rest is refused.
func (r *resolver) askSystem(ctx context.Context, q *dns.Query) (answered, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	network := map[string]string{"A": "ip4", "AAAA": "ip6"}[q.Type]
	var response []byte
	switch {
	case network != "":
		addrs, err := r.lookup(ctx, network, q.Name)
		var missing *net.DNSError
		if err != nil && (!errors.As(err, &missing) || !missing.IsNotFound) {
			return answered{}, asDNSError(err, q.Name)
		}
		response = q.ReplyAddresses(ownTTL, addrs...)
	case q.Is("HTTPS", "SVCB"):
		response = q.Reply(dns.NoError)
	default:
		response = q.Reply(dns.NotImplemented)
	}
	m, err := dns.Parse(response)
	return answered{response, m, netip.AddrPort{}}, err
}

// lookupHost returns the addresses of a name for telltale's own connections, from the
// resolvers that the operator named.
func (r *resolver) lookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	type result struct {
		addrs []netip.Addr
		err   error
	}
	results := make([]result, 2)
	var wg sync.WaitGroup
	for i, typ := range []string{"A", "AAAA"} {
		wg.Go(func() {
			results[i].addrs, results[i].err = r.lookupType(ctx, host, typ)
		})
	}
	wg.Wait()
	addrs := slices.Concat(results[0].addrs, results[1].addrs)
	if len(addrs) == 0 {
		return nil, errors.Join(results[0].err, results[1].err)
	}
	return addrs, nil
}

func (r *resolver) lookupType(ctx context.Context, host, typ string) ([]netip.Addr, error) {
	message, err := dns.NewQuery(0, host, typ)
	if err != nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	q, err := dns.ReadQuery(message)
	if err != nil {
		return nil, err
	}
	got, err := r.ask(ctx, q, message)
	if err != nil {
		return nil, err
	}
	if got.message.Failed() {
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, Server: got.from.String(), IsTemporary: true}
	}
	return got.message.Addresses(), nil
}
