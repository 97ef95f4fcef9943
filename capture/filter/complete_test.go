package filter

import (
	"slices"
	"strings"
	"testing"
)

// The cursor stands at the bar. What is wanted comes first, in this order; "…" lets
// more follow.
func TestComplete(t *testing.T) {
	for at, want := range map[string]string{
		`|`:                               `host port method …`,
		`ho|`:                             `host`,
		`HO|`:                             `host`,
		`host|`:                           ``,
		`st|`:                             `status string(`,
		`google|`:                         ``,
		`generate_204 ho|`:                ``,
		`host |`:                          `== != < <= > >= contains startsWith endsWith matches in not`,
		`host c|`:                         `contains`,
		`host not |`:                      `contains startsWith endsWith matches in not`,
		`host =|`:                         `==`,
		`host !|`:                         `!=`,
		`status |`:                        `== != < <= > >= in not`,
		`status >|`:                       `>=`,
		`status >= |`:                     ``,
		`verdict == |`:                    `"violation" "allowed" "ignored" "waived"`,
		`verdict == v|`:                   `"violation"`,
		`verdict == "v|`:                  `"violation"`,
		`verdict == "V|`:                  `"violation"`,
		`verdict == "violation|`:          `"violation"`,
		`verdict != 'a|`:                  `"allowed"`,
		`verdict == "violation"|`:         `and or`,
		`verdict == "violation" |`:        `and or`,
		`verdict == "violation" a|`:       `and`,
		`verdict == "violation" and st|`:  `status string(`,
		`verdict == "violation" and |`:    `host port …`,
		`verdict == "violation" && not |`: `host port …`,
		`status >= 400 |`:                 `and or`,
		`status in 400..499 |`:            `and or`,
		`method in |`:                     `[`,
		`method in [|`:                    `"GET" "HEAD" …`,
		`method in ["GET", |`:             `"GET" "HEAD" …`,
		`method in ["GET", "P|`:           `"POST" "PUT" "PATCH" "PING"`,
		`method not in ["D|`:              `"DELETE"`,
		`method in ["GET"] |`:             `and or`,
		`outcome == "client-|`:            `"client-refused" "client-silent" "client-denied"`,
		`rule == "captive|`:               `"captive-portal-probe"`,
		`kind == w|`:                      `"websocket"`,
		`host == "a|`:                     ``,
		`(ho|`:                            `host`,
		`lower(|`:                         `host port …`,
		`lower(ap|`:                       `app app_id`,
		`lower(host) c|`:                  `contains`,
		`len(host) |`:                     `== != < <= > >= in not`,
		`(status > 3) |`:                  `and or`,
		`captive 404 |`:                   ``,
		`not found |`:                     ``,
		`https://x/y?a|`:                  ``,
		`10.0.0.1:|`:                      ``,
		`"quoted |`:                       ``,
		`ho| == "x"`:                      `host`,
	} {
		text, cursor := strings.Replace(at, "|", "", 1), strings.Index(at, "|")
		var got []string
		for _, c := range Complete(text, cursor) {
			got = append(got, c.Text)
			if c.End != cursor || c.Start > c.End || strings.TrimSpace(text[c.Start:c.End]) != text[c.Start:c.End] && text[c.Start] != '"' {
				t.Errorf("%s: %q replaces %d to %d", at, c.Text, c.Start, c.End)
			}
		}
		wanted := strings.Fields(want)
		if n := len(wanted); n > 0 && wanted[n-1] == "…" {
			wanted = wanted[:n-1]
			got = got[:min(len(got), n-1)]
		}
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: got %q, want %q", at, got, wanted)
		}
	}
}

// What is completed step by step is an expression in the end.
func TestCompletedTextIsAnExpression(t *testing.T) {
	text := ""
	for _, begun := range []string{"verd", " =", ` "vio`, " an", " met", " i", ` ["HE`} {
		text += begun
		all := Complete(text, len(text))
		if len(all) == 0 {
			t.Fatalf("nothing completes %q", text)
		}
		text = text[:all[0].Start] + all[0].Text
	}
	if _, err := Parse(text + "]"); err != nil {
		t.Errorf("%s]: %v", text, err)
	}
}

func TestCompleteOutsideTheText(t *testing.T) {
	if got := Complete("ho", 99); len(got) != 1 || got[0].Text != "host" {
		t.Errorf("after the end: %v", got)
	}
	if got := Complete("ho", -1); len(got) < len(Fields) || got[0].Start != 0 || got[0].End != 0 {
		t.Errorf("before the start: %v", got)
	}
}
