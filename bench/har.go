package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The HAR that `check` is measured on, and its limit.
const (
	harEntries = 100_000
	harHosts   = 1000
	harTimes   = 3         // at most
	harSize    = 200 << 20 // about
	checkPeak  = 64 << 20
	checkRatio = 2.0 // of the rate of encoding/json

	seekingRatio = 1.0 // the same, with values to look for
)

// The folder that `check` is measured on, and its limit.
const (
	smallFiles   = 1000
	smallEntries = 10 // 20 kB
	folderLimit  = 2 * time.Second
)

// harEntry is one entry in the shape that browsers write; the verbs are number,
// host, number and body.
const harEntry = `{"pageref":"page_1","startedDateTime":"2026-11-20T12:%02d:%02d.%03dZ","time":41.27,"request":{"method":"GET",` +
	`"url":"https://%s/v1/keys/%d?region=302","httpVersion":"HTTP/2","cookies":[],"headers":[` +
	`{"name":"Host","value":"%[4]s"},{"name":"Accept","value":"application/json, text/plain, */*"},` +
	`{"name":"Accept-Encoding","value":"gzip, deflate, br"},{"name":"Accept-Language","value":"en-ca"},` +
	`{"name":"User-Agent","value":"` + agent + `"}],"queryString":[{"name":"region","value":"302"}],"headersSize":240,"bodySize":0},` +
	`"response":{"status":200,"statusText":"OK","httpVersion":"HTTP/2","cookies":[],"headers":[` +
	`{"name":"Content-Type","value":"application/json; charset=utf-8"},{"name":"Cache-Control","value":"private, max-age=0"},` +
	`{"name":"ETag","value":"\"5d8c72a5edda8d6a\""},{"name":"X-Content-Type-Options","value":"nosniff"}],` +
	`"content":{"size":%[6]d,"mimeType":"application/json","text":"%[7]s"},"redirectURL":"","headersSize":180,"bodySize":%[6]d},` +
	`"cache":{},"timings":{"blocked":0.4,"dns":-1,"connect":-1,"ssl":-1,"send":0.1,"wait":38.2,"receive":2.57},"serverIPAddress":"192.0.2.7"}`

// writeHAR makes a file of as many entries, each as long as the big file's.
func writeHAR(name string, entries int) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	w.WriteString(`{"log":{"version":"1.2","creator":{"name":"bench","version":"1"},"pages":[` +
		`{"startedDateTime":"2026-11-20T12:00:00.000Z","id":"page_1","title":"bench","pageTimings":{"onContentLoad":-1,"onLoad":-1}}],"entries":[` + "\n")
	bare := len(harEntry) + 2*len(domain)
	body := strings.Repeat(`{\"id\":\"8d2f01a47c\",\"region\":302},`, (harSize/harEntries-bare)/37)
	for n := range entries {
		if n > 0 {
			w.WriteString(",\n")
		}
		host := fmt.Sprintf("h%d.%s", n%harHosts, domain)
		fmt.Fprintf(w, harEntry, n/60000%60, n/1000%60, n%1000, host, n, len(body), body)
	}
	w.WriteString("]}}\n")
	return w.Flush()
}

// checkHAR measures the verdict over a big file beside decoding it whole with
// encoding/json, which is how it is usually done.
func (b *bench) checkHAR() ([]row, error) {
	name := filepath.Join(b.dir, "big.har")
	if err := writeHAR(name, harEntries); err != nil {
		return nil, err
	}
	defer os.Remove(name)
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	seeking := filepath.Join(b.dir, "canaries.yaml")
	if err := os.WriteFile(seeking, []byte(sentPolicy()), 0o600); err != nil {
		return nil, err
	}
	jobs, err := b.inTurn([]string{b.self, roleCommand, decodeRole, name}, b.checkCommand(name, b.policy), b.checkCommand(name, seeking))
	if err != nil {
		return nil, err
	}
	rows := make([]row, 0, len(jobs))
	for i, j := range jobs {
		rows = append(rows, row{
			scenario: "check", subject: []string{"encoding/json", telltaleName, seekingName}[i],
			cost:  fmt.Sprintf("%.1f µs CPU/entry", j.cpu.Seconds()*1e6/harEntries),
			rate:  fmt.Sprintf("%.0f MB/s", float64(info.Size())/1e6/j.took.Seconds()),
			peak:  mebibytes(j.peak),
			ratio: fmt.Sprintf("%.1f s for %.0f MB", j.took.Seconds(), float64(info.Size())/1e6),
		})
	}
	for i := 1; i < len(jobs); i++ {
		wanted := checkRatio
		if i == 2 {
			wanted = seekingRatio
		}
		faster := jobs[0].took.Seconds() / jobs[i].took.Seconds()
		rows[i].ratio = fmt.Sprintf("rate %.2f", faster)
		rows[i].wanted = fmt.Sprintf("≥ %.1f, < %s", wanted, mebibytes(checkPeak))
		rows[i].met = faster >= wanted && jobs[i].peak < checkPeak
	}
	return rows, nil
}

// checkFolder measures the verdict over a folder of small files beside reading them.
func (b *bench) checkFolder() ([]row, error) {
	folder := filepath.Join(b.dir, "small")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	first := filepath.Join(folder, "0.har")
	if err := writeHAR(first, smallEntries); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(first)
	if err != nil {
		return nil, err
	}
	for i := 1; i < smallFiles; i++ {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.har", i)), content, 0o600); err != nil {
			return nil, err
		}
	}
	jobs, err := b.inTurn([]string{b.self, roleCommand, readRole, folder}, b.checkCommand(folder, b.policy))
	if err != nil {
		return nil, err
	}
	rows := make([]row, 0, len(jobs))
	for i, j := range jobs {
		rows = append(rows, row{
			scenario: "folder", subject: []string{"reading", telltaleName}[i],
			cost:  fmt.Sprintf("%.0f µs CPU/file", j.cpu.Seconds()*1e6/smallFiles),
			rate:  fmt.Sprintf("%.0f files/s", smallFiles/j.took.Seconds()),
			peak:  mebibytes(j.peak),
			ratio: fmt.Sprintf("%.2f s for %d of %d kB", j.took.Seconds(), smallFiles, len(content)/1000),
		})
	}
	if len(jobs) > 1 {
		beyond := jobs[1].took - jobs[0].took
		rows[1].ratio = fmt.Sprintf("%.2f s more", beyond.Seconds())
		rows[1].wanted, rows[1].met = fmt.Sprintf("< %.0f s more", folderLimit.Seconds()), beyond < folderLimit
	}
	return rows, nil
}

// checkCommand is the verdict over a capture, nil where there is no telltale to measure.
func (b *bench) checkCommand(capture, policy string) []string {
	if b.telltale == "" {
		return nil
	}
	return []string{b.telltale, "check", "--policy", policy, "--format", "none", capture}
}

// inTurn runs commands in turns and returns what each took: medians, and the highest
// peak. A command that is nil is left out.
func (b *bench) inTurn(commands ...[]string) ([]job, error) {
	commands = slices.DeleteFunc(commands, func(c []string) bool { return c == nil })
	runs := make([][]job, len(commands))
	for range min(b.rounds, harTimes) {
		for i, command := range commands {
			j, err := runOnce(command)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", strings.Join(command, " "), err)
			}
			runs[i] = append(runs[i], j)
		}
	}
	all := make([]job, len(commands))
	for i := range runs {
		all[i] = medianJob(runs[i])
	}
	return all, nil
}

// readFolder reads every file of a folder, and does nothing with it.
func readFolder(folder string) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		if _, err := os.ReadFile(filepath.Join(folder, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// job is what a command that ends by itself took.
type job struct {
	took, cpu time.Duration
	peak      int64
}

func medianJob(runs []job) (j job) {
	var took, cpu []time.Duration
	for _, run := range runs {
		took, cpu, j.peak = append(took, run.took), append(cpu, run.cpu), max(j.peak, run.peak)
	}
	j.took, j.cpu = median(took), median(cpu)
	return j
}

// runOnce watches the memory while the command runs: when it has ended, the
// system no longer tells in a way that is the same everywhere.
func runOnce(command []string) (job, error) {
	c := exec.Command(command[0], command[1:]...)
	var said strings.Builder
	c.Stderr = &said
	begin := time.Now()
	if err := c.Start(); err != nil {
		return job{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	var j job
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			j.took = time.Since(begin)
			if err != nil {
				return j, fmt.Errorf("%w\n%s", err, said.String())
			}
			j.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
			return j, nil
		case <-tick.C:
			if u, err := used(c.Process.Pid); err == nil {
				j.peak = max(j.peak, u.peak)
			}
		}
	}
}

// harDocument is a HAR for encoding/json, with what a verdict needs.
type harDocument struct {
	Log struct {
		Entries []struct {
			StartedDateTime time.Time
			Request         harMessage
			Response        harMessage
			Timings         map[string]float64
		}
	}
}

type harMessage struct {
	Method, URL string
	Status      int
	Headers     []struct{ Name, Value string }
	Content     struct{ Text string }
}

// decodeHAR decodes a file whole.
func decodeHAR(name string) (*harDocument, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := new(harDocument)
	return d, json.NewDecoder(bufio.NewReader(f)).Decode(d)
}
