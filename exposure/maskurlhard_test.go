package exposure_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"telltale/exposure"
)

// However a value is written in a URL, nothing of it is left; what tells nothing stays.
func TestMaskURLHidesEveryWriting(t *testing.T) {
	const idfa = "EA7583CD-A667-48BC-B806-42ECB2B48606"
	object := base64.StdEncoding.EncodeToString([]byte(`{"email":"jane.doe@firma.de","idfa":"` + idfa + `"}`))
	one := base64.RawURLEncoding.EncodeToString([]byte(`{"email":"jane.doe@firma.de"}`))
	for rest, want := range map[string]string{
		"a?lat=52.520815&lon=13.409419&x=1":                          "a?lat=52.…&lon=13.…&x=1",
		"a?lon=-13.409419&z=2&lat=-52.520815":                        "a?lon=-13.…&z=2&lat=-52.…",
		"a?ssid=My+Home+Net&lat=52.520815&lon=13.409419":             "a?ssid=M…&lat=52.…&lon=13.…",
		"a?location=52.520815%2C13.409419&x=1":                       "a?location=52.…, 13.… (to less than 1 m)&x=1",
		"a?x=1&d=" + object + "&y=2":                                 "a?x=1&d=…&y=2",
		"a?d=" + one + "#top":                                        "a?d=j…@firma.de#top",
		"a?mail=jane.doe%40firma.de&d=" + object + "&y=2":            "a?mail=j…@firma.de&d=…&y=2",
		"a?d=" + object + "&mail=jane.doe%40firma.de&y=2":            "a?d=…&mail=j…@firma.de&y=2",
		"a?phone=%2B49+170+1234567&y=2":                              "a?phone=+49…67&y=2",
		"a?access_token=ya29/a0AfH6SMBx9QmK3Zt7vPq==&y=2":            "a?access_token=ya29…&y=2",
		"a?access_token=ya29%2Fa0AfH6SMBx9QmK3Zt7vPq%3D%3D&y=2":      "a?access_token=ya29…&y=2",
		"a?d=%7B%22email%22%3A%22jane.doe%5Cu0040firma.de%22%7D&y=2": "a?d=j…@firma.de&y=2",
		`a?d=jane.doe\u0040firma.de`:                                 "a?d=j…@firma.de",
		"x/" + one + "/y?z=1":                                        "x/j…@firma.de/y?z=1",
		"x/jane.doe%40firma.de/y":                                    "x/j…@firma.de/y",
		"x#d=" + one + "&y=1":                                        "x#d=j…@firma.de&y=1",
		"x#" + one:                                                   "x#j…@firma.de",
		"x?" + one + "&y=1":                                          "x?j…@firma.de&y=1",
		"x?jane.doe@firma.de=%2B4917012345678&y=1":                   "x?j…@firma.de=+49…78&y=1",
		"a?lat=%35%32.520815&lon=13.409419&q=1":                      "a?lat=52.…&lon=13.…&q=1",
		"a?" + base64.RawURLEncoding.EncodeToString([]byte("jane.doe@firma.de")) + "=v&y=1": "a?j…@firma.de=v&y=1",
	} {
		const host = "https://x.shop.com/"
		if got := exposure.MaskURL(host + rest); got != host+want {
			t.Errorf("MaskURL(%q) =\n%q, want\n%q", rest, got, want)
		}
	}
}

// More values than an entry is kept for are hidden as well.
func TestMaskURLHidesMany(t *testing.T) {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "&m%d=person%d%%40firma.de&d=%s", i, i, base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"email":"jane%d@firma.de"}`, i)))
	}
	got := exposure.MaskURL("https://x.shop.com/a?" + b.String())
	if strings.Contains(got, "person") || strings.Contains(got, "eyJ") {
		t.Errorf("it is %.200q", got)
	}
}
