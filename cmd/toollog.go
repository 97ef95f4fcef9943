package cmd

import (
	"context"
	"fmt"
	"log/slog"

	"telltale/flow/plain"
)

// toolLog is where packages report trouble in the tool itself, at the moment it
// appears: an audit may go on for hours after it.
func toolLog(s *streams) *slog.Logger { return slog.New(&troubleHandler{s: s}) }

// quietLibraries sends what libraries print with package log the way of the tool's
// own troubles, as something of little weight: net/http tells there what servers
// did wrong, which is no matter of the person at the terminal.
func quietLibraries(s *streams) { slog.SetDefault(toolLog(s)) }

// troubleHandler prints warnings and errors in the voice of the other messages.
type troubleHandler struct {
	s     *streams
	attrs string
}

// Enabled leaves out what is of little weight.
func (h *troubleHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

// Handle prints one line. What attributes hold may come from the wire.
func (h *troubleHandler) Handle(_ context.Context, r slog.Record) error {
	weight := "error: "
	if r.Level < slog.LevelError {
		weight = "warning: "
	}
	line := weight + r.Message + h.attrs
	r.Attrs(func(a slog.Attr) bool {
		line += attribute(a)
		return true
	})
	h.s.say("%s", plain.Text(line))
	return nil
}

func attribute(a slog.Attr) string { return fmt.Sprintf(", %s: %v", a.Key, a.Value) }

// WithAttrs keeps the attributes for every line.
func (h *troubleHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	for _, a := range attrs {
		with.attrs += attribute(a)
	}
	return &with
}

// WithGroup ignores groups: nobody here uses them.
func (h *troubleHandler) WithGroup(string) slog.Handler { return h }
