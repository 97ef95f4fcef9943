package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"telltale/flow/plain"
	"telltale/setup/drive"
	"telltale/setup/hotspot"
)

const hasNFTables = true

// ruling is how long nft may take to load rules or to end.
const ruling = 5 * time.Second

// An owner is an nft that owns the table: the kernel removes the table when it ends,
// and it ends when the pipe to it does, whatever ended this program.
type owner struct {
	nft   string
	said  lockedBuffer
	stdin io.WriteCloser
	ended chan error
}

// applyRules has the rules in force until ctx ends.
func applyRules(ctx context.Context, s *streams, rules hotspot.Rules) error {
	nft, err := exec.LookPath("nft")
	if err != nil {
		return withHint(errors.New("nft is not in PATH: it loads the rules"), "sudo apt install nftables, or the package of that name of your system")
	}
	if os.Geteuid() != 0 {
		return withHint(errors.New("only root can load rules into the kernel"), "sudo telltale setup hotspot --interface %s --transparent-port %d --apply", quote(rules.Interface), rules.Port)
	}
	o := &owner{nft: nft, ended: make(chan error, 1)}
	if o.loaded(ctx) {
		return withHint(errors.New("there is a table "+hotspot.Table+" already: of another telltale setup hotspot, or loaded by hand"), "end the other one, or: sudo %s", drive.Quote(hotspot.Undo()))
	}
	if err := o.start(ctx, rules); err != nil {
		return err
	}
	s.say("devices behind %s are led to telltale at port %d; press Ctrl-C to undo it", rules.Interface, rules.Port)
	if free(rules.Port) {
		s.say("note: nothing listens at port %d yet, so devices reach nothing; start it with: telltale record --transparent=:%d", rules.Port, rules.Port)
	}
	select {
	case <-ctx.Done():
	case <-o.ended:
		return fmt.Errorf("nft ended, and the rules with it: %s", o.words())
	}
	o.tell(s.out)
	if err := o.stop(); err != nil {
		return err
	}
	s.say("the rules are gone")
	return nil
}

// free reports whether nobody listens at a port. It connects to nothing, which an audit
// would record.
func free(port uint16) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(int(port))))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// start starts nft and returns when the rules are in force.
func (o *owner) start(ctx context.Context, rules hotspot.Rules) error {
	// Not CommandContext: a signal first asks what was counted.
	c := exec.Command(o.nft, "-i") //nolint:noctx // see above
	c.Stdout, c.Stderr = &o.said, &o.said
	// In a group of its own, so that Ctrl-C is this program's to act on.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if o.stdin, err = c.StdinPipe(); err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("cannot start nft: %w", err)
	}
	go func() { o.ended <- c.Wait() }()
	if _, err := io.WriteString(o.stdin, rules.Owned()+"\n"); err != nil {
		return fmt.Errorf("cannot give the rules to nft: %w", err)
	}
	deadline := time.After(ruling)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !o.loaded(ctx) {
		select {
		case <-tick.C:
			if !strings.Contains(o.words(), "Error") {
				continue
			}
			_ = o.stop()
			return withHint(fmt.Errorf("nft refuses the rules: %s", o.words()), "nft of version 0.9.9 and Linux of 5.12 are needed; without --apply the rules are printed, for older ones too")
		case <-deadline:
			_ = o.stop()
			return fmt.Errorf("nft did not load the rules within %s", ruling)
		case <-o.ended:
			return fmt.Errorf("nft ended: %s", o.words())
		case <-ctx.Done():
			return o.stop()
		}
	}
	return nil
}

// loaded reports whether there is a table of our name.
func (o *owner) loaded(ctx context.Context) bool {
	argv := append([]string{o.nft}, hotspot.Check()[1:]...)
	_, err := drive.Output(ctx, ruling, argv)
	return err == nil
}

// stop ends nft, and with it the rules.
func (o *owner) stop() error {
	o.stdin.Close()
	select {
	case <-o.ended:
		return nil
	case <-time.After(ruling):
		return withHint(errors.New("nft does not end, and so the rules stay"), "end nft by hand")
	}
}

func (o *owner) words() string { return strings.Join(plain.Lines(o.said.String()), " / ") }

// tell says what the rules have counted.
func (o *owner) tell(w io.Writer) {
	ctx, cancel := context.WithTimeout(context.Background(), ruling)
	defer cancel()
	out, err := drive.Output(ctx, ruling, []string{o.nft, "-j", "list", "counters", "table", "inet", "telltale"})
	if err != nil {
		return // the numbers are a courtesy
	}
	var list struct {
		NFTables []struct {
			Counter struct {
				Name    string
				Packets int64
			}
		}
	}
	if json.Unmarshal([]byte(out), &list) != nil {
		return
	}
	packets := map[string]int64{}
	for _, row := range list.NFTables {
		packets[row.Counter.Name] = row.Counter.Packets
	}
	for _, c := range hotspot.Counters {
		fmt.Fprintf(w, "%8d  %s\n", packets[c.Name], c.Help)
	}
}

// lockedBuffer keeps the first 16 KiB of what a child says.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p[:min(len(p), 16<<10-b.text.Len())])
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
