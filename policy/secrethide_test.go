package policy

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"telltale/exposure"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// TestMaskHidesWhatIsFound holds that no value is found in a URL whose masked copy shows it.
func TestMaskHidesWhatIsFound(t *testing.T) {
	p := canaryPolicy()
	value := canaries[0].value
	wide, _ := utf16Bytes(`{"m":"` + value + `"}`)
	b64 := base64.StdEncoding.EncodeToString
	hexed := hex.EncodeToString([]byte(`{"m":"` + value + `"}`))
	for label, written := range map[string]string{
		"base32":                base32.StdEncoding.EncodeToString([]byte(`{"m":"` + value + `"}`)),
		"base32 in lower case":  strings.ToLower(base32.StdEncoding.EncodeToString([]byte(value))),
		"base64 twice":          b64([]byte(b64([]byte(`{"m":"` + value + `"}`)))),
		"base64 of UTF-16":      b64(wide),
		"base64 of hexadecimal": b64([]byte(hexed)),
		"base64 of protobuf":    b64(protobufOf([]byte(value))),
		"base64 of gzip twice":  b64([]byte(gzipped(gzipped(value)))),
		`\x40`:                  strings.NewReplacer("@", `\x40`, "+", `\x2b`).Replace(value),
		`\u{40}`:                strings.NewReplacer("@", `\u{40}`, "+", `\u{2b}`).Replace(value),
		"percent, five times":   everyByte(everyByte(everyByte(everyByte(everyByte(value))))),
	} {
		for place, text := range map[string]string{
			"query":    "https://x.a.example/v1?a=1&d=" + url.QueryEscape(written) + "&z=2",
			"path":     "https://x.a.example/v1/" + url.PathEscape(written) + "/z?z=2",
			"sentence": "it was sent to x.a.example as " + written + " twice",
		} {
			if f := flowtest.Get(text); place != "sentence" && len(p.Leaks(f)) == 0 {
				t.Errorf("%s in the %s is not found: %s", label, place, text)
				continue
			}
			masked := p.Mask(text)
			if len(p.Leaks(flowtest.Post("https://a.example/", masked))) > 0 || len(p.Leaks(flowtest.Get(masked))) > 0 || !strings.Contains(masked, flow.Redacted) {
				t.Errorf("%s in the %s: %s", label, place, masked)
			}
			if label != "percent, five times" && place == "query" && (!strings.HasPrefix(masked, "https://x.a.example/v1?a=1&d=") || !strings.HasSuffix(masked, "&z=2")) {
				t.Errorf("%s in the %s: the rest is gone: %s", label, place, masked)
			}
		}
	}
}

// Of a text that is too long to be taken apart piece by piece, nothing is left.
func TestMaskHidesLongTexts(t *testing.T) {
	hidden := base32.StdEncoding.EncodeToString([]byte(`{"m":"` + canaries[0].value + `"}`))
	if masked := canaryPolicy().Mask(strings.Repeat("word ", maxHidden) + hidden); masked != flow.Redacted {
		t.Errorf("%d bytes are left", len(masked))
	}
}

// TestPlacesAreMaskedBeforeTheyAreCut holds that nothing that a name of the app's choice
// holds is shown, however long the place is.
func TestPlacesAreMaskedBeforeTheyAreCut(t *testing.T) {
	p := canaryPolicy()
	p.setSecrets([]Secret{{Name: "pass", value: "SuperSecretPassphraseXY"}})
	for pad := range 120 {
		name := strings.Repeat("ab_", 20)
		f := flowtest.Post("https://other.example/", `{"`+name+`":{"`+name+`":{"`+strings.Repeat("c", min(pad, 60))+strings.Repeat("_", max(0, pad-60))+
			`x":{"SuperSecretPassphraseXY":{"idfa":"EA7583CD-A667-48BC-B806-42ECB2B48606"}}}}}`)
		f.Exposures, f.Examined = exposure.Look(f), 1
		for _, x := range p.Judge(f).Findings {
			texts := []string{x.Message}
			for _, e := range x.Evidence {
				texts = append(texts, e.Where)
			}
			for _, text := range texts {
				if strings.Contains(text, "SuperSecret") {
					t.Fatalf("%d: %s shows %s", pad, x.Rule, text)
				}
			}
		}
	}
}

// A value of never-send is one fault, also at a place that is named after a value.
func TestOneFaultAtAMaskedPlace(t *testing.T) {
	p := canaryPolicy()
	value := canaries[0].value
	f := flowtest.Post("https://other.example/", `{"`+value+`_":{"email":"`+value+`"}}`)
	f.Exposures = []flow.Exposure{{Kind: exposure.Email, Where: "body.json $." + value + "_.email"}}
	s := p.see(f)
	s.found = []Finding{{Rule: ValueLeaked, Subject: canaries[0].Name, Evidence: []Evidence{{Where: p.Mask(f.Exposures[0].Where)}}}}
	if got := detectIdentifiers(s); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
