package actions

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// executable returns this executable, also where its file was replaced or removed meanwhile
// (proc_pid_exe(5)).
func executable() (string, error) { return "/proc/self/exe", nil }

// adopt makes orphans below this process its children, so that none leaves its tree,
// whatever sessions and groups it makes (PR_SET_CHILD_SUBREAPER, prctl(2)).
func adopt() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// spawn starts a program that leads a session, dies with its launcher, and whose address
// space is limited, as is that of each process it starts (RLIMIT_AS, setrlimit(2)).
//
// The limit cannot be set before the program is there: this process, which would hand it
// down, could not start threads under it. So the program is traced, which stops it before
// its first instruction, limited, and let go. Where tracing is forbidden
// (kernel.yama.ptrace_scope=3), it has that moment without a limit.
func spawn(path string, argv []string, memory int64) (pid int, err error) {
	attributes := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}}
	attributes.Sys = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Ptrace: true}
	pid, err = syscall.ForkExec(path, argv, attributes) //nolint:gosec // to run what the policy names is the task
	if errors.Is(err, syscall.EPERM) {
		attributes.Sys.Ptrace = false
		pid, err = syscall.ForkExec(path, argv, attributes) //nolint:gosec // as above
	}
	if err != nil {
		return 0, err
	}
	if attributes.Sys.Ptrace {
		if err := awaitStop(pid); err != nil {
			return 0, err
		}
		defer syscall.PtraceDetach(pid) //nolint:errcheck // it may have been killed
	}
	if err := limitMemory(pid, memory); err != nil && !errors.Is(err, unix.ESRCH) {
		unix.Kill(pid, unix.SIGKILL) //nolint:errcheck // the reason is returned
		return 0, fmt.Errorf("cannot limit its memory: %w", err)
	}
	return pid, nil
}

// limitMemory limits the address space of a process, at most to what it has now.
func limitMemory(pid int, bytes int64) error {
	var now unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_AS, nil, &now); err != nil {
		return err
	}
	limit := min(uint64(bytes), now.Max)
	return unix.Prlimit(pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: limit, Max: limit}, nil)
}

// awaitStop waits until a traced program stands before its first instruction.
func awaitStop(pid int) error {
	for {
		var status unix.WaitStatus
		switch _, err := unix.Wait4(pid, &status, 0, nil); {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case status.Stopped():
			return nil
		default:
			return fmt.Errorf("it ended at once: %s", exitOf(status))
		}
	}
}

// A survey is what is known of a tree. To look at every process of the system costs
// milliseconds, so that is done when there may be too many of the tree, else at times.
type survey struct {
	all    []process
	newest int // process of the system when all were found
	looks  int // since then
}

// looksPerSurvey is after how many looks all processes are looked at in any case.
const looksPerSurvey = 10

// broken returns the limit that the tree breaks; "".
func (t *tree) broken() string {
	s := &t.survey
	newest := newestProcess()
	s.looks++
	if added := newest - s.newest; added < 0 || len(s.all)+added > maxProcesses || s.looks >= looksPerSurvey {
		*s = survey{all: descendants(os.Getpid()), newest: newest}
	}
	if len(s.all) > maxProcesses {
		return "processes"
	}
	var resident, exactly int64
	for _, p := range s.all {
		now, _ := readStat("/proc/" + strconv.Itoa(p.id) + "/stat") // zero when it has ended
		resident += now.resident
	}
	if resident <= t.memory {
		return ""
	}
	for _, p := range s.all { // what processes share was counted for each of them
		exactly += proportional(p.id)
	}
	if exactly > t.memory {
		return "memory"
	}
	return ""
}

// newestProcess returns the ID that was given last to a process or thread, which grows until
// it starts again (the fifth field of /proc/loadavg, proc_loadavg(5)); 0 where it is not said.
func newestProcess() int {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	_, last, _ := strings.Cut(string(text), "/") // of "0.01 0.02 0.03 1/204 5678"
	_, last, _ = strings.Cut(strings.TrimSpace(last), " ")
	newest, _ := strconv.Atoi(last) // the kernel writes a number
	return newest
}

// kill kills each process of the tree that it finds alive.
func (t *tree) kill() (found bool) {
	for _, p := range descendants(os.Getpid()) {
		if !p.dead {
			found = true
			unix.Kill(p.id, unix.SIGKILL) //nolint:errcheck // it may have ended
		}
	}
	return found
}

// A process is what the system says of one.
type process struct {
	id, parent int
	dead       bool  // and waits to be reaped
	resident   int64 // bytes
}

// descendants returns every process below one, parents before children.
func descendants(of int) []process {
	children := map[int][]process{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, name := range stats {
		if p, ok := readStat(name); ok {
			children[p.parent] = append(children[p.parent], p)
		}
	}
	below := children[of]
	for i := 0; i < len(below); i++ {
		below = append(below, children[below[i].id]...)
	}
	return below
}

// readStat reads what proc_pid_stat(5) says: fields 1 (ID), 3 (state), 4 (parent) and 24
// (pages that are resident). The second is a name in brackets, which may hold anything.
func readStat(name string) (process, bool) {
	line, err := os.ReadFile(name)
	if err != nil {
		return process{}, false // it has ended
	}
	id, _, ok := bytes.Cut(line, []byte(" "))
	end := bytes.LastIndexByte(line, ')')
	if !ok || end < 0 {
		return process{}, false
	}
	fields := strings.Fields(string(line[end+1:])) // from the third
	if len(fields) < 22 {
		return process{}, false
	}
	var p process
	p.id, _ = strconv.Atoi(string(id)) // the kernel writes numbers
	p.dead = fields[0] == "Z" || fields[0] == "X"
	p.parent, _ = strconv.Atoi(fields[1])
	pages, _ := strconv.ParseInt(fields[21], 10, 64)
	p.resident = pages * int64(os.Getpagesize())
	return p, true
}

// proportional returns the memory of a process, of what it shares only its part, in bytes
// (Pss of smaps_rollup, proc_pid_smaps(5)); 0 where the system does not say.
func proportional(id int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(id) + "/smaps_rollup")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "Pss:" {
			kilobytes, _ := strconv.ParseInt(fields[1], 10, 64) // the kernel writes a number
			return kilobytes << 10
		}
	}
	return 0
}

// endMarked kills what is left of a run whose launcher was killed, which takes somebody's
// intent: every process that still has the run's folder in its environment.
func endMarked(folder string) {
	mark := []byte("TMPDIR=" + folder + "\x00")
	for until := time.Now().Add(patience); time.Now().Before(until); {
		found := false
		names, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is right
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil || !bytes.Contains(append([]byte{0}, text...), append([]byte{0}, mark...)) {
				continue
			}
			if id, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil && id != os.Getpid() {
				found = true
				unix.Kill(id, unix.SIGKILL) //nolint:errcheck // it may have ended
			}
		}
		if !found {
			return
		}
	}
}
