package script

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"telltale/locate/reading"
)

// TestJoinedTexts holds what code is known to put together, and what it is not.
func TestJoinedTexts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code string
		want []string // "~" before what is not sure
	}{
		"added":                     {`f("https://"+"clients3."+'google.com')`, []string{"https://clients3.google.com"}},
		"added to something":        {`f(x+"clients3."+"google.com"+y+"z")`, []string{"clients3.google.com"}},
		"with a number":             {`"http://a.b:"+8080+"/c"`, []string{"http://a.b:8080/c"}},
		"over lines and comments":   {"'clients3.' + // x\n 'google.com'", []string{"clients3.google.com"}},
		"what is indexed":           {`"abcd"+"efgh"[0]`, nil},
		"what is called":            {`"abcd"+"efgh".slice(1)`, nil},
		"what is multiplied":        {`"abcd"+2*3`, nil},
		"concat":                    {`"clients3".concat(".google",".com").concat("/x")`, []string{"clients3.google.com/x"}},
		"concat of Babel":           {`"".concat(e,"clients3.").concat("google.com",f)`, []string{"clients3.google.com"}},
		"concat, then added":        {`"clients3".concat(".google")+".com"`, []string{"clients3.google.com"}},
		"join":                      {`["clients3","google","com"].join(".")`, []string{"clients3.google.com"}},
		"join by a path":            {`["a.b.ca","c"].join('/')`, []string{"a.b.ca/c"}},
		"labels in an array":        {`var p=["clients3","google","com"];q(p.join("."))`, []string{"~clients3.google.com"}},
		"a scheme in an array":      {`x=["https://","a.ca","/b"]`, []string{"~https://a.ca/b"}},
		"words in an array":         {`x=["abort","error","loadend"],y=["a",1,"com"],z=a["b"]`, nil},
		"template":                  {"`${\"https\"}://clients3${'.google'}.com/${x}`", []string{"https://clients3.google.com/"}},
		"nested template":           {"`https://${`clients3${\".google\"}`}.com`", []string{"https://clients3.google.com"}},
		"template, something in it": {"`https://${x}.google.com`", nil},
		"escapes":                   {`f("\x63lients3.\u0067oogle.com")`, []string{"clients3.google.com"}},
		"slashes":                   {`f("https:\/\/a.ca")`, []string{"https://a.ca"}},
		"harmless escapes":          {`f("a\n\t\"b\"")`, nil},
		"a name":                    {`var h="clients3.google.com";f("https://"+h+"/x")`, []string{"https://clients3.google.com/x"}},
		"a name, in a template":     {"const h='a.canada.ca', x=1;\nf(`https://${h}/en`)", []string{"https://a.canada.ca/en"}},
		"a name, without semicolon": {"const h='a.canada.ca'\nf('https://'+h)", []string{"https://a.canada.ca"}},
		"a name, first":             {`let h="a.canada.ca";f(h+"/en")`, []string{"a.canada.ca/en"}},
		"a name, in a function":     {`var h="a.ca";function f(x){return "https://"+h}`, []string{"https://a.ca"}},
		"a name, changed":           {`var h="a.ca";h=f();g("https://"+h)`, nil},
		"a name, changed inside":    {`var h="a.ca";if(x){h="b.ca"}g("https://"+h)`, nil},
		"a name, added to":          {`var h="a.ca";h+="b";g("https://"+h)`, nil},
		"a name, a parameter":       {`var h="a.ca";function f(h){return "https://"+h}`, nil},
		"a name, of an arrow":       {`var h="a.ca";x=h=>"https://"+h`, nil},
		"a name, of an arrow's (":   {`var h="a.ca";x=(a,h)=>{return "https://"+h}`, nil},
		"a name, declared inside":   {`var h="a.ca";function f(){var h;g("https://"+h)}`, nil},
		"a name, of a loop":         {`var h="a.ca";for(const h of x){g("https://"+h)}`, nil},
		"a name, of a pattern":      {`var h="a.ca";const {h}=x;g("https://"+h)`, nil},
		"a name, back outside":      {`var h="a.ca";function f(h){}g("https://"+h)`, []string{"https://a.ca"}},
		"a property of that name":   {`var h="a.ca";g("https://"+x.h)`, nil},
		"a name, more than one":     {`var h="a.ca"+x;g("https://"+h)`, nil},
		"a block's name outside":    {`{let h="a.ca";}g("https://"+h)`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := open("a.js", []byte(test.code))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			d.Joined(func(j reading.Joined) bool {
				mark := "~"
				if j.Sure {
					mark = ""
				}
				got = append(got, mark+string(j.Value))
				for i, p := range j.Parts {
					end := len(j.Value)
					if i+1 < len(j.Parts) {
						end = j.Parts[i+1].At
					}
					// A part reads in the file as it does in the value, but for the separator behind it.
					if raw := string(decoded([]byte(test.code[p.Start:p.End]), nil)); !strings.HasPrefix(string(j.Value[p.At:end]), raw) {
						t.Errorf("part %d is %q in the file, and %q in the value", i, raw, j.Value[p.At:end])
					}
				}
				return true
			})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.code, diff)
			}
		})
	}
}

// TestVisitsEnd holds that a visitor that has seen enough is called no more.
func TestVisitsEnd(t *testing.T) {
	t.Parallel()
	d, err := open("a.js", []byte("'a'+'bcde';'a'+'bcde';`x`;/* c */`${"))
	if err != nil {
		t.Fatal(err)
	}
	for limit := 1; limit < 4; limit++ {
		texts, joined := 0, 0
		d.Texts(func(reading.Text) bool { texts++; return texts < limit })
		d.Joined(func(reading.Joined) bool { joined++; return joined < limit })
		if texts != limit || joined != min(limit, 2) {
			t.Errorf("visited %d texts and %d joined ones, to see %d", texts, joined, limit)
		}
	}
}

// TestTexts holds what the listing of a file's texts has.
func TestTexts(t *testing.T) {
	t.Parallel()
	const code = "// see https://a.b\nf('x\\x41', `https://${h}.c${f('in')}/${ d.e }`, `p`) /* y */"
	d, err := open("a.js", []byte(code))
	if err != nil {
		t.Fatal(err)
	}
	type text struct {
		Value   string
		Comment bool
	}
	var got []text
	d.Texts(func(x reading.Text) bool {
		if !x.Whole {
			t.Errorf("%q has no bounds", x.Value)
		}
		got = append(got, text{string(x.Value), x.Comment})
		return true
	})
	want := []text{{" see https://a.b", true}, {"xA", false}, {"in", false}, {"https://${h}.c${}/${d.e}", false}, {"p", false}, {" y ", true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSettings holds what counts as a setting, its value and who gets it.
func TestSettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code string
		want []reading.Setting // Value is compared with the code where Known is false
	}{
		"a call":               {`NetInfo.configure({ reachabilityUrl: '' });`, []reading.Setting{{Value: "", Known: true, Call: "configure"}}},
		"as minifiers write":   {`(0,r(d[1]).configure)({a:1,reachabilityUrl:"https://a.ca/\x62"})`, []reading.Setting{{Value: "https://a.ca/b", Known: true, Call: "configure"}}},
		"of a default":         {`n.default.configure({reachabilityUrl:!1})`, []reading.Setting{{Value: "false", Known: true, Call: "configure"}}},
		"quoted":               {`x.configure({"reachabilityUrl":!0})`, []reading.Setting{{Value: "true", Known: true, Call: "configure"}}},
		"a template":           {"configure({reachabilityUrl:`x`})", []reading.Setting{{Value: "x", Known: true, Call: "configure"}}},
		"nested":               {`configure([{a:{reachabilityUrl:null}}])`, []reading.Setting{{Value: "null", Known: true, Call: "configure"}}},
		"copied":               {`configure(Object.assign({},d,{reachabilityUrl:-1.5}))`, []reading.Setting{{Value: "-1.5", Known: true, Call: "configure"}}},
		"copied alone":         {`Object.assign({},d,{reachabilityUrl:void 0})`, []reading.Setting{{Value: "undefined", Known: true, Call: "assign"}}},
		"a constructor":        {`new Client({reachabilityUrl:5e3,x})`, []reading.Setting{{Value: "5e3", Known: true, Call: "Client"}}},
		"a definition":         {`e.default={reachabilityUrl:"https://a.b/c",x:function(){}}`, []reading.Setting{{Value: "https://a.b/c", Known: true}}},
		"in a function's body": {`configure(function(){return {reachabilityUrl:""}})`, []reading.Setting{{Value: "", Known: true}}},
		"in a condition":       {`if({reachabilityUrl:""}){}`, []reading.Setting{{Value: "", Known: true}}},
		"assigned":             {"x.reachabilityUrl = 'a'\ny()", []reading.Setting{{Value: "a", Known: true}}},
		"assigned, code":       {`x.reachabilityUrl=a`, []reading.Setting{{}}},
		"added up":             {`configure({reachabilityUrl:"a"+b})`, []reading.Setting{{Call: "configure"}}},
		"called":               {`configure({reachabilityUrl:"a".trim()})`, []reading.Setting{{Call: "configure"}}},
		"chosen":               {`configure({reachabilityUrl:!0?a:b,reachabilityUrl:"c"})`, []reading.Setting{{Call: "configure"}, {Value: "c", Known: true, Call: "configure"}}},
		"filled in":            {"configure({reachabilityUrl:`a${b}`})", []reading.Setting{{Call: "configure"}}},
		"short":                {`configure({reachabilityUrl})`, []reading.Setting{{Call: "configure"}}},
		"short, of several":    {`configure({reachabilityUrl,a})`, []reading.Setting{{Call: "configure"}}},
		"read, not set":        {`function f({reachabilityUrl}){} var {reachabilityUrl}=x; ({reachabilityUrl,a})=>a; y=x.reachabilityUrl; z==x.reachabilityUrl; x.reachabilityUrl==1; a?reachabilityUrl:b; {q:a?reachabilityUrl:b}`, nil},
		"another name":         {`configure({reachabilityUrls:""})`, nil},
		"cut off":              {`configure({reachabilityUrl:`, []reading.Setting{{Call: "configure"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := open("a.js", []byte(test.code))
			if err != nil {
				t.Fatal(err)
			}
			got := d.Settings([]string{"reachabilityUrl", ""})
			for i := range got {
				if got[i].Name != "reachabilityUrl" {
					t.Errorf("setting %d is of %q", i, got[i].Name)
				}
				if s := got[i]; s.Known && s.Value != "" && s.Value != "false" && s.Value != "true" && s.Value != "undefined" {
					if text := string(decoded([]byte(test.code[s.Start:s.End]), nil)); !strings.Contains(text, s.Value) {
						t.Errorf("setting %d stands at %q", i, text)
					}
				}
				got[i].Name, got[i].Start, got[i].End = "", 0, 0
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.code, diff)
			}
		})
	}
}
