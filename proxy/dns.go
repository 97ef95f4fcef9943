package proxy

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"telltale/coverage"
	"telltale/flow"
	"telltale/wire/dns"
)

// This file answers questions of DNS. Those to telltale's own resolver are put to the
// resolvers of the system (resolver.go), or answered here: names that telltale itself
// has, names under a --resolve rule, and names by which devices ask how to hide what
// they look up. Those to other resolvers are forwarded, and read in passing
// (overheard.go). Each question is a flow of kind [flow.DNS], which is observed once,
// when it was answered or will not be.

// ownTTL is how long devices may remember what we answer by ourselves.
const ownTTL = time.Minute

// canaries are names that a network may withhold to say that it wants to see names: with
// NXDOMAIN, Firefox does not switch to a resolver of its own (Mozilla, "Canary domain -
// use-application-dns.net"), and Apple's systems do not hide behind Private Relay (Apple,
// "Prepare your network or web server for iCloud Private Relay").
var canaries = map[string]string{
	"use-application-dns.net": "so that Firefox asks the system's resolver",
	"mask.icloud.com":         "so that iCloud Private Relay stays off",
	"mask-h2.icloud.com":      "so that iCloud Private Relay stays off",
}

// inquiry is one question on its way to an answer and to its row.
type inquiry struct {
	p        *Proxy
	own      []netip.Addr // of telltale, in the device's way in
	query    *dns.Query
	name     string // canonical
	flow     *flow.Flow
	marks    marks             // what experiments did
	datagram bool              // over UDP: an answer may be too long
	reply    func([]byte)      // sends a message to the device
	record   func(*flow.Flow)  // observes the row
	settled  func(drop string) // balances the books: in a row, or dropped for a reason
}

// receiveOwn takes a datagram to telltale's own resolver. It is part of no conversation:
// devices ask each question from another port (RFC 5452, 9.2), and thousands in a minute
// must not push out what they say to others. It blocks for no longer than the recorder
// does.
func (p *Proxy) receiveOwn(d *Datagram) {
	mode, amount := d.Way.Mode, amountOf(d.Payload)
	release, ok := p.talks.hold()
	if !ok {
		p.books.drop(mode, dropEnding, amount)
		return
	}
	defer release()
	p.books.begin(mode, coverage.UDP, amount)
	var settle sync.Once
	in := &inquiry{
		p: p, own: d.Way.Own, datagram: true, reply: d.Answer, record: p.record,
		flow: &flow.Flow{
			Mode: mode, Client: flow.Client{Addr: d.Client, Device: d.Device},
			Server: flow.Server{Destination: d.Destination},
		},
		settled: func(drop string) {
			settle.Do(func() {
				if drop == "" {
					p.books.settle(mode, coverage.UDP, amount)
					return
				}
				p.books.lose(mode, coverage.UDP, amount, drop)
			})
		},
	}
	defer p.survive(func() { in.settled(dropBug) })
	in.take(d.Payload)
}

// take answers a message, now or by a goroutine of its own. It keeps no part of it.
func (in *inquiry) take(message []byte) {
	in.begin(len(message))
	query, err := dns.ReadQuery(message)
	if err != nil {
		in.refuse(err)
		return
	}
	in.ask(query)
	if in.answeredHere() {
		return
	}
	leave, ok := in.p.takeQuestion(in.flow.Client.Addr.Addr())
	if !ok {
		in.p.note(questionsNote)
		in.reply(query.Reply(dns.ServerFailure))
		in.settled(dropQuestions)
		return
	}
	message = bytes.Clone(message)
	work := func() {
		defer leave()
		defer in.p.survive(func() { in.settled(dropBug) })
		in.resolve(message)
	}
	if !in.p.spawn(work) {
		leave()
		in.settled(dropEnding)
	}
}

// takeQuestion takes a place for a question of a client and one for the socket by which
// it leaves. leave gives both back.
func (p *Proxy) takeQuestion(client netip.Addr) (leave func(), ok bool) {
	done, ok := p.dns.enter(client)
	if !ok {
		return nil, false
	}
	client = scoped(client)
	if p.dialer.places.tryTake(client) != nil {
		done()
		return nil, false
	}
	return func() { p.dialer.places.leave(client); done() }, true
}

const (
	questionsNote = "Questions of DNS were answered with SERVFAIL: as many were under way as the limits allow."
	dropQuestions = "questions of DNS beyond those that may be under way at once"
)

// begin makes the row a row of DNS.
func (in *inquiry) begin(bytes int) {
	f := in.flow
	f.Kind, f.Times = flow.DNS, flow.NoTimes(time.Now())
	f.Server = flow.Server{Destination: f.Server.Destination}
	f.Speech, f.Error, f.Failure, f.Notes, f.Altered, f.Experiments = "", "", "", nil, nil, nil
	f.Sent, f.Received = int64(bytes), 0
}

// ask sets the question.
func (in *inquiry) ask(query *dns.Query) {
	in.query = query
	in.asks(query.Name, query.Type)
}

func (in *inquiry) asks(name, typ string) {
	asked := net.JoinHostPort(name, "53")
	in.name = flow.CanonicalHost(asked)
	in.flow.Server.Asked = asked
	in.flow.DNS = &flow.Question{Name: name, Type: typ}
}

// refuse turns down a message that is no question. It is sent to no resolver, so that its
// row, if it has a name at all, is no contact.
func (in *inquiry) refuse(err error) {
	var why *dns.Unanswerable
	if !errors.As(err, &why) {
		in.settled(err.Error())
		return
	}
	if why.Answer != nil {
		in.send(why.Answer)
	}
	if why.Name == "" {
		in.settled(why.Reason)
		return
	}
	in.asks(why.Name, why.Type)
	in.flow.DNS.Code = why.Code.String()
	in.end(flow.Served, "", "refused: "+why.Reason)
}

// answeredHere answers what is not for DNS to answer, and reports whether that was so. Where
// the answer ends the matter, nobody else was asked or will be: that is no contact. A name
// under a rule will be contacted, and one that the policy forbids was to be.
func (in *inquiry) answeredHere() bool {
	switch why, canary := canaries[in.name]; {
	case in.name == flow.SetupHost:
		in.give(in.own)
		in.end(flow.Served, "", "")
	case canary:
		in.alter("answered NXDOMAIN in the place of DNS, " + why)
		in.say(dns.NameError)
		in.end(flow.Served, "", "")
	case in.name == "resolver.arpa", strings.HasSuffix(in.name, ".resolver.arpa"):
		if in.flow.IsLookup() && in.blocked(false) {
			break
		}
		in.alter("answered with no record in the place of DNS, so that the device does not find an encrypted resolver (RFC 9462)")
		in.say(dns.NoError)
		in.end(flow.Served, "", "")
	case in.p.dialer.hasRule(in.name):
		if !in.blocked(true) {
			in.standIn()
		}
	default:
		return in.blocked(false)
	}
	return true
}

// standIn gives the address that stands for a name which DNS is never asked for. Of other
// types than A there is nothing.
func (in *inquiry) standIn() {
	if in.query.Is("A") {
		a := in.p.names.standInFor(in.name)
		in.alter("answered with the stand-in " + a.String() + " in the place of DNS: --resolve says where the name leads")
		in.give([]netip.Addr{a})
	} else {
		in.alter("answered with no record in the place of DNS: --resolve says where the name leads")
		in.say(dns.NoError)
	}
	in.end(flow.Completed, "", "")
}

// hasRule reports whether a --resolve rule has the name, at whatever port.
func (d *dialer) hasRule(name string) bool {
	return slices.ContainsFunc(d.cfg.Resolve, func(r Resolve) bool { return r.Host == "*" || r.Host == name })
}

func (in *inquiry) alter(what string) { in.flow.Altered = append(in.flow.Altered, what) }

// say answers with a code and no record.
func (in *inquiry) say(code dns.Code) {
	in.flow.DNS.Code = code.String()
	in.send(in.query.Reply(code))
}

// give answers with those of the addresses that were asked for.
func (in *inquiry) give(addrs []netip.Addr) {
	response := in.query.ReplyAddresses(ownTTL, addrs...)
	if m, err := dns.Parse(response); err == nil {
		in.flow.DNS.Code, in.flow.DNS.Answers = m.Question.Code, m.Question.Answers
	}
	in.send(response)
}

// send answers the device, once.
func (in *inquiry) send(response []byte) {
	in.flow.Received = int64(len(response))
	in.reply(response)
}

// resolve puts the question to the resolvers and answers it.
func (in *inquiry) resolve(message []byte) {
	got, err := in.p.dns.ask(in.p.base, in.query, message)
	in.flow.Times.Wait = time.Since(in.flow.Times.Start)
	if err != nil {
		in.say(dns.ServerFailure)
		in.flow.DNS.Code = "" // that was ours: none came
		o, failure := failureOf(err)
		in.end(o, failure, err.Error())
		return
	}
	in.flow.Server.Dialed = got.from
	in.heard(got.message)
	out, altered := dns.Bare(got.bytes)
	in.flow.Altered = altered
	dns.SetID(out, in.query.ID)
	if in.datagram {
		out = in.query.Fit(out)
	}
	in.send(out)
	in.end(flow.Completed, "", "")
}

// heard takes the answer into the row, and the addresses in it into what is known of
// names: before the device has it, and connects.
func (in *inquiry) heard(m *dns.Message) {
	in.flow.DNS.Code, in.flow.DNS.Answers = m.Question.Code, m.Question.Answers
	in.p.names.learn(in.flow.Client.Addr.Addr(), in.host(), m.Addresses())
}

// host returns the name that the addresses in an answer are for.
func (in *inquiry) host() string {
	if in.query.Is("HTTPS", "SVCB") {
		return dns.Host(in.name)
	}
	return in.name
}

// end observes the row.
func (in *inquiry) end(o flow.Outcome, failure, why string) {
	in.flow.Outcome, in.flow.Failure, in.flow.Error = o, failure, why
	in.marks.put(in.flow)
	in.flow.Times.End = time.Now()
	in.record(in.flow)
	in.settled("")
}
