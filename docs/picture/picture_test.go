package main

import (
	"strings"
	"testing"
)

func TestDraw(t *testing.T) {
	var out strings.Builder
	if err := draw(strings.NewReader("\x1b[1;31mviolations\x1b[0m in <host>\nplain\n"), &out, "t & t"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<tspan font-weight="bold" fill="#f87171">violations</tspan><tspan> in &lt;host&gt;</tspan>`,
		`<tspan>plain</tspan>`, `t &amp; t`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("an escape sequence reached the picture")
	}
}

func TestStyleLastsAcrossLines(t *testing.T) {
	var s style
	s.spans("\x1b[2mdim")
	if got := s.spans("still\x1b[22mnot"); got != `<tspan opacity="0.65">still</tspan><tspan>not</tspan>` {
		t.Error(got)
	}
}
