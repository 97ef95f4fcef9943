package exposure_test

import (
	"testing"

	"telltale/exposure"
)

func TestMaskURL(t *testing.T) {
	for url, want := range map[string]string{
		"https://a.example/p?gps_adid=8f21c0de-4b7a-4d1e-8a6b-5be77f03a1c2&x=1":     "https://a.example/p?gps_adid=8f21…&x=1",
		"https://a.example/p?mail=jane.roe%40mailbox.ca#top":                        "https://a.example/p?mail=j…@mailbox.ca#top",
		"https://a.example/p?mail=jane.roe%2540mailbox.ca":                          "https://a.example/p?mail=j…@mailbox.ca",
		"https://a.example/players/8f21c0de-4b7a-4d1e-8a6b-5be77f03a1c2/on_session": "https://a.example/players/8f21…/on_session",
		"https://clients3.google.com/generate_204":                                  "https://clients3.google.com/generate_204",
		"https://a.example/?request=8f21c0de-4b7a-4d1e-8a6b-5be77f03a1c2":           "https://a.example/?request=8f21c0de-4b7a-4d1e-8a6b-5be77f03a1c2",
		"https://a.example":                 "https://a.example",
		"":                                  "",
		"tcp://192.0.2.1:443":               "tcp://192.0.2.1:443",
		"https://ssid.example/?ssid=ssid.e": "https://ssid.example/?ssid=s…",
	} {
		if got := exposure.MaskURL(url); got != want {
			t.Errorf("MaskURL(%q) = %q, want %q", url, got, want)
		}
	}
}
