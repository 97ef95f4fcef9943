package diagnosis_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
)

// random is a flow of a device on which much happens.
func random(r *rand.Rand) *flow.Flow {
	host := fmt.Sprintf("h%03d.example", r.IntN(200))
	agent := fmt.Sprintf("App%02d/1", r.IntN(90))
	if r.IntN(10) == 0 {
		agent = ""
	}
	var f *flow.Flow
	switch r.IntN(9) {
	case 0:
		f = refused(agent, host, []string{"", "unknown_ca (48)", "certificate_unknown (46)", "bad_certificate (42)", "certificate_expired (45)", "access_denied (49)"}[r.IntN(6)])
	case 1:
		f = silent(agent, host)
	case 2:
		f = failed(agent, host, []string{"", "handshake_failure (40)", "protocol_version (70)"}[r.IntN(3)])
	case 3:
		f = flowtest.DNS(host)
	case 4:
		f = served(agent, []string{"http://setup.telltale/", "http://setup.telltale/ca.pem", "https://setup.telltale/test"}[r.IntN(3)])
	case 5:
		f = refused(agent, flow.SetupHost, "unknown_ca (48)")
	case 6:
		f = flowtest.Get("http://" + host + "/")
	default:
		f = read(agent, host)
	}
	if f.Client.Hello != nil {
		f.Client.Hello.JA4 = fmt.Sprintf("t13d1516h2_%012d_02713d6af862", r.IntN(3))
	}
	flowtest.At(time.Duration(r.IntN(3600)) * time.Second)(f)
	if r.IntN(50) == 0 {
		f.Times = flow.NoTimes(time.Time{})
	}
	return f
}

// The same flows in any order, and with snapshots and clones in between, give the same
// evidence.
func TestEvidenceDoesNotDependOnOrder(t *testing.T) {
	for seed := range uint64(raced.Size(12, 2)) {
		r := rand.New(rand.NewPCG(seed, 1))
		var flows []*flow.Flow
		for range 200 + 3000*int(seed%2) {
			flows = append(flows, random(r))
		}
		want := collect(flows...)
		for range 4 {
			r.Shuffle(len(flows), func(i, k int) { flows[i], flows[k] = flows[k], flows[i] })
			c := &diagnosis.Collector{}
			for _, f := range flows {
				switch r.IntN(20) {
				case 0:
					c.Evidence()
				case 1:
					c = c.Clone()
				case 2:
					c.Clone().Add(random(r)) // which nobody else sees
				}
				c.Add(f)
			}
			got := c.Evidence()
			if !diagnosis.Equal(got, want) {
				t.Fatalf("seed %d: the evidence depends on the order", seed)
			}
			known := diagnosis.Known{App: func(ua string) bool { return ua == "App03/1" }}
			if a, b := diagnosis.Of(got, known), diagnosis.Of(want, known); !reflect.DeepEqual(a, b) {
				t.Fatalf("seed %d: the diagnoses depend on the order:\n%v\n%v", seed, a, b)
			}
		}
	}
}

// What was handed out does not change, whoever goes on adding; the race detector watches.
func TestEvidenceIsImmutable(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var c diagnosis.Collector
	var wg sync.WaitGroup
	for range raced.Size(60, 15) {
		for range 20 {
			c.Add(random(r))
		}
		e := c.Evidence()
		if c.Evidence() != e {
			t.Error("made anew although nothing was added")
		}
		before := diagnosis.Of(e, diagnosis.Known{})
		wg.Go(func() {
			for range 5 {
				if after := diagnosis.Of(e, diagnosis.Known{}); !reflect.DeepEqual(before, after) {
					t.Error("the diagnoses of a snapshot changed")
				}
			}
		})
		d := c.Clone()
		d.Add(random(r))
		if c.Evidence() != e {
			t.Error("adding to a clone changed the original")
		}
	}
	wg.Wait()
}

// A device that makes up names costs a bounded amount of memory.
func TestEvidenceIsBounded(t *testing.T) {
	var c diagnosis.Collector
	for i := range 300 {
		for k := range 300 {
			c.Add(refused(fmt.Sprintf("App%d/1", i*7919%300), fmt.Sprintf("h%d.example", k*104729%300), "unknown_ca (48)"))
		}
	}
	clients, servers, contacts, more := diagnosis.Size(c.Evidence())
	if clients != diagnosis.MaxClients || servers != diagnosis.MaxClients*diagnosis.MaxServers || contacts != 90_000 {
		t.Errorf("%d clients, %d servers, %d contacts", clients, servers, contacts)
	}
	if want := (300 - diagnosis.MaxClients) * 300; more != want {
		t.Errorf("%d flows of clients that are not kept, want %d", more, want)
	}
}

func BenchmarkAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var flows []*flow.Flow
	for range 4096 {
		flows = append(flows, random(r))
	}
	b.Run("known", func(b *testing.B) {
		c := collector(flows...)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			c.Add(flows[i%len(flows)])
		}
	})
	b.Run("one app", func(b *testing.B) {
		c := collector(flows[:16]...)
		f := read(flowtest.UserAgent, "api.example")
		b.ReportAllocs()
		for b.Loop() {
			c.Add(f)
		}
	})
	b.Run("one app, a summary each 50", func(b *testing.B) {
		c := collector(flows[:16]...)
		f := read(flowtest.UserAgent, "api.example")
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if i%50 == 0 {
				d := c.Clone()
				d.Add(f)
				d.Evidence()
			}
			c.Add(f)
		}
	})
	b.Run("clone", func(b *testing.B) {
		c := collector(flows...)
		f := read(flowtest.UserAgent, "api.example")
		b.ReportAllocs()
		for b.Loop() {
			d := c.Clone()
			d.Add(f)
			d.Evidence()
		}
	})
	b.Run("of", func(b *testing.B) {
		e := collect(flows...)
		b.ReportAllocs()
		for b.Loop() {
			diagnosis.Of(e, diagnosis.Known{})
		}
	})
}

// Packets and what others saw prove nothing of the certificate, whatever they carry.
func TestPacketsShowNoTrust(t *testing.T) {
	var c diagnosis.Collector
	for _, f := range flowtest.Number(
		flowtest.QUIC("192.0.2.7", "a.example"), flowtest.Datagrams("192.0.2.53:53", flowtest.Speech(flow.SpeechDNS)),
		flowtest.Seen("a.example", "App", "", flowtest.JA4("t13d"), flowtest.From("192.168.1.23:1")), flowtest.Ping("192.0.2.7"),
	) {
		c.Add(f)
	}
	if at := c.Evidence().Trusted(); !at.IsZero() {
		t.Errorf("trusted at %v", at)
	}
}
