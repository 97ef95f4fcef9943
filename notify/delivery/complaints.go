package delivery

import (
	"context"
	"log/slog"
)

// complaints keep one trouble that lasts all night from filling the log.
type complaints struct {
	log  *slog.Logger
	last string
}

// complain logs a trouble as a warning when it is another one than the last.
func (c *complaints) complain(what string, err error) {
	level := slog.LevelWarn
	if text := what + err.Error(); text == c.last {
		level = slog.LevelDebug
	} else {
		c.last = text
	}
	c.log.Log(context.Background(), level, what, "error", err)
}
