package notify

import (
	"math/rand/v2"
	"strings"
	"testing"

	"telltale/event"
	"telltale/policy"
)

// Text of nothing but marks, in every order, means nothing outside of code.
func TestRandomTextMeansNothing(t *testing.T) {
	alphabet := []rune("ab `*_<>@#\n\\/.:GH-1é\u202e😀")
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		runes := make([]rune, random.IntN(1500))
		for i := range runes {
			runes[i] = alphabet[random.IntN(len(alphabet))]
		}
		text := string(runes)
		e := violation("aa", text, "tracker", 3)
		e.Violation.URL, e.Violation.Explanation, e.Violation.Remedy, e.Device, e.Policy = text, text, text, text, text
		m := Compose([]event.Event{e, {Kind: event.OfTrouble, Message: text}}, Composition{ID: "m", Escalated: text, File: text})
		for _, kind := range []policy.DestinationKind{policy.GitHub, policy.GitLab, policy.Mattermost, policy.Slack, policy.Discord} {
			for _, part := range markdownOf(t, kind, m) {
				bare := strings.ReplaceAll(codeSpan.ReplaceAllString(part, ""), "**", "")
				if found := meaning.FindString(bare); found != "" {
					t.Fatalf("%s: %q in %q\nof %q", kind, found, bare, part)
				}
			}
		}
	}
}
