package cmd

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"telltale/ca"
	"telltale/guard/raced"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect")

// A telltale that finds graceVariable waits so long for what is in flight: a slow
// machine then has time to see that it waits.
const (
	graceVariable = "TELLTALE_TEST_GRACE"
	longGrace     = 5 * time.Minute
)

// The programs that scripts run: the real telltale, a client and a server.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"telltale": func() {
			if d, err := time.ParseDuration(os.Getenv(graceVariable)); err == nil {
				grace = d
			}
			os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
		"fetch":    func() { os.Exit(fetch(os.Args[1:])) },
		"origin":   func() { os.Exit(origin(os.Args[1:])) },
		"distrust": func() { os.Exit(distrust(os.Args[1:])) },
		"stranger": func() { os.Exit(stranger(os.Args[1:])) },
	})
}

// TestScript runs the stories of testdata/script through the real program.
func TestScript(t *testing.T) { runScripts(t, "script") }

// TestSteps runs those of testdata/steps: one command after the other, without a proxy that
// serves somebody meanwhile.
func TestSteps(t *testing.T) {
	raced.SkipMeasure(t)
	runScripts(t, "steps")
}

// standIns are built once for all scripts.
var standIns struct {
	sync.Once
	err error
}

func runScripts(t *testing.T, folder string) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", folder),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			detach(e)
			e.Setenv("NO_COLOR", "1")
			e.Setenv("DEVICE", filepath.Join(e.WorkDir, "device"))
			programs := filepath.SplitList(e.Getenv("PATH"))[0]
			e.Setenv("PROGRAMS", programs)
			standIns.Do(func() { standIns.err = buildStandIns(programs) })
			return standIns.err
		},
		Condition: func(name string) (bool, error) { // [linked]: this machine is in a network
			if name != "linked" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return linkOfThisMachine() != "", nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":   scriptAwait,
			"exits":   scriptExits,
			"readenv": scriptReadEnv,
			"mode":    scriptMode,
			"interrupt": func(ts *testscript.TestScript, _ bool, args []string) {
				for _, c := range ts.BackgroundCmds() {
					ts.Check(c.Process.Signal(os.Interrupt))
				}
			},
		},
	})
}

// buildStandIns puts what plays adb and its like beside the other programs. It is built
// anew, since this one takes long to start, and they are started often.
func buildStandIns(folder string) error {
	first := filepath.Join(folder, "stand-in-adb")
	if out, err := exec.Command("go", "build", "-o", first, "telltale/setup/standin").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return errors.Join(os.Link(first, filepath.Join(folder, "stand-in-xcrun")), os.Link(first, filepath.Join(folder, "stand-in-networksetup")))
}

// detach keeps a script from the data, the clock and the time zone of whoever runs it.
func detach(e *testscript.Env) {
	e.Setenv("XDG_DATA_HOME", filepath.Join(e.WorkDir, "data"))
	e.Setenv("HOME", e.WorkDir)
	e.Setenv("SOURCE_DATE_EPOCH", "1795176000")
	e.Setenv("TZ", "UTC")
	e.Setenv("INTERFACE", linkOfThisMachine())
}

// linkOfThisMachine returns the name of a network interface that is up, "" for none.
func linkOfThisMachine() string {
	all, err := links()
	if err != nil || len(all) == 0 {
		return ""
	}
	return all[0].Name
}

// scriptExits runs a program whose exit code must be this one: exits CODE PROGRAM ARG...
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	got := 0
	var failed *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// scriptAwait waits until a file holds a text: await FILE TEXT.
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE TEXT")
	}
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		content, _ := os.ReadFile(ts.MkAbs(args[0]))
		if bytes.Contains(content, []byte(args[1])) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			ts.Fatalf("%s never held %q; it holds:\n%s", args[0], args[1], content)
		}
	}
}

// scriptReadEnv sets a variable to the trimmed content of a file, or to the word
// after a prefix in it: readenv NAME FILE [PREFIX].
func scriptReadEnv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: readenv NAME FILE [PREFIX]")
	}
	text := ts.ReadFile(args[1])
	if len(args) > 2 {
		_, after, ok := strings.Cut(text, args[2])
		if !ok {
			ts.Fatalf("%s holds no %q", args[1], args[2])
		}
		text, _, _ = strings.Cut(strings.TrimSpace(after)+"\n", "\n")
		text, _, _ = strings.Cut(text, " ")
	}
	ts.Setenv(args[0], strings.TrimSpace(text))
}

// scriptMode checks the permissions of a file: mode 0600 FILE.
func scriptMode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%#o", info.Mode().Perm()); (got == args[0]) == neg {
		ts.Fatalf("%s has mode %s", args[1], got)
	}
}

// fetch is a client that knows its proxy and its CAs from the environment alone,
// as many programs do: fetch [METHOD[=BODY]] URL...
func fetch(args []string) int {
	method, body, code := "GET", "", 0
	for _, arg := range args {
		if !strings.Contains(arg, "://") {
			method, body, _ = strings.Cut(arg, "=")
			continue
		}
		r, err := http.NewRequestWithContext(context.Background(), method, arg, strings.NewReader(body))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 3
		}
		r.Header.Set("User-Agent", "CovidShield/1.0.2")
		r.Header.Set("Authorization", "Bearer topsecret")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 4
			continue
		}
		n, _ := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		fmt.Printf("%s %s %d %s %d bytes\n", method, arg, resp.StatusCode, resp.Proto, n)
	}
	return code
}

// origin plays every server of the world on one port of loopback until it is
// killed: origin ADDRFILE CAFILE. /generate_204 answers 204, /size/N N bytes.
func origin(args []string) int {
	authority, err := ca.Open(filepath.Join(filepath.Dir(args[1]), "origin-ca"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.DER()})
	if err := os.WriteFile(args[1], block, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/generate_204") {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			fmt.Fprintf(w, "hello from %s\n", r.Host)
		}),
		TLSConfig: &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return authority.Leaf(h.ServerName) }},
	}
	temporary := args[0] + ".tmp"
	if err := os.WriteFile(temporary, []byte(l.Addr().String()), 0o600); err != nil {
		return 1
	}
	if err := os.Rename(temporary, args[0]); err != nil {
		return 1
	}
	fmt.Fprintln(os.Stderr, server.ServeTLS(l, "", ""))
	return 0
}
