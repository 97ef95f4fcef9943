//go:build unix

package cmd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"telltale/guard/raced"
)

// moody is a receiver of messages that fails by a seed: it answers 408 or 500, hangs, or
// breaks the connection, before or after it has taken the message.
type moody struct {
	*httptest.Server
	mu       sync.Mutex
	random   *rand.Rand
	accepted map[string]toldMessage // by idempotency key
	answered map[string]int         // how often a message was taken with an answer
	posts    int
}

// toldMessage is what the tests read of a message.
type toldMessage struct {
	Audit string
	More  int
	Items []struct{ Host string }
	to    string // path of the destination
}

func newMoody(t *testing.T, seed uint64) *moody {
	t.Helper()
	m := &moody{random: rand.New(rand.NewPCG(seed, 1)), accepted: map[string]toldMessage{}, answered: map[string]int{}}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var told toldMessage
	if err == nil {
		err = json.Unmarshal(body, &told)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	m.posts++
	mood := m.random.IntN(10)
	key := r.Header.Get("Idempotency-Key")
	if mood != 0 && mood != 1 && mood != 2 {
		told.to = r.URL.Path
		m.accepted[key] = told
	}
	m.mu.Unlock()
	switch mood {
	case 0:
		w.WriteHeader(http.StatusRequestTimeout)
	case 1:
		w.WriteHeader(http.StatusInternalServerError)
	case 2, 3: // broken off; 3 has taken it
		panic(http.ErrAbortHandler)
	case 4: // has taken it, and never answers
		<-r.Context().Done()
	default:
		w.WriteHeader(http.StatusOK)
		err := http.NewResponseController(w).Flush()
		if err == nil && r.Context().Err() == nil { // in time
			m.mu.Lock()
			m.answered[key]++
			m.mu.Unlock()
		}
	}
}

// violations returns how often each violation was told to each destination, and of how many
// more messages spoke without naming them.
func (m *moody) violations() (told map[string]int, more int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	told = map[string]int{}
	for _, message := range m.accepted {
		for _, item := range message.Items {
			told[message.to+" "+message.Audit+" "+item.Host]++
		}
		more += message.More
	}
	return told, more
}

// recorder is a telltale that records, in a home that outlives it.
type recorder struct {
	t      *testing.T
	ctx    context.Context
	folder string
	env    []string
	origin string // address that plays every server
}

func newRecorder(t *testing.T, policy string) *recorder {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), storyPatience)
	t.Cleanup(cancel)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "telltale.yaml"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	origin := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(origin.Close)
	return &recorder{
		t: t, ctx: ctx, folder: folder, origin: origin.Listener.Addr().String(),
		env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "XDG_DATA_HOME=" + filepath.Join(folder, "data"), "TZ=UTC"},
	}
}

// run runs a telltale to its end and returns what it printed.
func (r *recorder) run(args ...string) (string, error) {
	c := exec.CommandContext(r.ctx, "telltale", args...)
	c.Dir, c.Env = r.folder, r.env
	out, err := c.CombinedOutput()
	return string(out), err
}

// start starts recording and returns the client whose requests it sees.
func (r *recorder) start(args ...string) (*exec.Cmd, *http.Client) {
	r.t.Helper()
	c := exec.CommandContext(r.ctx, "telltale", append([]string{"record", "--listen", "127.0.0.1:0", "--allow-local", "--resolve", "*:*:" + r.origin}, args...)...)
	c.Dir, c.Env = r.folder, r.env
	stderr, err := c.StderrPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	address, listens := "", false
	for !listens && lines.Scan() { // what it has to say before is not of interest
		address, listens = strings.CutPrefix(lines.Text(), "listening on ")
	}
	if !listens {
		r.t.Fatalf("it says %q", lines.Text())
	}
	go func() {
		for lines.Scan() { // so that it never waits for its reader
		}
	}()
	proxy := &url.URL{Scheme: "http", Host: address}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), MaxIdleConnsPerHost: 8}
	r.t.Cleanup(transport.CloseIdleConnections)
	return c, &http.Client{Transport: transport}
}

// contact has a client contact hosts a number of times each.
func (r *recorder) contact(client *http.Client, from, to, times int) {
	r.t.Helper()
	for range times {
		for n := from; n < to; n++ {
			answer, err := client.Get(fmt.Sprintf("http://h%d.example/", n))
			if err != nil {
				r.t.Fatal(err)
			}
			answer.Body.Close()
		}
	}
}

// TestEveryViolationIsToldOnceAcrossAKill records under a receiver that fails in every way,
// kills the recorder in the middle, and finds each violation told in exactly one message.
func TestEveryViolationIsToldOnceAcrossAKill(t *testing.T) {
	t.Parallel()
	receiver := newMoody(t, 7)
	destinations := raced.Size(12, 4)
	policy := "version: 1\nallow: [\"*.canada.ca\"]\nnotify:\n  group: 200ms\n  timeout: 2s\n  to:\n"
	for n := range destinations {
		policy += fmt.Sprintf("    - name: room %d\n      webhook: %s/%d\n", n, receiver.URL, n)
	}
	r := newRecorder(t, policy)
	hosts := raced.Size(120, 16)

	killed, client := r.start("--save", "first.telltale")
	r.contact(client, 0, hosts, 3)
	eventually(t, r.ctx, "the first message", func() bool { told, _ := receiver.violations(); return len(told) > 0 })
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()

	second, client := r.start("--save", "second.telltale")
	r.contact(client, 0, hosts/2, 3)
	if err := second.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = second.Wait() // 1, for violations; or 2, where messages wait

	want := 0
	for _, capture := range []string{"first.telltale", "second.telltale"} {
		want += r.violating(capture)
	}
	if want != hosts+hosts/2 {
		t.Fatalf("the captures have %d violations; %d hosts were contacted in the first, %d in the second", want, hosts, hosts/2)
	}
	eventually(t, r.ctx, "every message", func() bool {
		if out, err := r.run("notify", "retry"); err == nil {
			return strings.Contains(out, "everything is delivered")
		}
		return false
	})
	told, more := receiver.violations()
	if len(told)+more != want*destinations {
		t.Errorf("%d violations were told and %d more counted, of %d to %d destinations", len(told), more, want, destinations)
	}
	for violation, times := range told {
		if times != 1 {
			t.Errorf("%s was told in %d messages", violation, times)
		}
	}
	// What a destination had answered when the recorder was killed goes out once more, since
	// nobody had noted it; under the same key.
	again := 0
	for key, times := range receiver.answered {
		if times > 2 {
			t.Errorf("message %s was answered %d times", key, times)
		}
		again += times - 1
	}
	if again > destinations {
		t.Errorf("%d messages were sent again after the receiver had answered, of %d destinations", again, destinations)
	}
	t.Logf("%d violations, %d messages, %d requests", want, len(receiver.accepted), receiver.posts)
}

// violating returns how many violations a capture has.
func (r *recorder) violating(capture string) int {
	r.t.Helper()
	c := exec.CommandContext(r.ctx, "telltale", "check", capture, "--format", "json")
	c.Dir, c.Env = r.folder, r.env
	var trouble strings.Builder
	c.Stderr = &trouble
	out, _ := c.Output() // 1: violations
	var report struct{ Summary struct{ Violations int } }
	if err := json.Unmarshal(out, &report); err != nil {
		r.t.Fatalf("%v: %.300s%.300s", err, out, trouble.String())
	}
	return report.Summary.Violations
}

// eventually waits until something is so.
func eventually(t *testing.T, ctx context.Context, what string, so func() bool) {
	t.Helper()
	for !so() {
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			t.Fatalf("%s did not come", what)
		}
	}
}

// TestSecretsOfDestinationsStayUnseen lets a destination fail and looks for its address in
// all that telltale prints and keeps.
func TestSecretsOfDestinationsStayUnseen(t *testing.T) {
	t.Parallel()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close() // nobody listens there any more
	secret := "s3cr3t-path-of-the-hook"
	r := newRecorder(t, "version: 1\nallow: [\"*.canada.ca\"]\nnotify:\n  timeout: 500ms\n  to:\n    - name: ci\n      webhook: ${HOOK}\n      sign: {env: SIGN}\n")
	r.env = append(r.env, "HOOK=http://"+dead.Addr().String()+"/"+secret, "SIGN=s3cr3t-key-of-the-hook")
	audit, client := r.start("--save", "audit.telltale", "--report", "audit.md", "--report", "audit.json")
	var said strings.Builder
	audit.Stdout = &said
	r.contact(client, 0, 3, 1)
	if err := audit.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = audit.Wait()
	for _, args := range [][]string{{"notify", "list"}, {"notify", "test"}, {"notify", "retry"}, {"policy", "lint"}, {"policy", "explain", "https://x.example/"}} {
		out, _ := r.run(args...)
		said.WriteString(out)
	}
	if !strings.Contains(said.String(), "ci") {
		t.Errorf("nothing is said of the destination: %s", said.String())
	}
	everything := map[string]string{"output": said.String()}
	err = filepath.WalkDir(r.folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		everything[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for where, content := range everything {
		for _, hidden := range []string{secret, "s3cr3t-key-of-the-hook"} {
			if strings.Contains(content, hidden) {
				t.Errorf("%s has %s", where, hidden)
			}
		}
	}
}

// TestProgramsAnswer has a program of the policy waive what it is told of, and annotate it.
func TestProgramsAnswer(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, `version: 1
allow: ["*.canada.ca"]
on:
  - when: {hosts: [h0.example]}
    run: [./waive.sh]
    environment: [SEEN, UNTIL]
`)
	r.env = append(r.env, "SEEN="+r.folder, "UNTIL="+time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	script := "#!/bin/sh\ncat > \"$SEEN/event.json\"\necho '{\"annotate\": \"asked for\", \"waive\": {\"until\": \"'$UNTIL'\", \"reason\": \"the lab knows\"}}'\n"
	if err := os.WriteFile(filepath.Join(r.folder, "waive.sh"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	audit, client := r.start("--save", "audit.telltale", "--report", "audit.json", "--report", "audit.md")
	r.contact(client, 0, 1, 2)
	eventually(t, r.ctx, "the program", func() bool {
		_, err := os.Stat(filepath.Join(r.folder, "event.json"))
		return err == nil
	})
	if err := audit.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := audit.Wait(); err != nil {
		t.Errorf("a waived violation makes it fail: %v", err)
	}
	var seen struct{ Event, Rule, Host string }
	document, err := os.ReadFile(filepath.Join(r.folder, "event.json"))
	if err == nil {
		err = json.Unmarshal(document, &seen)
	}
	if err != nil || seen.Event != "violation" || seen.Host != "h0.example" {
		t.Errorf("the program got %s, %v", document, err)
	}
	for _, file := range []string{"audit.json", "audit.md"} {
		report, err := os.ReadFile(filepath.Join(r.folder, file))
		if err != nil || !strings.Contains(string(report), "the lab knows") || !strings.Contains(string(report), "asked for") {
			t.Errorf("%s says nothing of it: %v", file, err)
		}
	}
	if out, err := r.run("check", "audit.telltale"); err != nil || !strings.Contains(out, "the lab knows") {
		t.Errorf("the same policy has another verdict afterwards: %v\n%s", err, out)
	}
}
