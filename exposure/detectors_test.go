package exposure

import (
	"fmt"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// lookAt returns "kind masked" of what is found in one value.
func lookAt(name, text, where string) string {
	s := newSearch(flowtest.Get("https://api.shop.test/", flowtest.From("192.168.1.23:50123"), flowtest.UserAgentOf("okhttp/4.12.0")))
	if m := s.means(name); !s.passes(m, "", name, []byte(text)) {
		s.look(m, leaf{name: name, text: []byte(text), place: written(where)})
	}
	var found []string
	for _, e := range s.innermost() {
		found = append(found, e.Kind+" "+e.Masked)
	}
	return strings.Join(found, ", ")
}

const body = "body.json $.x"

// TestDetectors shows the forms of each kind, what is shown of them, and what comes near
// them. The names are those of the value.
func TestDetectors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		// Advertising identifiers: by name alone.
		{"idfa", "6D92078A-8246-4BA4-AE5B-76104861E7DC", "advertising-id 6D92…"},
		{"IDFA", "6d92078a82464ba4ae5b76104861e7dc", "advertising-id 6d92…"},
		{"x-advertising-id", "6d92078a-8246-4ba4-ae5b-76104861e7dc", "advertising-id 6d92…"},
		{"device[gps_adid]", "6d92078a-8246-4ba4-ae5b-76104861e7dc", "advertising-id 6d92…"},
		{"user.deviceAdvertisingId", "6d92078a-8246-4ba4-ae5b-76104861e7dc", "advertising-id 6d92…"},
		{"idfa_sha1", "3b18d0c65f2e9a74180bd3c7e5f29a6410c8d7e2", "advertising-id 3b18… (hashed)"},
		{"oaid", "4f8a1c9be07d2356", "advertising-id 4f8a…"},
		{"idfa", "6D92078A-8246-4BA4-AE5B-76104861E7D", ""},
		{"idfa", "true", ""},
		{"idfa", "00000000-0000-0000-0000-000000000000", ""},
		{"idfa_status", "6D92078A-8246-4BA4-AE5B-76104861E7DC", ""},
		{"request_id", "6D92078A-8246-4BA4-AE5B-76104861E7DC", ""},
		{"bid", "6D92078A-8246-4BA4-AE5B-76104861E7DC", ""},

		// Identifiers of developers and of installations.
		{"identifierForVendor", "9F2C4B71-0D3E-4A55-B6C8-12E7A90F4D63", "idfv 9F2C…"},
		{"android_id", "4f8a1c9be07d2356", "android-id 4f8a…"},
		{"android_id", "9774d56d682e549c", ""},
		{"android_id", "4f8a1c9be07d235", "android-id 4f8a…"}, // leading zeros are left out
		{"android_id", "34", ""},
		{"appSetId", "b8d0e6a3-7c21-4e5f-93ab-0f6d482c1e97", "app-set-id b8d0…"},
		{"asid", "6e3e5c10-2563-11e6-b67b-9e71128cae77", ""}, // of a page
		{"fid", "dK3xQ9vTRmO7pLw2YzNb-4", "installation-id dK3x…"},
		{"fid", "zK3xQ9vTRmO7pLw2YzNb", "installation-id zK3x…"}, // not Firebase's, but opaque
		{"appid", "dK3xQ9vTRmO7pLw2YzNb-4", "installation-id dK3x…"},
		{"appid", "0d4a2f86c9e1b7354f8a1c9be07d2356", ""},
		{"device_id", "e3a7c1d4-58b2-4f96-8e0d-a41b97c2f065", "installation-id e3a7…"},
		{"device_id", "e3a7c1d4-58b2-0f96-8e0d-a41b97c2f065", "installation-id e3a7…"},
		{"device_id", "4f8a1c9be07d2356", "android-id 4f8a…"},
		{"device_id", "353918057843126", "imei 3539…"},
		{"device_id", "a4:c3:f0:5e:91:2b", "mac-address a4:c3:f0:…"},
		{"device_id", "Pixel 8", ""},
		{"distinct_id", "lena", ""},
		{"distinct_id", "lena.probst@gmx.de", "e-mail l…@gmx.de"},

		// Numbers of phones and cards: their check digits count.
		{"imei", "353918057843126", "imei 3539…"},
		{"imei", "35-391805-784312-6", "imei 35-3…"},
		{"imei", "353918057843129", ""},
		{"imei", "3539180578431201", "imei 3539…"}, // IMEISV
		{"imei", "203918057843128", ""},            // nobody allocates from 20
		{"imei", "A10000394B72C6", "meid A100…"},
		{"order", "353918057843126", ""},
		{"meid", "A10000394B72C6", "meid A100…"},
		{"meid", "270113177605769926", "meid 2701…"},
		{"meid", "110113177605769926", ""},
		{"meid", "10000394B72C61", ""},
		{"imsi", "262019876504321", "imsi 2620…"},
		{"imsi", "999019876504321", ""},
		{"iccid", "89014104277205518374", ""},
		{"iccid", "8949020000012345672", "iccid 8949…"},
		{"iccid", "7949020000012345672", ""},
		{"serial", "R58N30ABCDE", "serial R58N…"},
		{"serial", "4711", ""},
		{"serial", "1234567890", ""},
		{"device_serial", "1029384756", "serial 1029…"},

		// Addresses.
		{"", "a4:c3:f0:5e:91:2b", "mac-address a4:c3:f0:…"},
		{"", "A4-C3-F0-5E-91-2B", "mac-address a4:c3:f0:…"},
		{"mac", "a4c3f05e912b", "mac-address a4:c3:f0:…"},
		{"mac", "a6:c3:f0:5e:91:2b", "mac-address a6:c3:f0:… (random)"},
		{"", "a4c3f05e912b", ""},
		{"", "12:34:56:78:90:12", ""},
		{"mac", "a5:c3:f0:5e:91:2b", ""}, // of a group
		{"mac", "ff:ff:ff:ff:ff:ff", ""},
		{"mac", "02:00:00:00:00:00", ""},
		{"mac", "00:00:5e:00:53:af", ""}, // for documents
		{"", "a4:c3-f0:5e:91:2b", ""},
		{"bssid", "f0:9f:c2:37:6a:d4", "bssid f0:9f:c2:…"},
		{"ssid", "Birkenweg 14", "ssid B…"},
		{"ssid", `"Birkenweg 14"`, "ssid B…"}, // as Android quotes it
		{"ssid", "\u202eevil", "ssid …"},
		{"ssid", "<unknown ssid>", ""},
		{"ssid", "7", ""},
		{"ip6", "fe80::a6c3:f0ff:fe5e:912b%wlan0", "eui64-address fe80:… (a4:c3:f0:…)"},
		{"", "2003:e4:bf14:5a00:3e22:fbff:fe8d:41e7", "eui64-address 2003:… (3c:22:fb:…)"},
		{"", "2001:db8::a6c3:f0ff:fe5e:912b", ""},
		{"", "2003:e4:bf14:5a00:5d2e:91aa:7c04:b8e6", ""},
		{"ip", "2003:e4:bf14:5a00:5d2e:91aa:7c04:b8e6", "public-address 2003:…"},
		{"", "192.168.1.23", "local-address 192.168.…"}, // the client's own
		{"", "192.168.178.31:5060", "local-address 192.168.…"},
		{"", "10.0.4.117", ""},
		{"local_ip", "10.0.4.117", "local-address 10.0.…"},
		{"local_ip", "10.0.4.117/24", "local-address 10.0.…"},
		{"ip", "91.12.64.207", "public-address 91.12.…"},
		{"X-Forwarded-For", "91.12.64.207, 10.0.0.1", "public-address 91.12.…"},
		{"", "91.12.64.207", ""},
		{"ip", "192.0.2.10", ""},
		{"ip", "127.0.0.1", ""},
		{"ip", "999.1.1.1", ""},
		{"app_version", "192.168.1.4", ""},
		{"candidate", "candidate:1 1 udp 2122260223 10.0.4.117 50123 typ host generation 0", "local-address 10.0.…"},
		{"sdp", "v=0\r\na=candidate:1 1 udp 2122260223 9c1f0b7a.local 50123 typ host\r\na=candidate:2 1 udp 1686052607 91.12.64.207 50123 typ srflx raddr 0.0.0.0 rport 0\r\n", "public-address 91.12.…"},

		// People.
		{"", "lena.probst@gmx.de", "e-mail l…@gmx.de"},
		{"", "mailto:lena.probst@gmx.de?subject=x", "e-mail l…@gmx.de"},
		{"", "<Lena.Probst+x@Mail.GMX.de>, omar@outlook.com", "e-mail L…@mail.gmx.de, e-mail o…@outlook.com"},
		{"", "jürgen@müller.de", "e-mail j…@müller.de"},
		{"", "a***@gmx.de", ""},
		{"", "test@test.com", ""},
		{"", "lena@localhost", ""},
		{"", "lena@example.com", ""},
		{"", "lena@sub.example.org", ""},
		{"", "lena@gmx.notatld", ""},
		{"", "lena@gmx", ""},
		{"", "icon@2x.png", ""},
		{"", "left-pad@1.3.0", ""},
		{"", "git@github.com:org/app.git", ""},
		{"", "https://lena@git.shop.com/x", ""},
		{"", "https://shop.com/?to=lena@gmx.de", "e-mail l…@gmx.de"},
		{"", "noreply@gmx.de", ""},
		{"", "@lena", ""},
		{"", "a@b@c.de", "e-mail b…@c.de"},
		{"em", "f660ab912ec121d1b1e928a0bb4bc61b15f5ad44d5efdc4e1c92a25e99b8e44a", "e-mail f660… (hashed)"},
		{"phone", "+491512345907", "phone-number +49…07"},
		{"phone", "0151 2345907", "phone-number …07"},
		{"phone", "0049 1512 345907", "phone-number +49…07"},
		{"", "+49 (1512) 345-907", "phone-number +49…07"},
		{"", "tel:+491512345907", "phone-number +49…07"},
		{"", "tel:", ""},
		{"", "+4915123", ""},
		{"", "+0491512345907", ""},
		{"", "+1 202 555 0143", ""}, // for films
		{"", "+49.99", ""},
		{"order", "491512345907", ""},
		{"phone", "Pixel 8", ""},
		{"phone", "1111111", ""},

		// Places.
		{"location", "52.516266,13.377775", "location 52.…, 13.… (to less than 1 m)"},
		{"location", "52.516, 13.377", "location 52.…, 13.… (to about 111 m)"},
		{"", "geo:52.5163,13.3777;u=35", "location 52.…, 13.… (to about 11 m)"},
		{"location", "52.51,13.37", ""},
		{"location", "Berlin, Mitte", ""},
		{"", "52.516266,13.377775", ""},
		{"location", "152.516266,213.377775", ""},

		// Tokens.
		{"x", "dK3xQ9vTRmO7pLw2YzNb-4:APA91b" + strings.Repeat("Hq9zT", 27), "push-token dK3x…"},
		{"x", "APA91b" + strings.Repeat("Hq9zT", 10), ""},
		{"push_token", strings.Repeat("9c1f0b7a", 8), "push-token 9c1f…"},
		{"identifier", strings.Repeat("9c1f0b7a", 8), ""}, // but for OneSignal
		{"checksum", strings.Repeat("9c1f0b7a", 8), ""},
		{"to", "ExponentPushToken[xYz0aBcDeFgHiJkLmNoPqR]", "push-token Expo…"},
		{"access_token", "t9Kq2vXz7Lm4Pw8Rb1Ny6Jc3", ""}, // not in the URL
	}
	for _, test := range tests {
		if got := lookAt(test.name, test.text, body); got != test.want {
			t.Errorf("%s=%q\nfound %q\nwant  %q", test.name, test.text, got, test.want)
		}
	}
}

func TestSecretsInURLs(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0ODIxIn0.q3XxV0Zt8mY1pLwRk5nTgA7c"
	tests := []struct{ name, text, want string }{
		{"access_token", "t9Kq2vXz7Lm4Pw8Rb1Ny6Jc3", "access-token t9Kq…"},
		{"access_token", "ya29.a0AfH6SMBx7", "access-token ya29…"},
		{"anything", jwt, "access-token eyJh…"},
		{"password", "Sommer2026!", "access-token …"},
		{"password", "***", ""},
		{"session", "e3a7c1d4-58b2-4f96-8e0d-a41b97c2f065", ""}, // as analytics number visits
		{"session_token", "e3a7c1d4-58b2-4f96-8e0d-a41b97c2f065", "access-token e3a7…"},
		{"session", "t9Kq2vXz7Lm4Pw8Rb1Ny6Jc3", "access-token t9Kq…"},
		{"session", "1", ""},
		{"session", "android", ""},
		{"sid", "0d4a2f86c9e1b7354f8a1c9be07d2356", ""},
		{"sid", "1763640000123456", ""},
		{"PHPSESSID", "0d4a2f86c9e1b7354f8a1c9be07d2356", "access-token 0d4a…"},
		{"token", "t9Kq2vXz7Lm4Pw8Rb1Ny6Jc3", "access-token t9Kq…"},
		{"token", "0d4a2f86c9e1b7354f8a1c9be07d2356", ""},
		{"key", "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q", ""},
		{"key", "ghp_A1b2C3d4E5f6G7h8I9j0", "access-token ghp_…"},
		{"api_key", "0d4a2f86c9e1b7354f8a1c9be07d2356", ""},
		{"access_token", "123456789012345|0d4a2f86c9e1b735", ""},
		{"page_token", "t9Kq2vXz7Lm4Pw8Rb1Ny6Jc3", ""},
		{"csrf", "t9Kq2vXz7Lm4Pw8Rb1Ny6Jc3", ""},
	}
	for _, test := range tests {
		for where, want := range map[string]string{"query " + test.name: test.want, "header Referer query x": test.want, "body.form " + test.name: "", "header X": ""} {
			if got := lookAt(test.name, test.text, where); got != want {
				t.Errorf("%s: %s=%q\nfound %q\nwant  %q", where, test.name, test.text, got, want)
			}
		}
	}
}

// Sixteen digits under a name that says "device" are an Android ID only where Android may
// have sent them.
func TestDeviceIDBySystem(t *testing.T) {
	for agent, want := range map[string]string{
		"okhttp/4.12.0": AndroidID, "": AndroidID,
		"Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A.231105.004)":                                              AndroidID,
		"Shop/4.2 CFNetwork/1494.0.7 Darwin/23.4.0":                                                                       InstallationID,
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36": InstallationID,
	} {
		got := Look(flowtest.Get("https://api.shop.test/?duid=4f8a1c9be07d2356", flowtest.UserAgentOf(agent)))
		if len(got) != 1 || got[0].Kind != want {
			t.Errorf("%s: %+v, want %s", agent, got, want)
		}
	}
}

// One value has one digest, however it is written, and two values have two.
func TestDigests(t *testing.T) {
	digest := func(name, text string) string {
		s := newSearch(flowtest.Get("https://api.shop.test/"))
		s.look(s.means(name), leaf{name: name, text: []byte(text), place: written(body)})
		if len(s.found) != 1 {
			t.Fatalf("%s=%q: %d values", name, text, len(s.found))
		}
		return s.found[0].Digest
	}
	same := [][][2]string{
		{{"idfa", "6D92078A-8246-4BA4-AE5B-76104861E7DC"}, {"gaid", "6d92078a82464ba4ae5b76104861e7dc"}, {"device_id", "6d92078a-8246-4ba4-ae5b-76104861e7dc"}},
		{{"mac", "a4:c3:f0:5e:91:2b"}, {"mac", "A4C3F05E912B"}, {"bssid", "a4c3.f05e.912b"}, {"ip", "fe80::a6c3:f0ff:fe5e:912b"}},
		{{"mail", "Lena.Probst@GMX.de"}, {"", "x <lena.probst@gmx.de>"}},
		{{"phone", "+49 1512 345907"}, {"phone", "00491512345907"}, {"", "+491512345907"}},
		{{"imei", "353918057843126"}, {"imei", "35-391805-784312-6"}},
		{{"ip", "fe80::1"}, {"ip", "FE80:0::1%en0"}},
		{{"loc", "52.516266,13.377775"}, {"loc", "52.51627, 13.37778"}},
		{{"fid", "dK3xQ9vTRmO7pLw2YzNb-4"}},
		{{"fid", "dk3xQ9vTRmO7pLw2YzNb-4"}},
	}
	seen := map[string]int{}
	for i, values := range same {
		for _, v := range values {
			d := digest(v[0], v[1])
			if other, known := seen[d]; known && other != i {
				t.Errorf("%q has the digest of %q", v, same[other])
			}
			seen[d] = i
		}
	}
	if len(seen) != len(same) {
		t.Errorf("%d digests for %d values", len(seen), len(same))
	}
}

func TestLookIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 2000 {
		b.WriteString("u" + strings.Repeat("x", i%40) + string(rune('a'+i%26)) + "@gmx.de\n")
		b.WriteString(`,"`)
	}
	f := flowtest.Post("https://api.shop.test/", `["`+strings.ReplaceAll(b.String(), "\n", `"`)+`"]`)
	if got := Look(f); len(got) == 0 || len(got) > MaxExposures {
		t.Errorf("%d exposures", len(got))
	}
}

// The track of a run does not hide what comes after it, and nothing costs more the more
// often it is sent.
func TestLookFindsWhatComesLate(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"points":[`)
	for i := range maxAsked / 2 {
		fmt.Fprintf(&b, `{"lat":52.%06d,"lon":13.377775,"id":"51c8e09d-4a7b-4263-9f1e-%012d","note":"@@@@"},`, i, i)
	}
	b.WriteString(`{}],"gaid":"7c9b1e52-3f4a-4d08-9a6e-5b2c80f1d34e"}`)
	kinds := map[string]int{}
	for _, e := range Look(flowtest.Post("https://api.run.test/", b.String())) {
		kinds[e.Kind]++
	}
	if kinds[Location] != MaxOfKind || kinds[AdvertisingID] != 1 {
		t.Errorf("%v", kinds)
	}
}

func TestLookAtMessages(t *testing.T) {
	f := flowtest.WebSocket("wss://live.shop.test/", []flow.Frame{
		{FromClient: false, Opcode: 1, Data: []byte(`{"gaid":"7c9b1e52-3f4a-4d08-9a6e-5b2c80f1d34e"}`)},
		{FromClient: true, Opcode: 1, Data: []byte(`{"gaid":"7c9b1e52-3f4a-4d08-9a6e-5b2c80f1d34e"}`)},
	})
	got := Look(f)
	if len(got) != 1 || got[0].Kind != AdvertisingID || got[0].Where != "WebSocket message 2 $.gaid" {
		t.Errorf("%+v", got)
	}
}

// A place can itself be called like a value.
func TestPlacesHoldNoValues(t *testing.T) {
	f := flowtest.Post("https://api.shop.test/", `{"users":{"lena.probst@gmx.de":{"age":3,"mail":"lena.probst@gmx.de"}}}`)
	got := Look(f)
	if len(got) == 0 {
		t.Fatal("nothing found")
	}
	for _, e := range got {
		if strings.Contains(e.Where+e.Name+e.Masked, "probst") {
			t.Errorf("%+v", e)
		}
	}
}

func TestMeaningOf(t *testing.T) {
	tests := map[string]meaning{
		"idfa": anAdvertisingID, "IDFA": anAdvertisingID, "device_idfa": anAdvertisingID, "deviceIDFA": anAdvertisingID, "IDFAValue": anAdvertisingID, "idfa_md5": anAdvertisingID,
		"xidfa": nothing, "advertisingID": anAdvertisingID, "user[email]": anEmail, "$email": anEmail, "userEmail": anEmail, "email_sent": nothing, "voicemail": nothing,
		"": nothing, "]": nothing, "e-mail": anEmail, "E-Mail Address": anEmail, "X-Request-ID": ofServer, "requestId": ofServer, "sessionid": aSession,
		strings.Repeat("x", 100) + "_idfa": anAdvertisingID, "idfa" + strings.Repeat("\x00", 10): anAdvertisingID,
	}
	for name, want := range tests {
		if got := meaningOf(name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
}

func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds {
		if k.Name == "" || k.Title == "" || len(k.Why) < 40 || !strings.HasSuffix(k.Why, ".") || seen[k.Name] {
			t.Errorf("%+v", k)
		}
		seen[k.Name] = true
	}
	for _, grave := range []string{AdvertisingID, IMEI, MEID, IMSI, ICCID, Serial, MACAddress, EUI64Address, SSID, BSSID, AccessToken} {
		if !KindOf(grave).Grave {
			t.Errorf("%s is grave", grave)
		}
	}
}

// FuzzLook holds that nothing makes a search fail, that it finds the same again, and that
// what it returns is safe to show.
func FuzzLook(f *testing.F) {
	for i, r := range read(f, "testdata/requests.txt") {
		if i%5 != 0 { // seeds run in every test
			continue
		}
		flow := r.flow(f)
		f.Add(flow.Request == nil, flow.UserAgent(), flow.Host(), flow.Server.SNI, []byte{})
		if flow.Request != nil {
			f.Add(false, flow.Request.URL, "X-Device-Id", strings.Join(r.lines, " "), flow.Request.Body.Content)
		}
	}
	f.Fuzz(func(t *testing.T, _ bool, url, name, value string, content []byte) {
		fl := flowtest.Get("https://api.shop.test/")
		fl.Request.URL = url
		fl.Request.Header = append(fl.Request.Header, flow.NewField(name, value))
		fl.Request.Body = flow.Body{Size: int64(len(content)), Content: content}
		found := Look(fl)
		if len(found) > MaxExposures {
			t.Errorf("%d exposures", len(found))
		}
		again := Look(fl)
		for i, e := range found {
			if e.Digest != again[i].Digest || e.Where != again[i].Where {
				t.Errorf("first %+v, then %+v", e, again[i])
			}
			if order(e.Kind) == len(Kinds) || len(e.Digest) != 32 || e.Where == "" || !strings.Contains(e.Masked, "…") || len(e.Masked) > 400 {
				t.Errorf("%+v", e)
			}
			for _, c := range e.Masked {
				if c < ' ' || c == 0x7f || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
					t.Errorf("%q must not reach a terminal", e.Masked)
				}
			}
		}
	})
}

// FuzzDetectors gives one value to the detectors, without what package unwrap makes of it.
func FuzzDetectors(f *testing.F) {
	for _, d := range devices {
		for name, value := range d {
			f.Add(name, value)
		}
	}
	for _, seed := range [][2]string{{"loc", "geo:52.1,13.2;u=3"}, {"mac", "a4c3.f05e.912b"}, {"ip", "[fe80::1%en0]:443"}, {"", "+49 (1512) 345-907"}, {"", "a@b@c.de"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(_ *testing.T, name, text string) {
		for _, where := range []string{"query " + name, "body.json $." + name, "header " + name, name} {
			lookAt(name, text, where)
		}
	})
}
