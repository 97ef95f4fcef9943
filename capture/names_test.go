package capture_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/flow/flowtest"
	"telltale/flow/plain"
)

const pixel = "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A.230803.022)"

// namingJudge is a policy that names one device.
type namingJudge struct{ hostJudge }

func (namingJudge) DeviceName(addr netip.Addr) string {
	if addr == netip.MustParseAddr("192.168.1.7") {
		return "Pixel of the lab"
	}
	return ""
}

// named lists the devices as "address=name (source)".
func named(s *capture.Store) []string {
	var out []string
	for _, d := range s.Summary().Health.Devices {
		out = append(out, fmt.Sprintf("%s=%s (%s)", d.Addr, d.Name, d.Named))
		name, source := s.DeviceName(netip.MustParseAddr(d.Addr))
		if name != d.Name || source != d.Named {
			out = append(out, fmt.Sprintf("and by itself %q (%s)", name, source))
		}
	}
	return out
}

func wantNames(t *testing.T, s *capture.Store, want ...string) {
	t.Helper()
	if got := named(s); !cmp.Equal(got, want) {
		t.Errorf("devices %q, want %q", got, want)
	}
}

// A person's name goes before the policy's, and that before what the device says.
func TestWhoNamesADevice(t *testing.T) {
	for _, kept := range []bool{true, false} {
		var s *capture.Store
		var path string
		if kept {
			s, path = create(t, capture.Options{Judge: namingJudge{}})
		} else {
			s = capture.New(capture.Options{Judge: namingJudge{}})
		}
		defer s.Close()
		observe(t, s, flowtest.Number(
			flowtest.Get("https://a.example/", flowtest.From("192.168.1.7:1"), flowtest.UserAgentOf(pixel)),
			flowtest.Get("https://a.example/", flowtest.From("192.168.1.8:1"), flowtest.UserAgentOf(pixel)),
			flowtest.Get("https://a.example/", flowtest.From("192.168.1.9:1"), flowtest.UserAgentOf("okhttp/4"), flowtest.Device("from a \x1b[1mfile")),
			flowtest.Get("https://a.example/", flowtest.From("192.168.1.10:1"), flowtest.UserAgentOf("okhttp/4")),
		)...)
		wantNames(t, s, "192.168.1.7=Pixel of the lab (policy)", "192.168.1.8=Pixel 8, Android 14 (agent)", "192.168.1.9=from a [1mfile (person)", "192.168.1.10= ()")
		before := s.Summary()
		for client, want := range map[string]string{"[::ffff:192.168.1.7]:5": "Pixel of the lab", "192.168.1.10:1": "", "192.168.1.77:1": "told"} {
			f := flowtest.Get("https://a.example/", flowtest.From(client))
			if want == "told" {
				f.Client.Device = want
			}
			if got := s.DeviceOf(f); got != want {
				t.Errorf("a flow from %s is of %q, want %q", client, got, want)
			}
		}
		wake, stop := s.Wake()
		defer stop()
		for addr, name := range map[string]string{"::ffff:192.168.1.7": " Ann's\n phone ", "192.168.1.8": "same", "192.168.1.9": "", "192.168.1.10": "same", "fe80::1%eth0": "later"} {
			if err := s.NameDevice(netip.MustParseAddr(addr), name); err != nil {
				t.Error(err)
			}
		}
		<-wake
		after := []string{"192.168.1.7=Ann's phone (person)", "192.168.1.8=same (person)", "192.168.1.9= ()", "192.168.1.10=same (person)"}
		wantNames(t, s, after...)
		if before.Health.Devices[0].Name != "Pixel of the lab" {
			t.Error("a summary that was handed out has changed")
		}
		if !kept {
			continue
		}
		page, err := s.Flows(context.Background(), capture.Query{})
		if err != nil || page[0].Flow.Client.Device != "Ann's phone" || page[2].Flow.Client.Device != "" {
			t.Errorf("flows that are read back: %v, error %v", page, err)
		}
		if err := s.Rejudge(context.Background(), hostJudge{}, nil); err != nil {
			t.Fatal(err)
		}
		wantNames(t, s, after...)
		s.Close()
		read := reopen(t, path, capture.Options{Judge: namingJudge{}})
		wantNames(t, read, after...)
		again, err := capture.Create(path, capture.Options{Judge: namingJudge{}})
		if err != nil {
			t.Fatal(err)
		}
		wantNames(t, again, after...)
		if err := again.NameDevice(netip.MustParseAddr("192.168.1.7"), ""); err != nil {
			t.Fatal(err)
		}
		observe(t, again, flowtest.Get("https://a.example/", flowtest.ID(again.NextID()), flowtest.From("[fe80::1%eth0]:9")))
		wantNames(t, again, "192.168.1.7=Pixel of the lab (policy)", after[1], after[2], after[3], "fe80::1=later (person)")
		again.Close()
	}
}

func TestNamesAreRefused(t *testing.T) {
	s, path := create(t, capture.Options{})
	addr := netip.MustParseAddr("192.168.1.7")
	for _, tt := range []struct {
		addr netip.Addr
		name string
		want string
	}{
		{netip.Addr{}, "x", "has no address"},
		{addr, "\u200b\x00 \t", "no character that shows"},
	} {
		if err := s.NameDevice(tt.addr, tt.name); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %q: %v", tt.addr, tt.name, err)
		}
	}
	if err := s.NameDevice(addr, strings.Repeat("長", 1000)); err != nil {
		t.Error(err)
	}
	if name, _ := s.DeviceName(addr); name != strings.Repeat("長", capture.MaxDeviceName/2) {
		t.Errorf("name %q", name)
	}
	s.Close()
	if err := s.NameDevice(addr, "late"); err == nil {
		t.Error("a closed capture takes names")
	}
	if err := reopen(t, path, capture.Options{}).NameDevice(addr, "x"); !errors.Is(err, capture.ErrReadOnly) || !strings.Contains(err.Error(), "192.168.1.7") {
		t.Errorf("open for reading: %v", err)
	}
}

func TestManyNamesAreRefused(t *testing.T) {
	s := capture.New(capture.Options{})
	defer s.Close()
	addr := netip.MustParseAddr("10.0.0.0")
	for range capture.MaxDeviceNames {
		if err := s.NameDevice(addr, "x"); err != nil {
			t.Fatal(err)
		}
		addr = addr.Next()
	}
	if err := s.NameDevice(addr, "x"); err == nil || !strings.Contains(err.Error(), "1000") {
		t.Errorf("one more: %v", err)
	}
	if err := s.NameDevice(addr.Prev(), "y"); err != nil {
		t.Errorf("a new name for the last: %v", err)
	}
}

// version1 unpacks a capture that was made before devices had names.
func version1(t *testing.T) string {
	t.Helper()
	f, err := os.Open("testdata/version1.telltale.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "old.telltale")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A capture of version 1 is read as it is, and brought up to date for recording.
func TestVersion1IsReadAndMigrated(t *testing.T) {
	path := version1(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"192.168.1.7=carried (person)", "fe80::1=Pixel 8, Android 14 (agent)"}
	old := reopen(t, path, capture.Options{Judge: hostJudge{}})
	wantNames(t, old, names...)
	old.Close()
	if now, err := os.ReadFile(path); err != nil || !cmp.Equal(now, content) {
		t.Errorf("reading has changed the file, error %v", err)
	}
	s, err := capture.Create(path, capture.Options{Judge: hostJudge{}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantNames(t, s, names...)
	if err := s.NameDevice(netip.MustParseAddr("192.168.1.7"), "Ann's phone"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	read := reopen(t, path, capture.Options{Judge: hostJudge{}})
	wantNames(t, read, "192.168.1.7=Ann's phone (person)", names[1])
	if got, want := read.Summary().Flows, 4; got != want {
		t.Errorf("%d flows, want %d", got, want)
	}
}

// Whatever a person or a file calls a device, its name shows as itself on one line.
func FuzzNameDevice(f *testing.F) {
	f.Add("Ann's phone")
	f.Add("\x1b]0;title\x07\u202e\u3164")
	addr := netip.MustParseAddr("192.168.1.7")
	f.Fuzz(func(t *testing.T, name string) {
		s := capture.New(capture.Options{})
		defer s.Close()
		observe(t, s, flowtest.Get("https://a.example/", flowtest.From("192.168.1.8:1"), flowtest.Device(name)))
		err := s.NameDevice(addr, name)
		given, _ := s.DeviceName(addr)
		for _, shown := range []string{given, s.Summary().Health.Devices[0].Name} {
			if strings.ReplaceAll(plain.Text(shown), `\\`, `\`) != shown {
				t.Errorf("%q is shown as %q", name, shown)
			}
		}
		if err == nil && given != plain.Name(name, capture.MaxDeviceName) {
			t.Errorf("%q became %q", name, given)
		}
	})
}
