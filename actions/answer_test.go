package actions

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"telltale/event"
	"telltale/flow/plain"
)

// noon is when the answers of these tests are read.
var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func reader(e event.Event) answerReader {
	return answerReader{event: e, destinations: []string{"lab", "privacy"}, now: noon, mask: strings.NewReplacer("s3cret", "[TOKEN]").Replace}
}

func TestAnswersThatAreTaken(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]Answer{
		"":                            {},
		" \r\n\t":                     {},
		"{}":                          {},
		" {\"annotate\": \"seen\"}\n": {Annotate: "seen"},
		`{"annotate": ""}`:            {},
		`{"annotate": "a\nb\tc\u001b[31m\u202ered"}`:                                   {Annotate: "a\nb    c\\x1b[31m\\u{202e}red"},
		`{"annotate": "with s3cret"}`:                                                  {Annotate: "with [TOKEN]"},
		`{"waive": {"until": "2026-03-10", "reason": "today"}}`:                        {Waive: &Waiver{Until: noon.Add(12 * time.Hour), Reason: "today"}},
		`{"waive": {"until": "2026-03-10T14:00:00+01:00", "reason": "one\nhour"}}`:     {Waive: &Waiver{Until: noon.Add(time.Hour), Reason: "one hour"}},
		`{"waive": {"until": "2026-06-08T12:00:00Z", "reason": "90 days"}}`:            {Waive: &Waiver{Until: noon.Add(MaxWaiver), Reason: "90 days"}},
		`{"notify": {"title": "Ads", "text": "See\nbelow", "to": ["lab", "privacy"]}}`: {Notify: &Message{Title: "Ads", Text: "See\nbelow", To: []string{"lab", "privacy"}}},
		`{"notify": {"text": "to all"}, "annotate": "x"}`:                              {Annotate: "x", Notify: &Message{Text: "to all"}},
	} {
		got, err := reader(violation()).read([]byte(output))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", output, err, diff)
		}
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]string{
		"done":                               "it is no JSON: invalid character",
		`{"annotate": "a"`:                   "it ends too early",
		`{"annotate"`:                        "it ends too early",
		`{"annotate": "a",}`:                 "it is no JSON",
		"null":                               "it is no JSON object",
		"[]":                                 "it is no JSON object",
		`"annotate"`:                         "it is no JSON object",
		`{"annotate": "a"} {}`:               "something follows the object",
		`{"annotate": "a"}x`:                 "something follows the object",
		`{"annotate": 1}`:                    "annotate is no text",
		`{"annotate": null}`:                 "annotate is no text",
		`{"annotate": ["a"]}`:                "annotate is no text",
		`{"Annotate": "a"}`:                  `unknown name "Annotate"`,
		`{"annotate":"a","annotate":"b"}`:    "annotate stands twice",
		`{"shell": "rm"}`:                    `unknown name "shell"; known are: annotate, waive, notify`,
		`{"\u001b[2J": 1}`:                   `unknown name "\\x1b[2J"`,
		"{\"annotate\": \"\xff\"}":           "it is not UTF-8",
		`{"waive": true}`:                    "waive: it is no JSON object",
		`{"waive": {}}`:                      "waive: until is missing",
		`{"waive": {"until": "2026-03-11"}}`: "waive: reason is missing",
		`{"waive": {"until": "2026-03-11", "reason": " \n"}}`:         "waive: reason is empty",
		`{"waive": {"until": "2026-03-11", "reason": "r", "x": 1}}`:   `waive: unknown name "x"`,
		`{"waive": {"until": "2026-03-09", "reason": "r"}}`:           "waive: until: 2026-03-09 is past",
		`{"waive": {"until": "2026-03-10T12:00:00Z", "reason": "r"}}`: "waive: until: 2026-03-10T12:00:00Z is past",
		`{"waive": {"until": "2026-06-08T12:00:01Z", "reason": "r"}}`: "more than 90 days ahead",
		`{"waive": {"until": "9999-12-31", "reason": "r"}}`:           "more than 90 days ahead",
		`{"waive": {"until": "tomorrow", "reason": "r"}}`:             `waive: until: "tomorrow" is no date`,
		`{"waive": {"until": "2026-03-11 12:00", "reason": "r"}}`:     "is no date",
		`{"waive": {"until": 1773144000, "reason": "r"}}`:             "waive: until is no text",
		`{"notify": {}}`: "notify: it has neither a title nor a text",
		`{"notify": {"title": "t", "to": "lab"}}`:                                         "notify: to is no list of texts",
		`{"notify": {"title": "t", "to": [1]}}`:                                           "notify: to is no list of texts",
		`{"notify": {"title": "t", "to": []}}`:                                            "notify: to has 0 names",
		`{"notify": {"title": "t", "to": ["lab", "lab"]}}`:                                `notify: to has "lab" twice`,
		`{"notify": {"title": "t", "to": ["press"]}}`:                                     `there is no destination "press"; there are: lab, privacy`,
		`{"annotate": ` + strings.Repeat("[", 20000) + "}":                                "it is no JSON",
		`{"annotate": ` + strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9001): "annotate is no text",
		strings.Repeat("[", 60000):                                                        "it is no JSON object",
	} {
		got, err := reader(violation()).read([]byte(output))
		var refused *AnswerError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) || !cmp.Equal(got, Answer{}) {
			t.Errorf("%.80s: %+v, %v", output, got, err)
		}
	}
}

// Only a violation can be annotated or waived; anything may be told.
func TestAnswersToOtherEvents(t *testing.T) {
	t.Parallel()
	summary := event.Event{Kind: event.OfSummary, ID: "a1b2-9", Summary: &event.Summary{Verdict: "clean"}}
	for output, want := range map[string]string{
		`{"annotate": "a"}`: "it annotates, and the event is no violation (summary)",
		`{"waive": {"until": "2026-03-11", "reason": "r"}}`: "it waives, and the event is no violation (summary)",
		`{"notify": {"title": "done"}}`:                     "",
	} {
		if _, err := reader(summary).read([]byte(output)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", output, err)
		}
	}
	nobody := reader(summary)
	nobody.destinations = nil
	if _, err := nobody.read([]byte(`{"notify": {"title": "done"}}`)); err == nil || !strings.Contains(err.Error(), "there is no destination") {
		t.Error(err)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 5000)
	a, err := reader(violation()).read([]byte(`{"annotate": "` + long + `", "notify": {"title": "` + long + `", "text": "` + long + `"}, "waive": {"until": "2026-03-11", "reason": "` + long + `"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{a.Annotate: maxAnnotation, a.Notify.Title: maxTitle, a.Notify.Text: maxText, a.Waive.Reason: maxReason} {
		if utf8.RuneCountInString(text) != want || !strings.HasSuffix(text, "é…") {
			t.Errorf("%d characters, must be %d", utf8.RuneCountInString(text), want)
		}
	}
}

// Whatever a program prints, an answer that is taken is harmless, bounded and in time.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"annotate": "a\u001b\nb"}`, `{"annotate":"a","annotate":"b"}`, "[[[", "null",
		`{"waive": {"until": "2026-03-11", "reason": "r"}}`, `{"waive": {"until": "2026-03-11T00:00:00.5+23:59", "reason": "\\"}}`,
		`{"notify": {"title": "t", "text": "x", "to": ["lab"]}}`, "{\"annotate\": \"\xff\"}", `{"annotate": "\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		a, err := reader(violation()).read(output)
		if err != nil {
			if !a.IsZero() {
				t.Fatalf("%+v with %v", a, err)
			}
			return
		}
		texts := map[string]int{a.Annotate: maxAnnotation}
		if a.Waive != nil {
			texts[a.Waive.Reason] = maxReason
			if !a.Waive.Until.After(noon) || a.Waive.Until.After(noon.Add(MaxWaiver)) || a.Waive.Reason == "" {
				t.Errorf("%+v", a.Waive)
			}
		}
		if a.Notify != nil {
			texts[a.Notify.Title], texts[a.Notify.Text] = maxTitle, maxText
		}
		for text, most := range texts {
			if again := strings.Join(plain.Lines(text), "\n"); again != text || utf8.RuneCountInString(text) > most {
				t.Errorf("%q, cleaned again: %q", text, again)
			}
		}
	})
}
