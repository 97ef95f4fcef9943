package tui

import (
	"strings"
	"time"

	"telltale/flow"
)

// drawTiming shows the stages of a flow as bars on one axis.
func drawTiming(p *paper, d *detail) {
	f := d.recorded.Flow
	p.fact("began", timeText(f.Times.Start))
	p.fact("ended", timeText(f.Times.End))
	if f.Ended() {
		p.fact("took", durationText(f.Duration()))
	} else {
		p.fact("under way", durationText(p.now.Sub(f.Times.Start)))
	}
	p.fact("sent", plural(int(f.BytesSent()), "byte"))
	p.fact("received", plural(int(f.BytesReceived()), "byte"))
	p.stages(f.Times)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05.000 MST")
}

// stages are named as in HAR 1.2.
func (p *paper) stages(times flow.Times) {
	stages := []struct {
		name string
		took time.Duration
	}{
		{"blocked", times.Blocked}, {"DNS", times.DNS}, {"connect", times.Connect}, {"TLS", times.TLS},
		{"send", times.Send}, {"wait", times.Wait}, {"receive", times.Receive},
	}
	var whole time.Duration
	for _, s := range stages {
		whole += max(0, s.took)
	}
	p.heading("Stages")
	if whole == 0 {
		p.prose("None was measured.", p.theme.dim)
		return
	}
	room := max(10, min(60, p.width-labels-10))
	var before time.Duration
	for _, s := range stages {
		if s.took < 0 {
			continue
		}
		from := int(int64(room) * int64(before) / int64(whole))
		before += s.took
		to := max(from+1, int(int64(room)*int64(before)/int64(whole)))
		bar := strings.Repeat(" ", from) + p.theme.number.Render(strings.Repeat("█", to-from))
		p.lines = append(p.lines, p.theme.name.Render(pad(s.name, labels))+" "+padLeft(durationText(s.took), 7)+" "+bar)
	}
}
