// Finds out by itself, with parsers that are not ours, what a search of the bundles
// has to find, and writes it as JSON:
//
//   node expect.cjs PROJECT OUT > expected.json
//
// PROJECT holds the app and node_modules (Babel reads the bundles, source-map their
// maps); OUT holds rn*/ and hermes/ (whose disassemblies, *.txt, are read as text).
//
// An offset counts bytes from the start of the file, a line counts from 1, a column
// counts UTF-16 units from 0; all of them point at the first character of a string's
// value, behind its quote. Positions in sources point at its quote. In bytecode, first and
// length are a string's place in the storage of strings, in bytes, and a function is
// known by its number.
'use strict';

const fs = require('fs');
const path = require('path');

const project = path.resolve(process.argv[2]);
const out = path.resolve(process.argv[3]);
const need = name => require(require.resolve(name, { paths: [project] }));
const { parse } = need('@babel/parser');
const { VISITOR_KEYS } = need('@babel/types');
const { SourceMapConsumer } = need('source-map');

const ADDRESS = /^[a-z]+:\/\//i;
const DEFAULT = 'https://clients3.google.com/generate_204';

function walk(node, visit) {
  visit(node);
  for (const key of VISITOR_KEYS[node.type] || []) {
    for (const child of [].concat(node[key] ?? [])) if (child) walk(child, visit);
  }
}

// calls names the callee of a statement that is nothing but a call.
const calls = statement => statement.type === 'ExpressionStatement' && statement.expression.type === 'CallExpression'
  && statement.expression.callee.name;

// textOf is the text of a literal that has one without being run.
const textOf = node => node.type === 'StringLiteral' || node.type === 'DirectiveLiteral' ? node.value
  : node.type === 'TemplateElement' ? node.value.cooked : undefined;

// describe lists the addresses that JavaScript holds as literals, with the module
// that each is in, and the settings that the app gives the library.
function describe(code, place) {
  const found = { modules: 0, urls: [], settings: [] };
  for (const statement of parse(code, { sourceType: 'script', errorRecovery: true }).program.body) {
    let module;
    if (calls(statement) === '__d') {
      const [, id, , name] = statement.expression.arguments;
      module = { module: id.value, ...place.span(statement.start, statement.end) };
      if (name) module.name = name.value;
      found.modules++;
    }
    walk(statement, node => {
      const value = textOf(node);
      const quote = node.type === 'TemplateElement' ? 0 : 1;
      if (value && ADDRESS.test(value)) found.urls.push({ value, ...place.at(node, quote), ...module });
      if (node.type === 'ObjectProperty' && node.key.name === 'reachabilityUrl' && textOf(node.value) !== undefined) {
        found.settings.push({ value: node.value.value, ...place.at(node.value, 1), ...module });
      }
    });
  }
  return found;
}

// placing turns positions of the parser into those of the file.
function placing(code, base, original) {
  const bytes = end => base + Buffer.byteLength(code.slice(0, end));
  return {
    span: (start, end) => ({ moduleStart: bytes(start), moduleEnd: bytes(end) }),
    at: ({ start, loc }, quote) => ({
      offset: bytes(start + quote), line: loc.start.line, column: loc.start.column + quote, ...original(loc.start),
    }),
  };
}

// originals looks up positions in the map beside a bundle.
async function originals(file) {
  if (!fs.existsSync(file)) return () => ({});
  const map = await new SourceMapConsumer(JSON.parse(fs.readFileSync(file, 'utf8')));
  return at => {
    const { source, line, column } = map.originalPositionFor(at);
    return source ? { source: source.replace(/^\//, ''), sourceLine: line, sourceColumn: column } : {};
  };
}

async function bundle(name) {
  const code = fs.readFileSync(path.join(out, name), 'utf8');
  const found = describe(code, placing(code, 0, await originals(path.join(out, name + '.map'))));
  return { ...summary(found), modules: found.modules, urls: found.urls };
}

// summary picks what an audit is about: the library's default, and what the app sets.
const summary = ({ urls, settings }) => ({
  netinfo: urls.find(url => url.value === DEFAULT),
  override: settings.find(setting => setting.value !== DEFAULT),
});

// indexed reads a bundle whose modules stand apart behind a table (metro,
// RamBundle/as-indexed-file.js): magic, number of entries, length of the start-up code,
// then offset and length of each module from the end of the table.
function indexed(name) {
  const file = fs.readFileSync(path.join(out, name));
  const table = 12 + 8 * file.readUInt32LE(4);
  const pieces = [[table, file.readUInt32LE(8)]];
  for (let at = 12; at < table; at += 8) {
    if (file.readUInt32LE(at + 4)) pieces.push([table + file.readUInt32LE(at), file.readUInt32LE(at + 4)]);
  }
  const all = { modules: 0, urls: [], settings: [] };
  for (const [start, length] of pieces) {
    const code = file.subarray(start, start + length - 1).toString();
    const found = describe(code, placing(code, start, () => ({})));
    for (const url of [...found.urls, ...found.settings]) delete url.line, delete url.column;
    all.modules += found.modules;
    all.urls.push(...found.urls);
    all.settings.push(...found.settings);
  }
  return { ...summary(all), modules: all.modules, urls: all.urls };
}

// bytecode reads a disassembly: the string table, and the number of the function that
// puts the default configuration together. That is the last one that starts before the
// default in the bundle; without positions, the one that stores its only member that is
// no plain value.
function bytecode(name, netinfo) {
  const urls = [];
  let functions = 0, version, before, storing;
  for (const line of fs.readFileSync(path.join(out, name), 'utf8').split('\n')) {
    const entry = /^([si])(\d+)\[(ASCII|UTF-16), (\d+)\.\.(-?\d+)\](?: #[0-9A-F]+)?: (.*)$/.exec(line);
    const start = /function (?:at|idx) (\d+),? starts at line[ =](\d+),? col[ =](\d+)/.exec(line);
    if (entry) {
      const [, kind, id, encoding, first, last, text] = entry;
      const value = encoding === 'ASCII' ? text : Buffer.from(text.replace(/\\x/g, ''), 'hex').toString('utf16le');
      if (ADDRESS.test(value)) urls.push({ value, id: +id, encoding, identifier: kind === 'i', first: +first, length: last - first + 1 });
    } else if (start && netinfo && +start[2] === netinfo.line && +start[3] <= netinfo.column + 1) {
      before = +start[1];
    } else if (/^\w*Function<.*params/.test(line)) {
      functions++;
    } else if (/\bPut\w*\s.*"reachabilityTest"/.test(line)) {
      storing = functions - 1;
    } else if (line.includes('Bytecode version number: ')) {
      version = +line.split(': ')[1];
    }
  }
  if (before !== undefined && storing !== undefined && before !== storing) throw new Error(`${name}: ${before} or ${storing}?`);
  return { version, functions, netinfo: before ?? storing, urls };
}

async function main() {
  const expected = { bundles: {}, bytecode: {} };
  for (const folder of ['rn', 'rn-fixed', 'rn-own']) {
    for (const file of fs.readdirSync(path.join(out, folder)).sort()) {
      const name = `${folder}/${file}`;
      if (/\.(map|txt)$/.test(file)) continue;
      expected.bundles[name] = file.includes('.ram.') ? indexed(name) : await bundle(name);
    }
  }
  for (const file of fs.readdirSync(path.join(out, 'hermes')).sort()) {
    if (!file.endsWith('.txt')) continue;
    const { netinfo } = file.startsWith('v') ? expected.bundles['rn/main.jsbundle'] : {};
    expected.bytecode[`hermes/${file.replace('.txt', '.hbc')}`] = bytecode(`hermes/${file}`, netinfo);
  }
  process.stdout.write(JSON.stringify(expected, null, 1) + '\n');
}

main().catch(err => { console.error(err); process.exit(1); });
