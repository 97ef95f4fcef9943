package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ready starts the line with which every proxy says where it listens.
const ready = "listening on "

// The waits for other processes.
const (
	startLimit  = 20 * time.Second
	stopLimit   = 30 * time.Second
	settleLimit = 20 * time.Second
	settlePause = 150 * time.Millisecond
	idleCPU     = 10 * time.Millisecond // in one pause; the unit in which CPU is counted
)

// A process is a proxy under measurement.
type process struct {
	*exec.Cmd
	address string // HOST:PORT where it listens
	ended   chan struct{}
	err     error // valid once ended is closed

	mu   sync.Mutex
	said bytes.Buffer // what it wrote to standard error
}

// start runs a program and waits until it says that it listens.
func start(name string, args ...string) (*process, error) {
	return launch(exec.Command(name, args...))
}

// launch is start for a command that was prepared.
func launch(c *exec.Cmd) (*process, error) {
	p, name := &process{Cmd: c, ended: make(chan struct{})}, c.Path
	stderr, err := p.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if address, ok := strings.CutPrefix(lines.Text(), ready); ok {
				address, _, _ = strings.Cut(strings.TrimSpace(address), " ")
				select {
				case found <- address:
				default:
				}
			}
			p.mu.Lock()
			fmt.Fprintln(&p.said, lines.Text())
			p.mu.Unlock()
		}
		p.err = p.Wait()
		close(p.ended)
	}()
	select {
	case p.address = <-found:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("%s ended before it listened: %w\n%s", name, p.err, p.words())
	case <-time.After(startLimit):
		p.Process.Kill()
		return nil, fmt.Errorf("%s does not listen after %v\n%s", name, startLimit, p.words())
	}
}

// words returns what the process said.
func (p *process) words() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// stop ends the process as a person would and waits for it.
func (p *process) stop() error {
	if err := p.Process.Signal(os.Interrupt); err != nil {
		p.Process.Kill() // a system without signals
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopLimit):
		p.Process.Kill()
		<-p.ended
		return fmt.Errorf("did not end within %v of the interrupt\n%s", stopLimit, p.words())
	}
}

// usage is what a process has used so far.
type usage struct {
	cpu      time.Duration // all threads, user and system
	resident int64         // bytes now
	peak     int64         // bytes at most; where the system does not tell, bytes now
}

// used reads the usage of a live process: from /proc where there is one, from ps
// elsewhere. Both count CPU in hundredths of a second.
func used(pid int) (usage, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return usedByPS(pid)
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return usage{}, err
	}
	return parseProc(string(stat), string(status))
}

// parseProc reads the two files of proc(5). Fields of stat are counted behind the
// command, which may itself hold spaces and brackets.
func parseProc(stat, status string) (u usage, err error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const user, system = 14 - 3, 15 - 3
	if len(fields) <= system {
		return u, fmt.Errorf("/proc stat has %d fields", len(fields))
	}
	for _, i := range []int{user, system} {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	}
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		kilobytes, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmHWM":
			u.peak = kilobytes << 10
		case "VmRSS":
			u.resident = kilobytes << 10
		}
	}
	return u, nil
}

// usedByPS asks ps, which macOS has.
func usedByPS(pid int) (usage, error) {
	out, err := exec.Command("ps", "-o", "time=,rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return usage{}, fmt.Errorf("reading the usage of process %d: %w", pid, err)
	}
	return parsePS(string(out))
}

// parsePS reads "[H:]M:SS.hh KILOBYTES".
func parsePS(out string) (u usage, err error) {
	fields := strings.Fields(out)
	if len(fields) != 2 {
		return u, fmt.Errorf("ps says %q", out)
	}
	seconds := 0.0
	for part := range strings.SplitSeq(fields[0], ":") {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return u, fmt.Errorf("ps says %q", out)
		}
		seconds = seconds*60 + n
	}
	kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
	u.cpu = time.Duration(seconds * float64(time.Second))
	u.resident, u.peak = kilobytes<<10, kilobytes<<10
	return u, err
}

// settle waits until the process has nothing more to do, so that work put off
// until after the load is counted with it, and returns its usage then. A process
// that is only starved looks idle for a moment: it has to look so twice.
func (p *process) settle() (usage, error) {
	last, err := used(p.Process.Pid)
	quiet := 0
	for deadline := time.Now().Add(settleLimit); err == nil && time.Now().Before(deadline); {
		time.Sleep(settlePause)
		var now usage
		if now, err = used(p.Process.Pid); err != nil {
			break
		}
		if quiet++; now.cpu-last.cpu > idleCPU {
			quiet = 0
		}
		if last = now; quiet == 2 {
			return now, nil
		}
	}
	if err == nil {
		err = errors.New("still busy long after the load ended")
	}
	return last, err
}
