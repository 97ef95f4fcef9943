package contacts_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"telltale/contacts"
	"telltale/flow"
	"telltale/guard/raced"
)

var update = flag.Bool("update", false, "write the golden files anew")

// read reads a file that is in memory.
func read(name string, data []byte) (flows []*flow.Flow, info contacts.Info, err error) {
	info, err = contacts.Read(bytes.NewReader(data), contacts.Options{Name: name}, func(f *flow.Flow) error {
		flows = append(flows, f)
		return nil
	})
	return flows, info, err
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// samples are the files of testdata/README.md, with what they are.
var samples = map[string]contacts.Format{
	"App_Privacy_Report_v4_2026-11-20T18_05_11.ndjson": contacts.PrivacyReport,
	"pcapdroid.csv":                      contacts.PCAPdroid,
	"pcapdroid-1.4.csv":                  contacts.PCAPdroid,
	"trackercontrol_log_20261120.csv":    contacts.TrackerControl,
	"ca.canada.example.app_20261120.csv": contacts.TrackerControl,
	"ethernet.pcap":                      contacts.PCAP,
	"cooked.pcap":                        contacts.PCAP,
	"cooked2.pcap":                       contacts.PCAP,
	"tshark.pcapng":                      contacts.PCAP,
}

func TestSamples(t *testing.T) {
	t.Parallel()
	for name, format := range samples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := sample(t, name)
			flows, info, err := read(name, data)
			if err != nil {
				t.Fatal(err)
			}
			if got := contacts.Recognise(data[:contacts.HeadSize]); got != format || info.Format != format {
				t.Errorf("recognised as %q, read as %q", got, info.Format)
			}
			golden(t, name+".txt", listing(info, flows))
		})
	}
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what was read (-update writes it anew):\n%s", path, got)
	}
}

// listing writes what was read for people to check.
func listing(info contacts.Info, flows []*flow.Flow) string {
	var b strings.Builder
	about, _ := json.Marshal(info)
	fmt.Fprintf(&b, "%s\n", about)
	for _, f := range flows {
		fmt.Fprintf(&b, "%d:%d %s %s %s %s host=%s asked=%s", f.Origin.Entry, f.Origin.Line, f.Kind, f.Mode, f.Outcome, f.URL(), f.Host(), f.Server.Asked)
		line := func(name string, value any) {
			if s := fmt.Sprint(value); s != "" && s != "invalid AddrPort" && s != "0" {
				fmt.Fprintf(&b, " %s=%s", name, s)
			}
		}
		line("destination", f.Server.Destination)
		line("dialed", f.Server.Dialed)
		line("sni", f.Server.SNI)
		line("header", f.Server.Host)
		line("resolved", f.Server.Resolved)
		line("speech", f.Speech)
		line("client", f.Client.Addr)
		if f.Client.App != (flow.App{}) {
			fmt.Fprintf(&b, " app=%q/%q", f.Client.App.Name, f.Client.App.ID)
		}
		if h := f.Client.Hello; h != nil {
			fmt.Fprintf(&b, " ja4=%s", h.JA4)
		}
		fmt.Fprintf(&b, " bytes=%d/%d packets=%d/%d", f.Sent, f.Received, f.DatagramsSent, f.DatagramsReceived)
		fmt.Fprintf(&b, " %s+%s", f.Times.Start.Format(time.RFC3339Nano), f.Duration())
		if f.DNS != nil {
			q, _ := json.Marshal(f.DNS)
			fmt.Fprintf(&b, " %s", q)
		}
		b.WriteByte('\n')
		for _, n := range f.Notes {
			fmt.Fprintf(&b, "  - %s\n", n)
		}
	}
	return b.String()
}

// However a file reaches us, the same comes of it.
func TestSmallReads(t *testing.T) {
	t.Parallel()
	for name := range samples {
		data := sample(t, name)
		whole, info, _ := read(name, data)
		var flows []*flow.Flow
		again, err := contacts.Read(iotest.OneByteReader(bytes.NewReader(data)), contacts.Options{Name: name}, func(f *flow.Flow) error {
			flows = append(flows, f)
			return nil
		})
		if err != nil || listing(again, flows) != listing(info, whole) {
			t.Errorf("%s: in single bytes it reads otherwise (%v)", name, err)
		}
	}
}

func TestObserverStops(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	for name := range samples {
		seen := 0
		_, err := contacts.Read(bytes.NewReader(sample(t, name)), contacts.Options{}, func(*flow.Flow) error { seen++; return enough })
		if !errors.Is(err, enough) || seen != 1 {
			t.Errorf("%s: %d flows, %v", name, seen, err)
		}
	}
}

func TestFailingDisk(t *testing.T) {
	t.Parallel()
	disk := errors.New("the disk is on fire")
	for name := range samples {
		data := sample(t, name)
		for _, n := range []int{0, 3, 600, len(data) / 2} {
			n = min(n, len(data))
			broken := &failing{data: data[:n], err: disk}
			_, err := contacts.Read(broken, contacts.Options{Name: name}, func(*flow.Flow) error { return nil })
			var damage *contacts.Error
			if !errors.As(err, &damage) || !errors.Is(err, disk) || damage.File != name {
				t.Errorf("%s after %d bytes: %v", name, n, err)
			}
		}
	}
}

// failing gives some bytes and then an error.
type failing struct {
	data []byte
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	if len(f.data) == 0 {
		return 0, f.err
	}
	n := copy(p, f.data)
	f.data = f.data[n:]
	return n, nil
}

// TestCutAnywhere cuts the samples at every byte: no panic, and never a flow that the
// whole file has not.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	for name := range samples {
		data := sample(t, name)
		whole, _, _ := read(name, data)
		step := 1 + len(data)/raced.Size(2000, 100)
		for n := 0; n < len(data); n += step {
			flows, _, err := read(name, data[:n])
			if len(flows) > len(whole) {
				t.Fatalf("%s cut at %d has %d flows, the whole %d", name, n, len(flows), len(whole))
			}
			var damage *contacts.Error
			if err != nil && !errors.As(err, &damage) {
				t.Fatalf("%s cut at %d: %T %v", name, n, err, err)
			}
		}
	}
}
