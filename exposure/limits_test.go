package exposure

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
)

const anIDFA = "EA7583CD-A667-48BC-B806-42ECB2B48606"

// has reports whether a kind is among what was found.
func has(found []flow.Exposure, kind string) bool {
	return slices.ContainsFunc(found, func(e flow.Exposure) bool { return e.Kind == kind })
}

// However much of other kinds stands before it, a value is found.
func TestNoDecoysHideOthers(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"x":[`)
	for i := range 100 {
		fmt.Fprintf(&b, `{"email":"person%[1]d@firma-%[1]d.de","phone":"+4917012345%02[1]d","ip":"91.23.%[1]d.7","lat":52.5%02[1]d123,"lon":13.4%02[1]d567,"idfv":"6D92078A-8246-4BA4-AE5B-7610486%05[1]d"},`, i)
	}
	b.WriteString(`{}],"idfa":"` + anIDFA + `"}`)
	found := Look(flowtest.Post("https://api.a.example/", b.String()))
	count := map[string]int{}
	for _, e := range found {
		count[e.Kind]++
	}
	if count[AdvertisingID] != 1 {
		t.Errorf("found %v", count)
	}
	if count[Email] != MaxOfKind || len(found) > MaxExposures {
		t.Errorf("the bounds do not hold: %v", count)
	}
}

// What gets its kind from the value beside it counts for that kind.
func TestRenamedAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(`[{}`)
	for i := range 200 {
		fmt.Fprintf(&b, `,{"type":"idfa","device_id":"6D92078A-8246-4BA4-AE5B-7610486%05d"}`, i)
	}
	found := Look(flowtest.Post("https://api.a.example/", b.String()+`]`))
	count := map[string]int{}
	for _, e := range found {
		count[e.Kind]++
	}
	if count[AdvertisingID] != MaxOfKind || count[InstallationID] > MaxOfKind {
		t.Errorf("found %v", count)
	}
}

// deep returns a body of 256 KiB in which an item stands again and again, far
// inside of others.
func deep(item func(i int) string) string {
	var b strings.Builder
	for i := range 190 {
		fmt.Fprintf(&b, `{"%s%d":`, strings.Repeat("a", 50), i)
	}
	b.WriteString("[0")
	for i := 0; b.Len() < 256<<10; i++ {
		b.WriteString("," + item(i))
	}
	return b.String()
}

// A body that repeats a value, or has ever new ones, costs no more than a look at each.
func TestManyValuesAreCheap(t *testing.T) {
	for name, item := range map[string]func(int) string{
		"one number":     func(int) string { return `{"phone":"+4917012345678"}` },
		"one name":       func(int) string { return `{"anna@firma.de":"jane.doe@firma.de"}` },
		"ever new names": func(i int) string { return fmt.Sprintf(`"person%d@firma.de"`, i) },
	} {
		body := deep(item)
		start := time.Now()
		found := Look(flowtest.Post("https://api.a.example/", body))
		if took := time.Since(start); len(found) == 0 || took > 2*time.Second {
			t.Errorf("%s: found %d in %v", name, len(found), took)
		}
	}
}

// A value that stands in every message of a WebSocket does not hide another one.
func TestMessagesRepeat(t *testing.T) {
	var frames []flow.Frame
	for range 3 * MaxOfKind {
		frames = append(frames, flowtest.Text(true, 0, `{"mail":"jane.doe@firma.de"}`))
	}
	frames = append(frames, flowtest.Text(true, 0, `{"mail":"max@firma.de"}`))
	found := Look(flowtest.WebSocket("wss://live.a.example/", frames))
	if len(found) != 2 || found[0].Where != "WebSocket message 1 $.mail" || found[1].Masked != "m…@firma.de" {
		t.Errorf("found %+v", found)
	}
}

// A name that is itself a value does not show.
func TestNamesDoNotTell(t *testing.T) {
	long := strings.Repeat("x", 60) + "4917099945678_email"
	found := Look(flowtest.Post("https://api.a.example/x?jane.doe%40firma.de=%2B4917012345678", `{"contacts":{"jane.doe@firma.de":"+4917012345678","+4917099945678":"max@firma.de","`+long+`":"eve@firma.de"},"mail":"ann@firma.de"}`))
	if len(found) < 5 {
		t.Errorf("found %d", len(found))
	}
	names := map[string]bool{}
	for _, e := range found {
		if names[e.Name] = true; strings.Contains(e.Name+e.Where, "jane") || strings.Contains(e.Name+e.Where, "45678") {
			t.Errorf("%+v", e)
		}
	}
	if !names["*"] || !names["mail"] {
		t.Errorf("names %v", names)
	}
}

func zipped(s string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write([]byte(s))
	w.Close()
	return out.String()
}

// What a header field swells to does not hide the body.
func TestBombsHideNothing(t *testing.T) {
	pad := base64.StdEncoding.EncodeToString([]byte(zipped(strings.Repeat("a ", 5<<20))))
	f := flowtest.Post("https://api.a.example/", zipped(`{"idfa":"`+anIDFA+`"}`), flowtest.Header("X-Pad", pad), flowtest.Header("Content-Encoding", "gzip"))
	if !has(Look(f), AdvertisingID) {
		t.Error("the identifier is hidden")
	}
}
