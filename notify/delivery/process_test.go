package delivery_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/event"
	"telltale/guard/raced"
	"telltale/notify"
	"telltale/notify/delivery"
	"telltale/notify/transport"
)

// The test binary runs itself as a recorder that is killed.
const (
	childEnv   = "DELIVERY_TEST_CHILD" // path of its capture
	outboxEnv  = "DELIVERY_TEST_OUTBOX"
	addressEnv = "DELIVERY_TEST_ADDRESS"
	groupEnv   = "DELIVERY_TEST_GROUP"
)

// paper is a capture: a file with a violation on each line.
type paper struct{ path string }

func (p paper) Audit() string { return "audit of " + p.path }

func (p paper) Events(after int64, limit int) ([]delivery.Event, error) {
	content, err := os.ReadFile(p.path)
	lines := strings.Split(string(content), "\n")
	a := &audit{id: p.Audit()}
	a.add(lines[:len(lines)-1]...) // the last line is not whole
	if err != nil {
		return nil, err
	}
	return a.Events(after, limit)
}

func (p paper) Close() error { return nil }

// child records for ever and says what it has recorded.
func child(path string) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		panic(err)
	}
	hook, err := webhook(transport.New(transport.Options{Timeout: hurried.timeout}), hurried, "hook", os.Getenv(addressEnv))
	if err != nil {
		panic(err)
	}
	group, err := time.ParseDuration(os.Getenv(groupEnv))
	if err != nil {
		panic(err)
	}
	log, err := os.OpenFile(os.Getenv(outboxEnv)+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	d := delivery.Start(delivery.Config{
		Log:    slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Outbox: os.Getenv(outboxEnv), Source: paper{path}, Capture: path, Clock: hasty{time.Now(), hurried.times}, Group: group,
		Destinations: []delivery.Destination{hook},
		Recipients:   func(event.Event) []notify.Recipient { return []notify.Recipient{{Destination: "hook"}} },
	})
	for go_on := bufio.NewScanner(os.Stdin); go_on.Scan(); { // a line for each violation
		if _, err := fmt.Fprintln(file, go_on.Text()); err != nil {
			panic(err)
		}
		d.Wake()
	}
}

func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("processes are slow to start")
	}
	hook := newReceiver(t, 3, rule{"408", 100}, rule{"drop", 50})
	r := newRig(t)
	var want []string
	rounds := raced.Size(6, 3)
	for round := range rounds {
		// Sometimes it is killed while events gather, sometimes while messages are sent.
		capture := fmt.Sprintf("%s.%d", r.path, round%3)
		group := []string{"1s", "1s", "1h"}[round%3]
		want = append(want, record(t, hook, r.path, capture, group, round, raced.Size(50, 20))...)
	}
	client := transport.New(transport.Options{Timeout: hurried.timeout})
	defer client.Close()
	to, err := webhook(client, hurried, "hook", hook.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	config := delivery.Config{
		Outbox: r.path, Clock: hasty{time.Now(), hurried.times}, Destinations: []delivery.Destination{to},
		Recipients: func(event.Event) []notify.Recipient { return []notify.Recipient{{Destination: "hook"}} },
		Left:       func(path string) (delivery.Left, error) { return paper{path}, nil },
	}
	if err := delivery.Start(config).Close(ctx); err != nil {
		t.Fatal(err)
	}
	equal(t, "across kills", hook.accepted(), want)
	// What the receiver had taken when its sender was killed comes again, with its key:
	// one message each time at most.
	log, err := os.ReadFile(r.path + ".log")
	if err != nil {
		t.Fatal(err)
	}
	late := strings.Count(string(log), "did not answer in time") // on a machine that is busy
	if n := hook.repeated(); n > rounds+late {
		t.Errorf("%d messages were sent again after %d kills, %d answers were late", n, rounds, late)
	}
	if len(hook.keys) != len(want) {
		t.Errorf("%d messages for %d violations", len(hook.keys), len(want))
	}
}

// record runs a recorder of n violations and kills it in the middle. It returns what it recorded.
func record(t *testing.T, hook *receiver, outbox, capture, group string, round, n int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+capture, outboxEnv+"="+outbox, addressEnv+"="+hook.URL, groupEnv+"="+group)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	before := len(hook.accepted())
	for i := range n {
		fmt.Fprintf(in, "r%d-%d\n", round, i)
	}
	hook.until(t, func() bool {
		n := 0
		for _, answers := range hook.keys {
			if slices.Contains(answers, "ok") {
				n++
			}
		}
		return n >= before+5
	})
	if err := cmd.Process.Kill(); err != nil { // SIGKILL
		t.Fatal(err)
	}
	cmd.Wait()
	content, err := os.ReadFile(capture)
	if err != nil {
		t.Fatal(err)
	}
	var recorded []string
	for _, line := range strings.SplitAfter(string(content), "\n") {
		if v, whole := strings.CutSuffix(line, "\n"); whole && strings.HasPrefix(v, fmt.Sprintf("r%d-", round)) {
			recorded = append(recorded, v)
		}
	}
	return recorded
}
