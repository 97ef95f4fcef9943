// Package tui is the audit that a person can see: a terminal program over the
// pages of a capture.
//
// It knows four views of a capture (violations, hosts, flows, devices), the detail of
// one flow and of one device, what was told to whom (sent.go), where in the app a host comes
// from (origin.go), how a device is connected, how a person filters, decides and leaves, and
// which experiments alter the traffic (experiments.go, lab.go).
// It promises that
//
//   - it never slows the recording: it asks the store for totals and pages a few
//     times a second and is called by nobody;
//   - new rows never move what is being read;
//   - nothing of a capture reaches the terminal raw (package flow/plain), and
//     secrets are masked until a key reveals them;
//   - what is altered on purpose never passes for observed: the top line of every view
//     names the experiments in force, the verdict says that there were any, and what they
//     altered is marked;
//   - the loop of the program does no input or output: whatever may block runs in
//     a command, and its result comes back as a message.
//
// It does not open captures, run the proxy or write reports by itself: [Config] hands
// those over. The policy file it writes when a person says so, and reads only when
// somebody else has changed it. Its one model is made of plain parts, each a
// struct that draws itself as lines; keys and styles are tables (keys.go, theme.go).
//
// To see what it does, run it in tmux and look at `tmux capture-pane -p`; the
// goldens in testdata are such pictures.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
	"telltale/locate"
	"telltale/policy"
	"telltale/tui/quiet"
)

func init() { quiet.End() }

// Config is what the screen shows and whom it asks.
type Config struct {
	Store   *capture.Store
	Capture string // the capture file, as its owner calls it
	Live    bool   // flows are being recorded into the store
	// Load fills or judges the store of a capture that exists already, before its
	// verdict means anything. It calls progress now and then; total is 0 while it
	// is not known. Nil: the store is ready.
	Load func(ctx context.Context, progress func(done, total int)) error

	Connect *Connect // how devices reach the proxy; nil without one
	// Modes returns the ways in of this audit, as in flow.Flow.Mode: those that are open
	// and those of the flows that are there. It is called beside the loop, whenever
	// there is news. Nil: none is known.
	Modes    func() []string
	Policy   Policy
	Reports  Reports
	Problems func() []string // trouble of the tool so far, oldest first; nil: none
	// Diagnose says why connections of a device cannot be read, what matters most
	// first. It is called beside the loop, for each device whenever there is news: it
	// had better remember what it said of evidence that is the same. Hosts and apps in
	// it are masked, unless Reveal. Nil: there are no diagnoses.
	Diagnose func(capture.Device) []diagnosis.Diagnosis
	// Locate finds where in the app a host comes from, and calls progress now and then, from
	// any goroutine. It is called beside the loop, and given up by ctx. Nil: the app is not
	// at hand.
	Locate func(ctx context.Context, host string, progress func(locate.Progress)) (*locate.Result, error)
	App    string // as its owner calls it; with Locate
	// NameDevice gives the device at an address the name that a person wants for it,
	// "" takes that name back. It is called beside the loop. Nil: the capture cannot be
	// written.
	NameDevice func(addr, name string) error
	// Acknowledge notes that a person knows of a violation, by its ID. It is called beside
	// the loop. Nil: the capture cannot be written.
	Acknowledge func(violation string) error
	// Told says how far people were told, and what the user's programs say. It is called
	// beside the loop, whenever there is news. Nil: nobody is told, and no program runs.
	Told func() Told

	// Experiments are those that a person may switch here. Nil: nothing is live.
	Experiments Experiments

	Reveal  bool // show secrets from the start
	NoColor bool

	Now func() time.Time // nil is time.Now
	// Clipboard puts a text on the clipboard and says how, in words that may follow
	// "copied"; nil uses the system's program, or asks the terminal.
	Clipboard func(text string) (how string, err error)
	Copies    []Copy
}

// Experiments alter the traffic of the audit while they are on. Its methods are called
// beside the loop.
type Experiments interface {
	// List returns those that there are, in the order in which they are shown.
	List() []Experiment
	// Switch turns one on, in a variant ("" is the usual one), or off.
	Switch(name, variant string, on bool) error
	// Forms are the ways in which a contact can be refused, the usual one first.
	Forms() []string
	// Refuse refuses all contacts with a host, or with those of a pattern as a policy
	// writes it, in one of Forms; "" stops that.
	Refuse(host, form string) error
	// Refused returns what is refused so, each as it was given to Refuse or on the
	// command line.
	Refused() []Refusal
}

// Refusal is a host, or a pattern of hosts, that is refused whatever the policy says.
type Refusal struct {
	Host string
	Form string // one of Experiments.Forms
}

// Experiment is one of them. Enforcement of the policy is the one named "enforce", and
// the rules of a file are one, too.
type Experiment struct {
	Name, Help string
	Variants   []string // the usual one first; nil where there is one alone
	Variant    string   // that is on; "" while it is off, or where there are none
	On         bool
	Hosts      []string // that alone are meant, as they are written; nil: all
	Flows      int      // contacts that it altered so far; 0: as the store counts them
	Note       string   // what to know of it while it is on: "has no effect while offline is on"
}

// Copy is one form in which a flow can be copied.
type Copy struct {
	Key, Name string
	// Text writes the flow, bodies loaded, and hides what mask hides; a nil mask
	// reveals everything. "" says that the flow has no such form.
	Text func(f *flow.Flow, j policy.Judgement, mask func(string) string) string
}

// Connect is how a device reaches the proxy.
type Connect struct {
	Places []Place // the likeliest first
	// Guides returns short steps for each platform at a place.
	Guides func(Place) []Guide
	// Checklist returns what one device has done so far, and what to do where it
	// is stuck, by what Config.Diagnose said of it. It is called while the screen is
	// drawn, so that it must not take long.
	Checklist func(capture.Device, Place, []diagnosis.Diagnosis, time.Time) []Check
	Tunnel    *Tunnel // the way in that takes every packet of a device; nil without one
}

// Tunnel is the way in through a VPN app (WireGuard).
type Tunnel struct {
	// Devices returns the devices that have a key, the newest last, with what the app
	// of each needs to reach this place. It is called beside the loop, whenever there is
	// news or the place changes: it had better remember the codes that it made.
	Devices func(Place) []TunnelDevice
	// AddDevice makes a key for one more device, and its configuration. It is called
	// beside the loop. Nil: devices cannot be added here.
	AddDevice func(name string) error
}

// TunnelDevice is one device as the tunnel knows it.
type TunnelDevice struct {
	Name     string
	Addr     string // IP address inside the tunnel: that of capture.Device
	Endpoint string // HOST:PORT that its configuration names
	Config   string // in the format of wg-quick; it holds the private key
	File     string // that holds Config; "" where there is none
	// QR and QRInverse are the code of Config, as in Place. Both are nil where it does
	// not fit into a code.
	QR, QRInverse []string
	// Handshake says when the tunnel was last agreed on, in words ("12 s ago"); "" when
	// it never was.
	Handshake string
}

// Place is one address at which a device may reach the proxy.
type Place struct {
	Host, Port string
	Page       string   // URL of the set-up page
	QR         []string // of the page: half blocks, dark on light
	QRInverse  []string // the same, light on dark, for screens without colours
}

// Guide is what a person does on one platform.
type Guide struct {
	Name  string
	Steps []string
}

// Check is one step of connecting a device.
type Check struct {
	Text   string
	State  CheckState
	Advice []string
	// Diagnosed says that Advice comes from the diagnoses alone, which stand above it on
	// the page of the device.
	Diagnosed bool
}

// CheckState says how far a step is.
type CheckState int

// The states.
const (
	CheckWaiting CheckState = iota
	CheckDone
	CheckSkipped // not needed after all
	CheckTrouble
)

// Policy is the policy file as the screen edits it.
type Policy struct {
	Current *policy.Policy
	File    string // the file that decisions are written to; it need not exist yet
	Text    []byte // what it holds; nil: there is none
	Draft   []byte // what a file that does not exist starts with
	Options policy.Options
	// Parse reads a changed text of the file, with what the command line adds.
	Parse func(text []byte) (*policy.Policy, error)
	// Beside returns the judge of a policy that takes away what something else explains: an
	// idle baseline. It is asked beside the loop, and may wait. Nil: policies judge alone.
	Beside func(policy.Judge) policy.Judge
	// Adopt tells the recorder of a policy that is in force from now on. Nil: nobody
	// needs to know.
	Adopt func(*policy.Policy)
	// Dropped is told when the screen ended without being asked to, by a signal,
	// while decisions were not written: they are no longer in force. May be nil.
	Dropped func()
}

// Reports writes reports of what the store holds at that moment.
type Reports struct {
	Formats []ReportFormat
	// Base is the file name that is proposed, without an extension.
	Base  string
	Write func(files []string) error
}

// ReportFormat is one format of a report: the extension of its files, and what it is for.
type ReportFormat struct{ Ext, Help string }

// Run shows the screen until the person leaves or ctx ends, and returns when
// Config.Load and whatever changes a verdict or writes a file have ended. It returns
// an error only when the terminal cannot be used.
func Run(ctx context.Context, cfg Config, in io.Reader, out io.Writer) error {
	if cfg.Clipboard == nil {
		cfg.Clipboard = clipboardOf(out)
	}
	inside, cancel := context.WithCancel(ctx)
	m := newModel(inside, cfg, newTheme(out, cfg.NoColor))
	program := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(newTerminal(ctx, out)),
		tea.WithAltScreen(), tea.WithMouseCellMotion(), tea.WithoutSignalHandler())
	_, err := program.Run()
	m.end(cancel)
	m.desk.abandon(cfg.Store)
	if err != nil && !errors.Is(err, tea.ErrProgramKilled) {
		return fmt.Errorf("cannot use the terminal: %w", err)
	}
	return m.crashed(err)
}

// newTheme asks the terminal for its colours, which must happen before the program
// reads its input.
func newTheme(out io.Writer, noColor bool) theme {
	r := lipgloss.NewRenderer(out)
	colours := !noColor && r.ColorProfile() != termenv.Ascii
	if colours {
		r.HasDarkBackground()
	} else {
		// Bold and reverse are no colours (https://no-color.org): the cursor stays visible.
		r.SetColorProfile(termenv.ANSI)
	}
	return themeOf(r, colours)
}
