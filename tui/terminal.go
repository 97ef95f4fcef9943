package tui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// terminal is the terminal that the program draws on. One that takes nothing more,
// stopped or behind a dead connection, holds up who writes to it, and with them the
// loop of the program. Once the audit is to end, a write is given up after a while,
// so that nobody's terminal keeps an audit from its end.
type terminal struct {
	io.Writer
	ctx  context.Context // done: the audit is to end
	lost atomic.Bool
}

// patience is how long the terminal may take to be restored.
const patience = time.Second

var errLost = errors.New("the terminal takes nothing more")

// newTerminal returns out for the program to draw on.
func newTerminal(ctx context.Context, out io.Writer) io.Writer {
	t := &terminal{Writer: out, ctx: ctx}
	if f, ok := out.(file); ok {
		return &terminalFile{t, f}
	}
	return t
}

// Write writes p, or gives up.
func (t *terminal) Write(p []byte) (int, error) {
	if t.lost.Load() {
		return 0, errLost
	}
	written := make(chan error, 1)
	text := bytes.Clone(p) // who writes need not wait until it is needed no more
	go func() {
		_, err := t.Writer.Write(text)
		written <- err
	}()
	select {
	case err := <-written:
		return len(p), err
	case <-t.ctx.Done():
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case err := <-written:
		return len(p), err
	case <-late.C:
		t.lost.Store(true)
		return 0, errLost
	}
}

// file is what Bubble Tea asks for the size and the mode of the terminal.
type file interface {
	io.ReadWriteCloser
	Fd() uintptr
}

// terminalFile is a terminal that is a file.
type terminalFile struct {
	*terminal
	file file
}

func (t *terminalFile) Read(p []byte) (int, error) { return t.file.Read(p) }
func (t *terminalFile) Close() error               { return t.file.Close() }
func (t *terminalFile) Fd() uintptr                { return t.file.Fd() }
