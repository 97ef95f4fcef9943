package contacts_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"telltale/contacts"
	"telltale/flow"
)

// fuzz reads whatever bytes behind the beginning of one format: nothing but flows and an
// Error may come of it, twice the same, each flow with a place.
func fuzz(f *testing.F, head string, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(bytes.TrimPrefix(s, []byte(head)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = slices.Concat([]byte(head), data)
		flows, info, err := read("a", data)
		again, _, second := read("a", data)
		if listing(info, flows) != listing(info, again) || (err == nil) != (second == nil) {
			t.Fatal("it reads otherwise a second time")
		}
		var damage *contacts.Error
		if err != nil && (!errors.As(err, &damage) || damage.File != "a") {
			t.Fatalf("%T %v", err, err)
		}
		for _, c := range flows {
			if c.Kind != flow.Contact && c.Kind != flow.DNS || c.Outcome == "" || c.Origin.Entry == 0 || c.Origin.Entry > info.Entries || c.Times.End.Before(c.Times.Start) || c.Sent < 0 || c.Received < 0 {
				t.Fatalf("%+v", c)
			}
		}
	})
}

func FuzzPCAPdroid(f *testing.F) {
	fuzz(f, pcapdroidHeader, sample(f, "pcapdroid.csv"), []byte(pcapdroidRow), []byte("6,\"a\nb\",\"\"\n"))
}

func FuzzTrackerControl(f *testing.F) {
	fuzz(f, trackerHeader, []byte("\"1\",\"a.example\",\"1795196758040\",\"1\",\"x\",\"y\",\"org.app\",\"A\"\"p\r\np\"\r\n"))
}

func FuzzPrivacyReport(f *testing.F) {
	fuzz(f, reportRow, sample(f, "App_Privacy_Report_v4_2026-11-20T18_05_11.ndjson"))
}

// FuzzPackets reads whatever bytes behind the header of libpcap's format.
func FuzzPackets(f *testing.F) {
	data := sample(f, "cooked2.pcap")
	fuzz(f, string(data[:24]), data[:2000], data[:200])
}

func FuzzPCAPNG(f *testing.F) {
	fuzz(f, "\x0a\x0d\x0d\x0a", sample(f, "tshark.pcapng")[:3000], pcapng(order, []byte{0x45}))
}

// FuzzSegment reads whatever bytes as an IP packet.
func FuzzSegment(f *testing.F) {
	f.Add(segment(f, 40000, 1, "S", hello(f)))
	f.Add(ip(f, "2001:db8::1", "2001:db8::2", udp(5000, 53), []byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01")))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := record(t, raw)
		r.add(data)
		r.add(segment(t, 40000, 2, "A", data))
		r.add(ip(t, phone, server, udp(5000, 53), data))
		r.add(ip(t, phone, server, udp(5000, 443), data))
		if _, info, err := read("a", r.b.Bytes()); err != nil || info.Entries != 4 {
			t.Fatalf("%+v %v", info, err)
		}
	})
}

// FuzzRecognise recognises whatever bytes, and says the same of what it reads.
func FuzzRecognise(f *testing.F) {
	for name := range samples {
		f.Add(sample(f, name)[:min(len(sample(f, name)), contacts.HeadSize)])
	}
	f.Add([]byte("sep=;\nDstIp;UID;IPProto"))
	f.Fuzz(func(t *testing.T, data []byte) {
		format := contacts.Recognise(data[:min(len(data), contacts.HeadSize)])
		if _, info, err := read("a", data); info.Format != format || format == contacts.Unknown && err == nil {
			t.Fatalf("recognised as %q, read as %q, %v", format, info.Format, err)
		}
	})
}
