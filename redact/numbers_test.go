package redact

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"telltale/flow"
)

// TestPersonalNumbersAreMasked has what nobody is accused of sending, and what a copy must not
// show all the same.
func TestPersonalNumbersAreMasked(t *testing.T) {
	secret := "purple-elephant-canary-77"
	inner := base64.StdEncoding.EncodeToString([]byte(`{"token":"B64token889900ww","c":"` + secret + `","mail":"b64.mail@zq.org"}`))
	bare := base64.RawURLEncoding.EncodeToString([]byte("c=" + secret))
	for _, test := range []struct {
		body string
		gone []string
		kept string
	}{
		{`{"data":"` + inner + `","n":1}`, []string{inner[len(inner)-24:], inner[:12]}, `"n":1`},
		{"b=" + bare + "&n=1", []string{bare[:4]}, "&n=1"},
		{"hello at 45.421539,-75.697192 there", []string{"45.4215", "75.6971"}, "hello at "},
		{"at 45.421539; -75.697192.", []string{"45.4215", "75.6971"}, "at "},
		{`{"t":"POINT(-75.697198 45.421536)"}`, []string{"45.4215", "75.6971"}, `"t":"POINT(`},
		{`{"location":{"a":45.421535,"b":-75.697197}}`, []string{"45.4215", "75.6971"}, `{"location":{"a":`},
		{`{"location":{"first":45.421535,"second":-75.697197}}`, []string{"45.4215", "75.6971"}, `"second":`},
		{`{"q":[[-75.697197,45.421535]]}`, []string{"45.4215", "75.6971"}, `{"q":[[`},
		{`x=45.421535&y=-75.697197&n=1`, []string{"45.4215", "75.6971"}, "&n=1"},
		{`{"deviceName":"Janes Pixel","device_name":"Jane's"}`, []string{"Jane"}, `"device_name":`},
		{`{"card":"4111111111111111","cardNumber":4111111111111111,"cvv":"917","cvc":917,"ssn":"046-454-286","n":1}`, []string{"4111", "917", "046-"}, `"n":1`},
		{"paid with 4111111111111111 today", []string{"4111"}, " today"},
		{`{"duration":12.345678,"ratio":0.123456,"card":"visa","build":"1.2.3456","score":[0.12345,0.54321]}`, nil, `{"duration":12.345678,"ratio":0.123456,"card":"visa","build":"1.2.3456","score":[0.12345,0.54321]}`},
	} {
		f := baseFlow(1)
		setBody(f, true, "text/plain", "", []byte(test.body))
		f.Request.Header = append(f.Request.Header, flow.NewField("authorization-bin", "R1JQQ3NlY3JldDk5ODg="))
		out := redactor(t, canaryPolicy(t)).Flow(f)
		got := string(out.Request.Body.Content)
		for _, gone := range test.gone {
			if strings.Contains(got, gone) {
				t.Errorf("%s\nbecame %s", test.body, got)
			}
		}
		if !strings.Contains(got, test.kept) {
			t.Errorf("%s\nlost %s: %s", test.body, test.kept, got)
		}
		if json.Valid([]byte(test.body)) && !json.Valid([]byte(got)) {
			t.Errorf("no JSON any more: %s", got)
		}
		if v := revealed(out.Request.Header, "authorization-bin"); !isMask(v) {
			t.Errorf("the metadata stays: %s", v)
		}
	}
}

// A place has one mask, however it is written.
func TestPlacesHaveOneMask(t *testing.T) {
	r := redactor(t, nil)
	one, two := r.Text("45.4215,-75.6972"), r.Text("at 45.42150; -75.69720")
	if !isMask(one) || two != "at "+one {
		t.Errorf("%s, %s", one, two)
	}
}
