package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"telltale/event"
	"telltale/policy"
)

// document is a payload as a golden file has it.
func document(t *testing.T, p Payload) string {
	t.Helper()
	var b strings.Builder
	if p.JSON != nil {
		var indented bytes.Buffer
		if err := json.Indent(&indented, p.JSON, "", "  "); err != nil {
			t.Fatal(err)
		}
		return indented.String() + "\n"
	}
	fmt.Fprintf(&b, "Subject: %s\n", p.Subject)
	if p.Marker != "" {
		fmt.Fprintf(&b, "Marker: %s\n", p.Marker)
	}
	b.WriteString("\n" + p.Text)
	if p.HTML != "" {
		b.WriteString("\n" + p.HTML + "\n")
	}
	return b.String()
}

func TestRender(t *testing.T) {
	for _, kind := range policy.DestinationKinds {
		for _, m := range messages {
			t.Run(string(kind)+"/"+m.name, func(t *testing.T) {
				p, err := Render(kind, m.make())
				if err != nil {
					t.Fatal(err)
				}
				golden(t, string(kind)+"/"+m.name+".txt", document(t, p))
			})
		}
	}
}

// A link that is added when a message is sent stands beside the command.
func TestRenderLinksThatCameLater(t *testing.T) {
	m := Compose([]event.Event{violation("aa", "a.example", "tracker", 1)}, Composition{ID: "m", File: "a.telltale"})
	m.Items[0].Acknowledge = "https://h.example/ack?t=x"
	for _, kind := range policy.DestinationKinds {
		p := render(t, kind, m)
		text := string(p.JSON) + p.Text
		if !strings.Contains(text, "telltale ack aa") || !strings.Contains(text, "Open its link to acknowledge it, or type") || !strings.Contains(text, "https://h.example/ack?t=x") {
			t.Errorf("%s: %s", kind, text)
		}
	}
}
