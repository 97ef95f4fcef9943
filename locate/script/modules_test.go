package script

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// found is a module as a test writes it.
type found struct{ ID, Name, Text string }

func modulesOf(t *testing.T, code string) []found {
	t.Helper()
	d, err := open("a.js", []byte(code))
	if err != nil {
		t.Fatal(err)
	}
	var out []found
	for i := range d.indexed().modules {
		m := &d.index.modules[i]
		out = append(out, found{d.idOf(m), d.nameOf(m), code[m.start:m.end]})
	}
	return out
}

// TestModulesOfBundlers holds the forms in which bundlers write modules.
func TestModulesOfBundlers(t *testing.T) {
	t.Parallel()
	const webpack = "/* webpack */"
	for name, test := range map[string]struct {
		code string
		want []found
	}{
		"Metro, minified": {
			"x;__d(function(g,r,i,a,m,e,d){e.default={a:'b)'}},424,[1,2]);\n__d(function(){},0,[]);",
			[]found{{"424", "", "__d(function(g,r,i,a,m,e,d){e.default={a:'b)'}},424,[1,2])"}, {"0", "", "__d(function(){},0,[])"}},
		},
		"Metro, development": {
			`__d(function (global, _$$_REQUIRE) { /* ) */ },1e3,[3,7],"node_modules/a/b.js",{"3":"c"});`,
			[]found{{"1000", "node_modules/a/b.js", `__d(function (global, _$$_REQUIRE) { /* ) */ },1e3,[3,7],"node_modules/a/b.js",{"3":"c"})`}},
		},
		"Metro, with names for numbers, a prefix and an arrow": {
			`my__d((g)=>{f(1,2)},"a/b.js",["c"])`,
			[]found{{"a/b.js", "a/b.js", `my__d((g)=>{f(1,2)},"a/b.js",["c"])`}},
		},
		"Metro, one broken": {
			"__d(function(){ if ( { ' },1,[]);\n__d(function(){},2,[]);",
			[]found{{"2", "", "__d(function(){},2,[])"}},
		},
		"Metro, cut off": {
			"__d(function(){},1,[]);\n__d(function(){},2,[",
			[]found{{"1", "", "__d(function(){},1,[])"}, {"2", "", "__d(function(){},2,["}},
		},
		"no call of Metro": {"function __d(a,b,c){} __d(a); x.__d();", nil},
		"webpack 5, part of a bundle": {
			`(self.webpackChunka=self.webpackChunka||[]).push([[12],{735:function(e,t,r){var s={1:2}},92:(e,t)=>{a},3(e){b},"x9Fq":e=>e.exports="c",5:"d"}]);`,
			[]found{
				{"735", "", "735:function(e,t,r){var s={1:2}}"}, {"92", "", "92:(e,t)=>{a}"}, {"3", "", "3(e){b}"},
				{"x9Fq", "", `"x9Fq":e=>e.exports="c"`},
			},
		},
		"webpack, development": {
			webpack + "var __webpack_modules__ = ({\n\n/***/ \"./src/a.js\":\n/*! x */\n/***/ ((module) => { eval(\"a\") }),\n\"./b.js\": (function(){})});",
			[]found{
				{"./src/a.js", "./src/a.js", "\"./src/a.js\":\n/*! x */\n/***/ ((module) => { eval(\"a\") })"},
				{"./b.js", "./b.js", `"./b.js": (function(){})`},
			},
		},
		"webpack 4, an array": {
			`!function(e){var t={};n.m=e;var x={exports:{}}}([function(e,t,n){a},,function(e,t){b}]);`,
			[]found{{"0", "", "function(e,t,n){a}"}, {"2", "", "function(e,t){b}"}},
		},
		"Browserify": {
			`(function(){function r(e,n,t){var p=n[i]={exports:{}}}return r})()({1:[function(require,module,exports){a},{"./b":2}],2:[function(){b},{}]},{},[1]);`,
			[]found{{"1", "", `1:[function(require,module,exports){a},{"./b":2}]`}, {"2", "", `2:[function(){b},{}]`}},
		},
		"esbuild": {
			`var __commonJS = x; var require_a = __commonJS({ "node_modules/a/b.js"(exports, module) { a } });`,
			[]found{{"node_modules/a/b.js", "node_modules/a/b.js", `"node_modules/a/b.js"(exports, module) { a }`}},
		},
		"objects that hold no modules":           {webpack + `f({200:"a",404:"b"}); g({1:{2:3}}); h([1,2])`, nil},
		"functions by number, without a bundler": {`f({200:function(r){},404:function(r){}})`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, modulesOf(t, test.code)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestCommentsNameFiles holds that bundlers' comments name what stands behind them, where
// modules share a scope.
func TestCommentsNameFiles(t *testing.T) {
	t.Parallel()
	const code = "// node_modules/a/x.mjs\nvar a = 'one';\n\n// src/b.js\nvar b = 'two';\n// see https://c.example/d.js\nvar c = 'three';\n"
	d, err := open("out.js", []byte(code))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"one": "node_modules/a/x.mjs", "two": "src/b.js", "three": "src/b.js"} {
		i := strings.Index(code, text)
		p := d.Place(i, i+1)
		if p.Module == nil || p.Module.Name != want || p.Module.Start > i || p.Module.End < i {
			t.Errorf("%s: module %+v, want %s", text, p.Module, want)
		}
	}
	i := strings.Index(code, "one")
	if got := d.Packages(d.Place(i, i).Module); len(got) != 1 || got[0].Name != "a" || !got[0].Sure {
		t.Errorf("packages: %+v", got)
	}
}

// TestPackagesOfPaths tells packages by the folders of package managers.
func TestPackagesOfPaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][2]string{
		"node_modules/a/b.js":                                                {"a", ""},
		"../../node_modules/@x/y/src/a.ts":                                   {"@x/y", ""},
		"node_modules/a/node_modules/b/c.js":                                 {"b", ""},
		`C:\app\node_modules\a\b.js`:                                         {"a", ""},
		"webpack:///./node_modules/a/b.js":                                   {"a", ""},
		"node_modules/.pnpm/@x+y@5.9.10_react@17.0.1/node_modules/@x/y/a.js": {"@x/y", "5.9.10"},
		"node_modules/.pnpm/a@1.0.0-rc.2/node_modules/a/b.js":                {"a", "1.0.0-rc.2"},
		"node_modules/.pnpm/a@1.0.0/node_modules/b/c.js":                     {"b", ""},
		".yarn/cache/@x-y-npm-1.2.3-0123abcdef-8.zip/node_modules/@x/y/c.js": {"@x/y", "1.2.3"},
		".yarn/cache/a-npm-1.2.3-beta.1-0123abcdef.zip/node_modules/a/c.js":  {"a", "1.2.3-beta.1"},
		"src/a.js":                 {},
		"node_modules/":            {},
		"node_modules/.cache/a.js": {},
		"node_modules/@x":          {},
		"my_node_modules/a/b.js":   {},
		"node_modules/a b/c.js":    {},
		"":                         {},
	} {
		name, version, ok := PackageOf(path)
		if name != want[0] || version != want[1] || ok != (want[0] != "") {
			t.Errorf("PackageOf(%q) = %q, %q, %v; want %q", path, name, version, ok, want)
		}
	}
}

// TestPackagesByWhatNamesThem holds what is told of a module's package, by each kind of evidence.
func TestPackagesByWhatNamesThem(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code, at string
		want     []Named
	}{
		"its path": {
			`__d(function(){'here'},1,[],"node_modules/a/b.js")`, "here",
			[]Named{{"a", "", "the module is called node_modules/a/b.js", true}},
		},
		"a package.json, minified": {
			`__d(function(g,r,i,a,m){m.exports={name:"@x/y",version:"1.2.3",here:1}},7,[])`, "here",
			[]Named{{"@x/y", "1.2.3", "the module is the package.json of it", true}},
		},
		"a package.json as a string": {
			`(webpackJsonp=[]).push([[0],{7:function(e){e.exports=JSON.parse('{"name":"a","version":"4.5.6","x":"here"}')}}])`, "here",
			[]Named{{"a", "4.5.6", "the module is the package.json of it", true}},
		},
		"an object with a name": {
			`__d(function(g,r,i,a,m){m.exports={name:"a b",version:"here"}},7,[])`, "here", nil,
		},
		"who requires it": {
			"__d(function(){_$$_REQUIRE(_dependencyMap[1], \"@x/y\")},1,[5,7]);\n__d(function(){'here'},7,[]);", "here",
			[]Named{{"@x/y", "", `module 1 requires it as "@x/y"`, true}},
		},
		"who requires it, by a path": {
			"__d(function(){_$$_REQUIRE(_dependencyMap[0], \"./b\")},1,[7]);\n__d(function(){'here'},7,[]);", "here", nil,
		},
		"a licence": {
			"__d(function(){/** @license React v16.13.1\n * x */'here'},7,[])", "here",
			[]Named{{"react", "16.13.1", "a licence comment in the module names it", false}},
		},
		"a licence of jQuery's form": {
			"/*! jQuery JavaScript Library v3.7.1 */__d(function(){/*! x.js - v2.0 */'here'},7,[])", "here",
			[]Named{{"x", "2.0", "a licence comment in the module names it", false}},
		},
		"a licence with its version apart": {
			"__d(function(){/*!\n * @overview es6-promise - tiny\n * @version v4.2.8+1e68dce6 */'here'},7,[])", "here",
			[]Named{{"es6-promise", "4.2.8", "a licence comment in the module names it", false}},
		},
		"a licence without a version": {"__d(function(){/*! For license information see a.txt */'here'},7,[])", "here", nil},
		"its package.json": {
			"__d(function(){'here'},6,[7]);\n__d(function(g,r,i,a,m){m.exports={name:'a',version:'1.2.3'}},7,[])", "here",
			[]Named{{"a", "1.2.3", "it requires module 7, the package.json of it", false}},
		},
		"a neighbour": {
			"__d(function(){'here'},6,[]);\n__d(function(){},7,[6],'node_modules/a/b.js')", "here",
			[]Named{{"a", "", "module 7, which is of it, requires this one", false}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := open("a.js", []byte(test.code))
			if err != nil {
				t.Fatal(err)
			}
			i := strings.Index(test.code, test.at)
			if diff := cmp.Diff(test.want, d.Packages(d.Place(i, i).Module)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRequiresAreTold holds the names that a module requires.
func TestRequiresAreTold(t *testing.T) {
	t.Parallel()
	const code = `__d(function(){require("a");_$$_REQUIRE(_dependencyMap[0], "./b");require("a");other("c")},7,[1]);require("d")`
	d, err := open("a.js", []byte(code))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "./b"}, d.Requires(d.Place(20, 20).Module)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
