package resend

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// secretInPlaces stands nowhere else in the recording, so that only its place tells.
const secretInPlaces = "opaqueSecretValue0123456789"

// TestPlacesOfCredentials has one credential in each place: where it can be taken out, the
// request goes without it, and says so; where it cannot, the request is not sent.
func TestPlacesOfCredentials(t *testing.T) {
	const s, form, js = secretInPlaces, "application/x-www-form-urlencoded", "application/json"
	in64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	esc := url.QueryEscape
	for name, c := range map[string]struct{ target, kind, body, field, want string }{
		"relative URL in query":      {target: "/a?next=" + esc("/x?access_token="+s+"&k=1"), want: "next=%2Fx%3Fk%3D1"},
		"fragment of relative URL":   {target: "/a?next=" + esc("/x#access_token="+s), want: "next=%2Fx"},
		"fragment of URL in query":   {target: "/a?next=" + esc("https://app/cb#access_token="+s+"&k=1"), want: "cb%23k%3D1"},
		"route in fragment":          {target: "/a?next=" + esc("https://app/#/cb?access_token="+s), want: "%23%2Fcb"},
		"fragment in JSON":           {kind: js, body: `{"to":"https://app/cb#access_token=` + s + `&k=1"}`, want: `{"to":"https://app/cb#k=1"}`},
		"fragment in form":           {kind: form, body: "next=" + esc("https://app/cb#access_token="+s), want: "next=https%3A%2F%2Fapp%2Fcb"},
		"relative URL in form":       {kind: form, body: "next=" + esc("/x?access_token="+s), want: "next=%2Fx"},
		"relative URL in JSON":       {kind: js, body: `{"next":"/cb?access_token=` + s + `"}`, want: `{"next":"/cb"}`},
		"form in JSON":               {kind: js, body: `{"q":"a=1&password=` + s + `"}`, want: `{"q":"a=1"}`},
		"form in form":               {kind: form, body: "data=" + esc("access_token="+s+"&b=1"), want: "data=b%3D1"},
		"pairs in JSON":              {kind: js, body: `{"f":[{"name":"password","value":"` + s + `"},{"value":"` + s + `","key":"access_token"},{"name":"city","value":"Bern"}]}`, want: `{"name":"city","value":"Bern"}`},
		"pair of an array":           {kind: js, body: `{"f":["password","` + s + `"]}`, want: `{"f":["password",""]}`},
		"pair with an array":         {kind: js, body: `{"name":"password","value":["` + s + `"]}`, want: `"value":[""]`},
		"below auth":                 {kind: js, body: `{"auth":{"a":["` + s + `"]}}`, want: `{"auth":{"a":[""]}}`},
		"confirmation in JSON":       {kind: js, body: `{"password_confirmation":"` + s + `","pinCode":"` + s + `","csrf":"` + s + `","passwd2":"` + s + `"}`, want: `{"password_confirmation":"","pinCode":"","csrf":"","passwd2":""}`},
		"confirmation in form":       {kind: form, body: "user[password_confirmation]=" + s + "&pinCode=" + s + "&csrf=" + s + "&passwd2=" + s + "&k=1", want: "k=1"},
		"base64 of JSON in query":    {target: "/a?k=1&d=" + esc(in64(`{"access_token":"`+s+`"}`)), want: "k=1"},
		"base64 of JSON in JSON":     {kind: js, body: `{"b64":"` + in64(`{"access_token":"`+s+`"}`) + `"}`, want: `{"b64":""}`},
		"base64url of a form":        {kind: js, body: `{"b64":"` + base64.RawURLEncoding.EncodeToString([]byte("a=1&access_token="+s)) + `"}`, want: `{"b64":""}`},
		"twice encoded query":        {target: "/a?dd=%2562%3Faccess_token%253D" + s, want: "dd="},
		"twice encoded name":         {target: "/a?k=1&access%255Ftoken=" + s, want: "k=1"},
		"JSON without a name":        {target: "/a?k=1&" + esc(`{"password":"`+s+`"}`), want: "k=1"},
		"parameter of the path":      {target: "/n13;jsessionid=" + s + "/x", want: "/n13/x"},
		"token of the path":          {target: "/a;access_token=" + s + "?k=1", want: "/a?k=1"},
		"jsessionid of a referer":    {field: "Referer: https://api.example/x;jsessionid=" + s + "?k=1", want: "Referer: https://api.example/x?k=1"},
		"header, relative URL":       {field: "X-Original: /cb?access_token=" + s + "&k=1", want: "X-Original: /cb?k=1"},
		"header, form":               {field: "X-Params: a=1&access_token=" + s, want: "X-Params: a=1"},
		"header, list":               {field: "X-Params: a=1; access_token=" + s, want: "GET /a"},
		"header, JSON":               {field: `X-Json: {"password":"` + s + `","k":1}`, want: `X-Json: {"password":"","k":1}`},
		"header, base64":             {field: "X-Data: " + in64(`{"password":"`+s+`"}`), want: "GET /a"},
		"header, twice encoded":      {field: "X-Data: a%253D1%2526token%253D" + s, want: "X-Data: "},
		"header, bearer":             {field: "X-Words: bearer, " + s, want: "GET /a"},
		"X-CSRF":                     {field: "X-CSRF: " + s, want: "GET /a"},
		"Cookie2":                    {field: "Cookie2: " + s, want: "GET /a"},
		"Authentication":             {field: "Authentication: " + s, want: "GET /a"},
		"X-Custom-Key":               {field: "X-Custom-Key: " + s, want: "GET /a"},
		"GraphQL literal":            {kind: js, body: `{"query":"mutation{login(password:\"` + s + `\"){t}}"}`},
		"semicolon in query":         {target: "/a?x=1;access_token=" + s, want: "/a?x=1"},
		"a sentence in JSON":         {kind: js, body: `{"s":"form access_token=` + s + `"}`},
		"broken JSON in JSON":        {kind: js, body: `{"s":"{\"password\":\"` + s + `"}`},
		"user of a URL in text":      {kind: js, body: `{"s":"see https://anna:` + s + `@x/ now"}`},
		"credential before the path": {target: "/access_token/" + s + "/x"},
		"bot token":                  {target: "/bot123456:" + s + "/sendMessage"},
	} {
		t.Run(name, func(t *testing.T) {
			target, opts := c.target, []flowtest.Option{jsonBody(`{}`)}
			if target == "" {
				target = "/a"
			}
			if field, value, ok := strings.Cut(c.field, ": "); ok {
				opts = append(opts, flowtest.Header(field, value))
			}
			if c.body != "" {
				opts = append(opts, flowtest.Header("Content-Type", c.kind), flowtest.RequestBody(c.body))
			}
			w := newWorld(t, says("application/json", "{}"), flowtest.Get("https://api.example"+target, opts...))
			w.run()
			r := w.results[0]
			switch {
			case strings.Contains(w.sent(), "opaqueSecret") || strings.Contains(w.sent(), in64("opaqueSecret")):
				t.Errorf("it has left:\n%s", w.sent())
			case c.want == "" && (r.Outcome != NotSent || r.Reason == ""):
				t.Errorf("sent: %+v\n%s", r, w.sent())
			case c.want != "" && (!strings.Contains(w.sent(), c.want) || len(r.Without) == 0):
				t.Errorf("%q is not there: %+v\n%s", c.want, r, w.sent())
			}
		})
	}
}

// TestKnownCredentialEncodedAgain has a credential that stands in Authorization in other
// places, encoded.
func TestKnownCredentialEncodedAgain(t *testing.T) {
	const s = secretInPlaces
	auth := flowtest.Header("Authorization", "Bearer "+s)
	var flows []*flow.Flow
	encoded := []string{
		base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte("u:" + s + "?>?")), hex.EncodeToString([]byte(s)),
		base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString([]byte(s)))), "%256f" + s[1:],
	}
	for _, e := range encoded {
		flows = append(flows,
			flowtest.Get("https://api.example/a", auth, flowtest.Header("X-Thing", e), jsonBody(`{}`)),
			flowtest.Get("https://api.example/q?thing="+url.QueryEscape(e), jsonBody(`{}`)),
			flowtest.Get("https://api.example/p/"+e+"/x", jsonBody(`{}`)),
			flowtest.Post("https://api.example/j", `{"thing":"`+e+`"}`, jsonBody(`{}`)))
	}
	w := newWorld(t, says("application/json", "{}"), flows...)
	if sum := w.run(); sum.Same != 3*len(encoded) || sum.NotSent != len(encoded) { // those of paths are not sent
		t.Errorf("%+v", sum)
	}
	for _, e := range append(encoded, s) {
		if strings.Contains(w.sent(), e) || strings.Contains(w.sent(), url.QueryEscape(e)) {
			t.Errorf("%q has left:\n%s", e, w.sent())
		}
	}
}

// TestTextsThatAreNoCredentials are sent as they are, byte for byte.
func TestTextsThatAreNoCredentials(t *testing.T) {
	bodies := []string{
		`{"query":"mutation($password: String!, $key: ID){login(password: $password, key: $key){token}}","variables":{}}`,
		`{"s":"Forgot your password: reset it","t":"a=b","u":"https://x/y?page=2#top","v":"/a;b=c","w":["name","password","email"],"max_tokens":12}`,
		`{"s":"the key: 12:30","time":"2026-11-20T12:00:00Z","b":"aGVsbG8gd29ybGQ=","e":"a%20b","c":"%zz","token_type":"x"}`,
	}
	var flows []*flow.Flow
	for _, body := range bodies {
		flows = append(flows, flowtest.Post("https://api.example/a?x=1&y&b=&;d=%zz&u=%2Fx%3Fpage%3D1", body, jsonBody(`{}`),
			flowtest.Header("Accept", "text/html;q=0.9, */*;q=0.8"), flowtest.Header("Sec-CH-UA", `"Not=A?Brand";v="8", "Chromium";v="140"`)))
	}
	w := newWorld(t, says("application/json", "{}"), flows...)
	if sum := w.run(); sum.Same != len(bodies) {
		t.Fatalf("%+v %+v", sum, w.results)
	}
	for i, body := range bodies {
		if len(w.results[i].Without) > 0 || !strings.HasSuffix(w.seen[i], body) || !strings.Contains(w.seen[i], "/a?x=1&y&b=&;d=%zz&u=%2Fx%3Fpage%3D1") || !strings.Contains(w.seen[i], "Not=A?Brand") {
			t.Errorf("sent without %q:\n%s", w.results[i].Without, w.seen[i])
		}
	}
}

func TestOpaqueSendsTextsThatLookLikeIt(t *testing.T) {
	const body = `{"query":"mutation{login(password:\"opaqueSecretValue0123456789\"){t}}"}`
	w := newWorld(t, says("application/json", "{}"), flowtest.Post("https://api.example/a", body, jsonBody(`{}`)))
	if w.run(); !strings.Contains(w.results[0].Reason, "has password, where it cannot be replaced; --opaque-bodies") {
		t.Errorf("%+v", w.results)
	}
	w.cfg.Opaque = true
	if sum := w.run(); sum.Same != 1 || !strings.Contains(w.sent(), body) {
		t.Errorf("%+v\n%s", sum, w.sent())
	}
}
