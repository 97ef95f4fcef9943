#!/usr/bin/env node
// a "comment" with 'quotes' and `ticks` and /slashes/
/* over
 * lines // and "strings" */
/*! jQuery v3.7.1 | (c) */
var a = 1, g = 2, i = 3, b = a / 2 / g, re = /ab+c/gi, cls = /[/\]"'`]/, esc = /\/"/;
function f(x) { return /re"turn/.test(x) ? x / 2 : /'/ }
if (a) /statement/.exec("x");
while (a--) /loop'/.exec('y');
for (const k of [1]) { } /block"/.exec("z");
var o = { return: 1, class: /cl'ass/, function: 2, in: "in", 'quoted': /q/ }, d = o.class / 2 / g;
var p = { a: { b: 1 } / 2 }, q = a++ / 2 / g, r = (a) / 2 / g, s = [1][0] / 2 / g;
switch (a) { case /case'/: { } /afterBlock"/.exec(''); default: }
label: { } /afterLabel'/.exec("");
var t = `a${b}c${`inner ${"deep"} ${{ x: '}' }.x}`}d`, u = `plain`, v = `\`${'$'}{`, w = `}${a}{`;
var tagged = String.raw`\u{zz}`, div = `x` / 2 / g;
var lines = 'one \
two', crlf = "three\
four";
var arrow = x => /arrow'/, arrow2 = (x) => { return x }, arrow3 = async x => ({ y: /o/ });
class A extends Object { static m() { return /m'/ } get x() { return 1 / 2 / g } ['c' + 1]() { } }
var n = 1e3 / 2 / 0x1e / .5 / 1. / 1_000, big = 10n / 2n;
var opt = o?.class / 2 / g, nul = a ?? /n'/, tern = a ? { x: 1 } / 2 : /t'/, notopt = a ?.5 : /u'/;
var z = typeof /y'/, neg = !/x'/.test(''), vo = void /w'/;
do /do'/.exec(''); while (a)
/afterDo/g;
a = b
/hi/g.exec(i);
var spread = [...'abc', ...[/s'/]], comma = (1, /c'/), chained = a.b.c / d.e / g;
var escaped = '\x63lients\u0033.\u{67}oogle.com', quote = 'it\'s', dquote = "say \"x\"";
var unicode = 'héllo  𝄞', ident\u0061 = 1, ünï = 2 / 3 / g;
var get = { get: 1, set: 2 }, async = 1 / 2 / g, of = 4 / 2 / g;
throw /th'/; // last
