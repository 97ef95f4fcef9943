//go:build unix

package cmd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"telltale/tui/tmux"
)

// storyPatience is how long a whole story may take on a slow machine.
const storyPatience = 3 * time.Minute

// storyPolicy has remarks that must outlive every decision.
const storyPolicy = `# What the weather app may talk to.
version: 1
name: Weather talks to its own servers only
allow:
  - "*.weather.example" # ours
`

// story is a person with a phone in front of a real terminal.
type story struct {
	t        *testing.T
	ctx      context.Context
	folder   string // where telltale was started
	env      []string
	origin   string // address that plays every server
	terminal *tmux.Terminal
	port     string // of the proxy
}

// newStory prepares an empty home and the servers of the world.
func newStory(t *testing.T) *story {
	t.Helper()
	t.Parallel()
	for _, program := range []string{"tmux", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed, and the story is told with it", program)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), storyPatience)
	t.Cleanup(cancel)
	s := &story{t: t, ctx: ctx, folder: t.TempDir()}
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.folder, "XDG_DATA_HOME=" + filepath.Join(s.folder, "data"),
		"TZ=UTC", "LC_ALL=C.UTF-8",
	}
	s.write("telltale.yaml", storyPolicy)
	servers := exec.CommandContext(ctx, "origin", s.path("origin.addr"), s.path("origin.pem"))
	if err := servers.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = servers.Wait() })
	s.origin = s.awaitFile("origin.addr", "127.0.0.1:")
	return s
}

func (s *story) path(name string) string { return filepath.Join(s.folder, name) }

func (s *story) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) read(name string) string {
	s.t.Helper()
	content, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(content)
}

// awaitFile waits until a file holds a text, and returns all of it.
func (s *story) awaitFile(name, text string) string {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		content, _ := os.ReadFile(s.path(name))
		if strings.Contains(string(content), text) {
			return string(content)
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			s.t.Fatalf("%s never held %q; it holds:\n%s", name, text, content)
		}
	}
}

// starts runs telltale in a new terminal.
func (s *story) starts(args ...string) {
	s.t.Helper()
	terminal, err := tmux.Start(s.ctx, tmux.Options{Columns: 120, Rows: 40, Folder: s.folder, Env: s.env}, append([]string{"telltale"}, args...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(terminal.Close)
	s.terminal = terminal
}

// startsWatching begins a live audit and reads from the screen where it listens.
func (s *story) startsWatching(args ...string) {
	s.t.Helper()
	s.starts(append([]string{"watch", "--listen", "127.0.0.1:0", "--resolve", "*:*:" + s.origin, "--upstream-ca", s.path("origin.pem")}, args...)...)
	screen := s.sees("Waiting for a device", "http://127.0.0.1:")
	s.port = regexp.MustCompile(`http://127\.0\.0\.1:(\d+)`).FindStringSubmatch(screen)[1]
}

// sees waits until the screen holds every text.
func (s *story) sees(texts ...string) string {
	s.t.Helper()
	screen, err := s.terminal.Await(s.ctx, texts...)
	if err != nil {
		s.t.Fatal(err)
	}
	return screen
}

// misses waits until the screen no longer holds a text.
func (s *story) misses(text string) {
	s.t.Helper()
	_, err := s.terminal.AwaitThat(s.ctx, "a screen without "+text, func(screen string) bool { return !strings.Contains(screen, text) })
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) presses(keys ...string) {
	s.t.Helper()
	if err := s.terminal.Press(s.ctx, keys...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) types(text string) {
	s.t.Helper()
	if err := s.terminal.Type(s.ctx, text); err != nil {
		s.t.Fatal(err)
	}
}

// phone makes a request through the proxy and returns what it answered.
func (s *story) phone(args ...string) string {
	s.t.Helper()
	c := exec.CommandContext(s.ctx, "curl", append([]string{
		"--silent", "--show-error", "--max-time", "30", "--proxy", "http://127.0.0.1:" + s.port, "--user-agent", "Weather/4.2 CFNetwork/1568 Darwin/24.0.0",
	}, args...)...)
	c.Env = s.env
	out, err := c.CombinedOutput()
	if err != nil {
		s.t.Fatalf("curl %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// connects does what the screen says: the page, the certificate.
func (s *story) connects() {
	s.t.Helper()
	s.phone("http://setup.telltale/")
	s.sees("✓ The device reached telltale", "✓ It opened the set-up page")
	s.phone("--output", s.path("trusted.pem"), "http://setup.telltale/ca.pem")
	s.sees("✓ It fetched the certificate")
}

// visits lets the app make a request over TLS, with the certificate trusted.
func (s *story) visits(args ...string) {
	s.t.Helper()
	s.phone(append([]string{"--cacert", s.path("trusted.pem")}, args...)...)
}

// ends waits for the end of the program and holds the terminal to being what it
// was before. It returns all that is on the normal screen.
func (s *story) ends(code int) string {
	s.t.Helper()
	s.sees(fmt.Sprintf("exit code %d", code))
	state, err := s.terminal.Ask(s.ctx, "#{alternate_on} #{mouse_any_flag} #{cursor_flag}")
	if err != nil || state != "0 0 1" {
		s.t.Errorf("alternate screen, mouse and cursor are %q after the end, want \"0 0 1\" (%v)", state, err)
	}
	// A terminal in its normal mode shows what is typed, and cat says it again.
	s.types("still here?")
	s.presses("Enter")
	if _, err := s.terminal.AwaitThat(s.ctx, "an echo", func(screen string) bool { return strings.Count(screen, "still here?") == 2 }); err != nil {
		s.t.Fatal(err)
	}
	all, err := s.terminal.History(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// TestWatchStory is the audit as the README tells it: connect by what the screen
// says, see a violation, understand it, allow its host, write a report, leave.
func TestWatchStory(t *testing.T) {
	s := newStory(t)
	s.startsWatching("--save", "audit.telltale")
	s.connects()

	s.visits("https://api.weather.example/forecast")
	s.sees("✓ Its TLS can be read", "✓ Its first contact can be read")
	s.visits("--head", "https://clients3.google.com/generate_204")
	s.visits("https://maps.tiles.example/7/41/42.png")
	s.presses("1")
	s.sees("captive-portal-probe", "clients3.google.com", "maps.tiles.example")

	// Why: the rule, what decided, how to make it stop.
	s.selects("clients3.google.com")
	s.presses("Enter")
	s.sees("captive-portal-probe", "NetInfo", "reachabilityUrl")
	s.presses("Escape")
	s.sees("maps.tiles.example")

	// Allow a host: the change shows before it counts.
	s.selects("maps.tiles.example")
	s.presses("a")
	s.sees("+", "maps.tiles.example", "enter")
	s.presses("Enter")
	s.sees("1 VIOLATION", "policy not written")
	if got := s.read("telltale.yaml"); got != storyPolicy {
		t.Errorf("the policy was written before anybody said so:\n%s", got)
	}
	s.presses("w")
	s.sees("Write telltale.yaml")
	s.presses("Enter")
	policy := s.awaitFile("telltale.yaml", "maps.tiles.example")
	if !strings.HasPrefix(policy, storyPolicy) {
		t.Errorf("remarks or order were lost:\n%s", policy)
	}

	s.presses("e")
	s.sees("Write reports")
	s.presses("Enter")
	if report := s.awaitFile("audit.md", "captive-portal-probe"); !strings.Contains(report, "clients3.google.com") {
		t.Errorf("the report does not name the host:\n%s", report)
	}
	s.sees("wrote ", "audit.md")
	s.presses("q")
	said := s.ends(ExitClean)
	for _, want := range []string{"clients3.google.com", "captive-portal-probe", "\ncapture: audit.telltale\nreport: audit.md\nexit code 0"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in what was said at the end:\n%s", want, said)
		}
	}
	if strings.Contains(said, "Waiting for a device") {
		t.Errorf("the screen left something behind:\n%s", said)
	}
}

// selects moves the cursor of a list to the row with a text.
func (s *story) selects(text string) {
	s.t.Helper()
	if err := s.terminal.Point(s.ctx, text); err != nil {
		s.t.Fatal(err)
	}
}

// TestWatchEndsOnSignal: a phone lab stops the audit from outside, and finds the
// terminal and every file as if somebody had pressed q.
func TestWatchEndsOnSignal(t *testing.T) {
	s := newStory(t)
	s.startsWatching("--save", "audit.telltale", "--report", "audit.md", "--report", "audit.json", "--exit-code")
	s.connects()
	s.visits("--head", "https://clients3.google.com/generate_204")
	s.sees("1 VIOLATION")
	if err := s.terminal.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	said := s.ends(ExitViolations)
	for file, want := range map[string]string{"audit.md": "clients3.google.com", "audit.json": "captive-portal-probe", "audit.telltale": "SQLite format 3"} {
		if !strings.Contains(s.read(file), want) {
			t.Errorf("%s lacks %q", file, want)
		}
		if !strings.Contains(said, file) {
			t.Errorf("%s is not named at the end:\n%s", file, said)
		}
	}
}

// TestWatchExitCode: clean is 0 with --exit-code too, and an audit that saw
// nothing is no verdict.
func TestWatchExitCode(t *testing.T) {
	t.Run("clean", func(t *testing.T) {
		s := newStory(t)
		s.startsWatching("--exit-code", "--keep", "none")
		s.connects()
		s.visits("https://api.weather.example/")
		s.sees("✓ CLEAN")
		s.presses("q")
		s.ends(ExitClean)
	})
	t.Run("nothing seen", func(t *testing.T) {
		s := newStory(t)
		s.startsWatching("--exit-code", "--keep", "none")
		s.presses("q")
		s.ends(ExitFailed)
	})
}

// TestWatchAsksBeforeDecisionsAreLost: q asks where decisions are not written, and
// writes them when asked to.
func TestWatchAsksBeforeDecisionsAreLost(t *testing.T) {
	s := newStory(t)
	s.startsWatching("--keep", "none")
	s.connects()
	s.visits("https://maps.tiles.example/")
	s.sees("1 VIOLATION")
	s.presses("1")
	s.selects("maps.tiles.example")
	s.presses("a")
	s.sees("+", "enter")
	s.presses("Enter")
	s.sees("CLEAN")
	s.presses("q")
	s.sees("not written to")
	s.presses("Escape")
	s.misses("not written to")
	s.presses("u")
	s.sees("1 VIOLATION")
	s.presses("a")
	s.sees("+", "enter")
	s.presses("Enter")
	s.sees("CLEAN")
	s.presses("q")
	s.sees("not written to")
	s.presses("w")
	s.ends(ExitClean)
	if got := s.read("telltale.yaml"); !strings.HasPrefix(got, storyPolicy) || !strings.Contains(got, "maps.tiles.example") {
		t.Errorf("the decision was not added to the policy:\n%s", got)
	}
}

// TestWatchFiles opens what was recorded before: a capture of telltale, and the HAR
// that is made of it.
func TestWatchFiles(t *testing.T) {
	s := newStory(t)
	s.startsWatching("--save", "audit.telltale", "--report", "audit.har")
	s.connects()
	s.visits("https://api.weather.example/forecast")
	s.visits("--head", "https://clients3.google.com/generate_204")
	s.sees("1 VIOLATION")
	s.presses("q")
	s.ends(ExitClean)
	for _, file := range []string{"audit.telltale", "audit.har"} {
		s.starts("watch", file, "--exit-code")
		s.sees("1 VIOLATION", "clients3.google.com", "captive-portal-probe")
		s.presses("c")
		s.sees("no device can connect")
		s.presses("3")
		s.sees("api.weather.example", "clients3.google.com")
		s.presses("/")
		s.sees("Filter")
		s.types("forecast")
		s.sees("1 flow")
		s.misses("clients3.google.com")
		s.presses("Enter")
		s.selects("/forecast")
		s.presses("Enter")
		s.sees("Request", "TLS", "Timing")
		s.presses("q")
		if said := s.ends(ExitViolations); !strings.Contains(said, "clients3.google.com") {
			t.Errorf("%s: no summary:\n%s", file, said)
		}
	}
}

// TestDemoOnScreen: whoever has no phone at hand sees the same, with a stand-in.
func TestDemoOnScreen(t *testing.T) {
	s := newStory(t)
	s.starts("demo", "--watch", "--output", "demo")
	s.sees("1 VIOLATION", "clients3.google.com", "captive-portal-probe")
	s.presses("q")
	said := s.ends(ExitViolations)
	if !strings.Contains(said, "audit.md") || !strings.Contains(s.read("demo/audit.md"), "clients3.google.com") {
		t.Errorf("the reports are missing or not named:\n%s", said)
	}
}

// TestWatchResizes: the screen fits a terminal that changes its size while it is
// looked at, down to one in which only the verdict has room.
func TestWatchResizes(t *testing.T) {
	s := newStory(t)
	s.startsWatching("--keep", "none")
	s.connects()
	s.visits("--head", "https://clients3.google.com/generate_204")
	s.presses("1")
	s.sees("captive-portal-probe")
	for _, size := range []struct{ columns, rows int }{{40, 10}, {160, 50}, {80, 24}} {
		if err := s.terminal.Resize(s.ctx, size.columns, size.rows); err != nil {
			t.Fatal(err)
		}
		// The bottom line holds the keys: the whole height is used, and no more.
		screen, err := s.terminal.AwaitThat(s.ctx, fmt.Sprintf("a screen of %dx%d", size.columns, size.rows), func(screen string) bool {
			lines := strings.Split(strings.TrimSuffix(screen, "\n"), "\n")
			return len(lines) == size.rows && strings.Contains(lines[0], "VIOLATION") && strings.Contains(lines[size.rows-1], "enter")
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(screen, "clients3") {
			t.Errorf("%dx%d does not say who is contacted:\n%s", size.columns, size.rows, screen)
		}
	}
	s.presses("q")
	s.ends(ExitClean)
}

// TestWatchMistakes: what cannot be shown is said on the normal screen, with the
// place of the mistake and what to type instead, and is 2.
func TestWatchMistakes(t *testing.T) {
	s := newStory(t)
	s.write("cut.har", `{"log":{"version":"1.2","creator":{"name":"hand","version":"1"},"entries":[{"startedDateTime":`)
	s.write("notes.har", "these are no flows\n")
	s.write("broken.yaml", "version: 1\nalow:\n  - \"*.weather.example\"\n")
	s.write("empty.har", `{"log":{"version":"1.2","creator":{"name":"hand","version":"1"},"entries":[]}}`)
	for name, c := range map[string]struct {
		args []string
		said []string
	}{
		"no such file":         {[]string{"gone.har"}, []string{"error: cannot read the capture: open gone.har"}},
		"live flag":            {[]string{"empty.har", "--listen", ":9090"}, []string{"error: --listen is for a live audit", "hint: leave out the flag, or the file"}},
		"standard input":       {[]string{"-"}, []string{"error: watch reads keys from standard input", "hint: "}},
		"unknown key":          {[]string{"--policy", "broken.yaml"}, []string{"broken.yaml:2:1", "alow"}},
		"unknown key, file":    {[]string{"empty.har", "--policy", "broken.yaml"}, []string{"broken.yaml:2:1", "alow"}},
		"bad address":          {[]string{"--listen", "8080"}, []string{`error: --listen: "8080"`, "hint: "}},
		"unknown report":       {[]string{"empty.har", "--report", "audit.docx"}, []string{"audit.docx"}},
		"a folder for the key": {[]string{"--ca", "telltale.yaml"}, []string{"error: ", "telltale.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			told := *s
			told.t = t
			told.starts(append([]string{"watch"}, c.args...)...)
			said := told.ends(ExitFailed)
			for _, want := range c.said {
				if !strings.Contains(said, want) {
					t.Errorf("%q is missing in:\n%s", want, said)
				}
			}
		})
	}

	// What can be read of a damaged capture is shown; what is wrong is said at once
	// on the screen, and again when it is gone.
	for _, file := range []string{"cut.har", "notes.har"} {
		t.Run(file, func(t *testing.T) {
			told := *s
			told.t = t
			told.starts("watch", file)
			told.sees(file)
			told.sees("expected")
			told.presses("q")
			if said := told.ends(ExitFailed); !strings.Contains(said, "error: "+file+":1") {
				t.Errorf("the place of the mistake is missing in:\n%s", said)
			}
		})
	}
}
