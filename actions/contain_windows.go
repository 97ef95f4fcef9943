package actions

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// run runs the program to its end, and that of everything it started. It returns how the
// program ended, "" when it did well. The program and all that it starts are in a job, which
// none of them can leave and which is killed with its last handle, ours: also when we are
// killed (learn.microsoft.com/windows/win32/procthread/job-objects).
func (p program) run(ctx context.Context) (exit string, err error) {
	job, err := newJob(p.memory)
	if err != nil {
		return "", fmt.Errorf("cannot run it: %w", err)
	}
	defer windows.CloseHandle(job) //nolint:errcheck // it is open
	c := exec.CommandContext(ctx, p.path, p.arguments...)
	c.Env, c.Dir = p.environment, p.folder.path
	c.Stdin, c.Stdout, c.Stderr = input(p.input), p.output, p.errors
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_SUSPENDED | windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP | windows.BELOW_NORMAL_PRIORITY_CLASS}
	c.Cancel = func() error { return windows.TerminateJobObject(job, 1) }
	c.WaitDelay = patience
	if err := c.Start(); err != nil {
		return "", fmt.Errorf("cannot run it: %w", err)
	}
	main, err := begin(job, uint32(c.Process.Pid))
	if err != nil {
		c.Process.Kill() //nolint:errcheck // it may have ended
		c.Wait()         //nolint:errcheck // the reason is known
		return "", fmt.Errorf("cannot run it: %w", err)
	}
	defer windows.CloseHandle(main) //nolint:errcheck // it is open
	alone := make(chan struct{})
	go func() {
		defer close(alone)
		windows.WaitForSingleObject(main, windows.INFINITE) //nolint:errcheck // the handle is open
		windows.TerminateJobObject(job, 1)                  //nolint:errcheck // what is left of it
	}()
	err = c.Wait()
	<-alone
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		return fmt.Sprintf("exit code %d", failed.ExitCode()), nil
	case err != nil:
		return "", fmt.Errorf("cannot run it: %w", err)
	}
	return "", nil
}

// newJob returns a job with the limits of a run.
func newJob(memory int64) (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("cannot make a job object: %w", err)
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{JobMemoryLimit: uintptr(memory)}
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_JOB_MEMORY |
		windows.JOB_OBJECT_LIMIT_ACTIVE_PROCESS | windows.JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION
	limits.BasicLimitInformation.ActiveProcessLimit = maxProcesses
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))); err != nil { //nolint:gosec // how the system takes it
		windows.CloseHandle(job) //nolint:errcheck // it is open
		return 0, fmt.Errorf("cannot limit a job object: %w", err)
	}
	return job, nil
}

// begin puts a process that was started suspended into a job, and lets it go on. It returns
// a handle of the process.
func begin(job windows.Handle, pid uint32) (windows.Handle, error) {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE|windows.SYNCHRONIZE, false, pid)
	if err != nil {
		return 0, fmt.Errorf("cannot open the process: %w", err)
	}
	err = windows.AssignProcessToJobObject(job, process)
	if err == nil {
		err = resume(pid)
	}
	if err != nil {
		windows.CloseHandle(process) //nolint:errcheck // it is open
		return 0, fmt.Errorf("cannot put the process into a job: %w", err)
	}
	return process, nil
}

// resume lets the threads of a process run: a new process has one.
func resume(pid uint32) error {
	all, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(all) //nolint:errcheck // it is open
	entry := windows.ThreadEntry32{}
	entry.Size = uint32(unsafe.Sizeof(entry))
	for err = windows.Thread32First(all, &entry); err == nil; err = windows.Thread32Next(all, &entry) {
		if entry.OwnerProcessID != pid {
			continue
		}
		thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, entry.ThreadID)
		if err != nil {
			return err
		}
		_, err = windows.ResumeThread(thread)
		windows.CloseHandle(thread) //nolint:errcheck // it is open
		return err
	}
	return fmt.Errorf("cannot find its thread: %w", err)
}
