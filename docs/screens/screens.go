// Command screens makes the pictures of the screen in the documentation: it runs
// the real telltale watch in a terminal of tmux, plays a phone with an app beside it,
// presses keys, and keeps what the screen shows as text with escape sequences, which
// docs/picture draws.
//
// It promises pictures of the real program: only what differs from run to run is
// rewritten, at its width (see settle). It makes no connection but to its own
// servers. The address to listen on must be this machine's; `make picture` runs it
// in a network namespace that has the addresses of a home network, so that the pictures
// show such ones and hold none of this machine. When a screen never comes, the
// error shows what was there instead.
//
//	go run ./docs/screens -telltale bin/telltale -listen 192.168.1.20:8080 -device 192.168.1.31 -o bin/screens
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"telltale/tui/tmux"
)

// patience is how long all pictures together may take.
const patience = time.Minute

func main() {
	s := &studio{}
	flag.StringVar(&s.telltale, "telltale", "bin/telltale", "the `program`")
	flag.StringVar(&s.listen, "listen", "127.0.0.1:8080", "`address` that telltale listens on and shows")
	flag.StringVar(&s.device, "device", "127.0.0.1", "`address` that the phone has")
	flag.StringVar(&s.out, "o", ".", "`folder` for the screens")
	flag.Parse()
	if err := s.run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// policy is the file that the audit begins with.
const policy = `# Weather may talk to its own servers, and iOS to Apple.
version: 1
name: Weather talks to its own servers only
app:
  user-agent: "Weather/*"
allow:
  - "*.weather.example" # ours
ignore:
  - preset: ios-system
`

// studio is where the pictures are taken.
type studio struct {
	telltale, listen, device, out string

	terminal *tmux.Terminal
	phone    *phone
}

// run plays the whole audit.
func (s *studio) run() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if s.telltale, err = filepath.Abs(s.telltale); err != nil {
		return err
	}
	if err := os.MkdirAll(s.out, 0o750); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "screens-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := os.WriteFile(filepath.Join(folder, "telltale.yaml"), []byte(policy), 0o600); err != nil {
		return err
	}
	world, err := startWorld(folder)
	if err != nil {
		return err
	}
	defer world.close()
	s.phone = &phone{proxy: s.listen, address: s.device}
	options := tmux.Options{Columns: 104, Rows: 34, Folder: folder, Env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "XDG_DATA_HOME=" + filepath.Join(folder, "data"), "TZ=UTC", "LC_ALL=C.UTF-8",
	}}
	program := []string{s.telltale, "watch", "--listen", s.listen, "--save", "audit.telltale", "--upstream-ca", world.certificate}
	s.terminal, err = tmux.Start(ctx, options, append(program, world.resolve...)...)
	if err != nil {
		return err
	}
	defer s.terminal.Close()
	for _, step := range s.story() {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// step is a moment of the story: something that the phone or the person does.
type step func(context.Context) error

// story is the audit from the first device to the first decision.
func (s *studio) story() []step {
	page := request{browser, "GET", "http://setup.telltale/", ""}
	return []step{
		s.sees("Waiting for a device"),
		func(ctx context.Context) error { _, err := s.phone.send(ctx, page); return err },
		s.shoots("connect", 104, 34, "✓ It opened the set-up page"),
		s.phone.trust,
		s.phone.use,

		s.presses("1"), s.shoots("violations", 112, 14, "captive-portal-probe", "www.icanhazip.com"),
		s.presses("2"), s.shoots("hosts", 112, 18, "captive.apple.com"),
		s.presses("3"), s.shoots("flows", 112, 18, "PATH"),

		// Why the probe breaks the policy.
		s.presses("1"), s.sees("RULE"), s.points("captive-portal-probe"),
		s.presses("Enter"), s.shoots("why", 112, 32, "NetInfo"),
		s.presses("Escape"), s.sees("RULE"),

		// A filter while it is typed, and an answer that it found.
		s.presses("3", "/"), s.sees("Filter"),
		s.types(`host endsWith ".weather.example" and duration > 60`), s.shoots("filter", 112, 18, "3 flows"),
		s.presses("Enter"), s.sees("PATH"), s.points("/v2/forecast"),
		s.presses("Enter"), s.sees("Response"),
		s.presses("Tab", "Tab"), s.shoots("response", 112, 30, "temperature"),
		s.presses("Escape"), s.sees("PATH"), s.presses("Escape"), s.sees("captive.apple.com"),

		// The host of the map is allowed after all.
		s.presses("1"), s.sees("RULE"), s.points("tiles.maps.example"),
		s.presses("a"), s.shoots("allow", 112, 22, "+", "enter"),
	}
}

func (s *studio) presses(keys ...string) step {
	return func(ctx context.Context) error { return s.terminal.Press(ctx, keys...) }
}

func (s *studio) types(text string) step {
	return func(ctx context.Context) error { return s.terminal.Type(ctx, text) }
}

func (s *studio) sees(texts ...string) step {
	return func(ctx context.Context) error { _, err := s.terminal.Await(ctx, texts...); return err }
}

// shoots keeps the screen at a size, once it holds every text.
func (s *studio) shoots(name string, columns, rows int, texts ...string) step {
	return func(ctx context.Context) error {
		if err := s.terminal.Resize(ctx, columns, rows); err != nil {
			return err
		}
		if _, err := s.terminal.AwaitThat(ctx, fmt.Sprintf("%s: %q at the new size", name, texts), drawn(rows, texts)); err != nil {
			return err
		}
		screen, err := s.terminal.Styled(ctx)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(s.out, name+".ansi"), []byte(settle(screen)), 0o600)
	}
}
