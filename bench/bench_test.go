package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the processes that the tests measure.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == roleCommand {
		os.Exit(serve(os.Args[2:], os.Stderr))
	}
	os.Exit(m.Run())
}

// testBench returns a bench with the baselines alone.
func testBench(t *testing.T) *bench {
	t.Helper()
	b, err := newBench(options{rounds: 1, period: 20 * time.Millisecond, pairMiB: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

// through starts a contender for the length of a test.
func through(t *testing.T, c contender) *process {
	t.Helper()
	p, err := c.start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestBaselinesCarryTheLoad proves that what telltale is compared with does the
// same work: every answer of every load arrives whole.
func TestBaselinesCarryTheLoad(t *testing.T) {
	b := testBench(t)
	for _, c := range b.contenders {
		t.Run(c.name, func(t *testing.T) {
			p := through(t, c)
			for _, protocol := range []string{"http/1.1", "h2"} {
				port := map[string]string{"http/1.1": b.http1Port, "h2": b.http2Port}[protocol]
				keep, err := newClient(p.address, "api."+domain+":"+port, protocol)
				if err != nil {
					t.Fatal(protocol, err)
				}
				defer keep.Close()
				for n := range 20 {
					if err := keep.get(keysPath(1, n)); err != nil {
						t.Fatal(protocol, n, err)
					}
				}
			}
			files, err := newClient(p.address, "files."+domain+":"+b.http1Port, "http/1.1")
			if err != nil {
				t.Fatal(err)
			}
			defer files.Close()
			if err := files.get("/bytes/3000001"); err != nil {
				t.Error("down:", err)
			}
			if err := files.(*http1).post("/upload", 3000001); err != nil {
				t.Error("up:", err)
			}
		})
	}
}

// TestOriginSendsWhatWasAsked keeps the bulk loads honest about their size.
func TestOriginSendsWhatWasAsked(t *testing.T) {
	b := testBench(t)
	c, err := newClient("", "files."+domain+":"+b.http1Port, "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	direct := c.(*http1)
	if _, err := io.WriteString(direct, "GET /bytes/1234567 HTTP/1.1\r\n"+direct.fixed); err != nil {
		t.Fatal(err)
	}
	if n, err := direct.answer(); n != 1234567 || err != nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
}

// TestClientsNotice proves that a broken proxy is not measured as a quick one.
func TestClientsNotice(t *testing.T) {
	b := testBench(t)
	interceptor := through(t, b.contenders[1])
	const closedPort = ":1"
	for _, protocol := range []string{"http/1.1", "h2"} {
		c, err := newClient(interceptor.address, "api."+domain+closedPort, protocol)
		if err != nil {
			t.Fatal(protocol, err)
		}
		defer c.Close()
		if err := c.get("/"); err == nil || !strings.Contains(err.Error(), "502") {
			t.Errorf("%s: a 502 of the proxy gave %v", protocol, err)
		}
	}
	if _, err := newClient("", "api."+domain+":"+b.http1Port, "h2"); err == nil {
		t.Error("a server without HTTP/2 was taken for one with it")
	}
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	if _, err := readHead(bufio.NewReader(strings.NewReader(chunked))); err == nil {
		t.Error("chunks in place of a length went unnoticed")
	}
	for _, cut := range []string{"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"} {
		if _, err := readHead(bufio.NewReader(strings.NewReader(cut))); err == nil {
			t.Errorf("%q was taken for a head", cut)
		}
	}
}

// TestRunShowsARowForEach runs one scenario as the command line does.
func TestRunShowsARowForEach(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-run", "^(h1|latency)$", "-rounds", "1", "-time", "50ms"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr.String())
	}
	for _, want := range []string{`h1 +\| tunnel`, `h1 +\| interceptor`, `latency +\| direct`, `latency +\| interceptor`} {
		if !regexp.MustCompile(want).MatchString(stdout.String()) {
			t.Errorf("no row %q in\n%s", want, stdout.String())
		}
	}
	if strings.Contains(stdout.String(), "| h2 ") {
		t.Error("-run does not choose")
	}
}

func TestRunRefusesBadFlags(t *testing.T) {
	for _, args := range [][]string{{"-run", "("}, {"-nothing"}, {roleCommand}, {roleCommand, "tunnel", "missing.pem"}} {
		if code := run(args, io.Discard, io.Discard); code != 2 {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}

// TestStartRepeatsWhatWasSaid: without it a telltale that does not start would
// leave one to guess.
func TestStartRepeatsWhatWasSaid(t *testing.T) {
	b := testBench(t)
	_, err := start(b.self, roleCommand, "juggler", b.roots)
	if err == nil {
		t.Fatal("no error")
	}
	_, err = start(b.self, roleCommand, "tunnel", filepath.Join(b.dir, "missing.pem"))
	if err == nil || !strings.Contains(err.Error(), "missing.pem") {
		t.Errorf("the reason is not repeated: %v", err)
	}
}

func TestDrive(t *testing.T) {
	seen := make([]bool, 500)
	n, err := drive(7, counting(len(seen)), func(_, n int) error {
		seen[n] = true
		return nil
	})
	if n != len(seen) || err != nil || slices.Contains(seen, false) {
		t.Errorf("did %d of %d, %v", n, len(seen), err)
	}
	broken := errors.New("broken")
	_, err = drive(3, counting(1<<60), func(_, n int) error {
		if n == 10 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestHARIsRead proves that the generated file is what it claims to be.
func TestHARIsRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "small.har")
	const entries = 1500
	if err := writeHAR(name, entries); err != nil {
		t.Fatal(err)
	}
	document, err := decodeHAR(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(document.Log.Entries); n != entries {
		t.Errorf("%d entries, want %d", n, entries)
	}
	hosts := map[string]bool{}
	for _, e := range document.Log.Entries {
		host, _, _ := strings.Cut(strings.TrimPrefix(e.Request.URL, "https://"), "/")
		hosts[host] = true
	}
	if len(hosts) != harHosts {
		t.Errorf("%d hosts, want %d", len(hosts), harHosts)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if each, want := info.Size()/entries, int64(harSize/harEntries); each < want*9/10 || each > want*11/10 {
		t.Errorf("%d bytes an entry, want about %d", each, want)
	}
	if job, err := runOnce([]string{testBench(t).self, roleCommand, "decode", name}); err != nil || job.cpu == 0 {
		t.Errorf("decoding it took %+v, %v", job, err)
	}
}

// An empty pair of stacks carries bytes both ways.
func TestEmptyPair(t *testing.T) {
	s, err := testBench(t).emptyPair()
	if err != nil {
		t.Fatal(err)
	}
	if s.down <= 0 || s.up <= 0 {
		t.Errorf("%v", s)
	}
}

// The resolver of the load answers what the load asks.
func TestNamesOfTheLoad(t *testing.T) {
	names, err := serveNames()
	if err != nil {
		t.Fatal(err)
	}
	defer names.Close()
	c, err := net.Dial("udp", names.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if answered, err := ask(c, 7, "n7"); !answered || err != nil {
		t.Errorf("answered %v, %v", answered, err)
	}
}
