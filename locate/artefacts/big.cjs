// Puts an APK of 100 MB together of real pieces, in the proportions of a real one: code
// for Dalvik, native libraries, scripts, resources, and media, which compress no more.
//
//   node big.cjs PROJECT OUT
//
// PROJECT holds node_modules, OUT the pieces; OUT/big/big.apk is made. The addresses of
// the React Native app are in assets/index.android.bundle alone.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const zip = require('./zip.cjs');

const SIZE = 100e6, MEDIA = 2e6;
const [project, out] = process.argv.slice(2).map(name => path.resolve(name));
const file = name => fs.readFileSync(path.join(out, name));

// pieces lists all but the media.
function pieces() {
  const apks = ['settings', 'uiautomator2-server', 'api-demos', 'selendroid-test-app', 'contact-manager']
    .map(name => ({ name, entries: zip.read(file(`apk/${name}.apk`)) }));
  const entries = apks[0].entries.filter(one => !/\.dex$/.test(one.name));
  let dex = 0;
  for (const { name, entries: theirs } of apks) {
    for (const one of theirs) {
      if (/^classes\d*\.dex$/.test(one.name)) entries.push({ ...one, name: `classes${++dex === 1 ? '' : dex}.dex` });
      else if (/^(res|assets|com|org)\//.test(one.name) && name !== 'settings') entries.push({ ...one, name: `assets/${name}/${one.name}` });
    }
  }
  const aars = path.join(project, 'node_modules/jsc-android/dist/org/webkit/android-jsc-intl');
  const aar = fs.readdirSync(aars, { recursive: true }).find(name => name.endsWith('.aar'));
  const natives = [...zip.read(fs.readFileSync(path.join(aars, aar))), ...zip.read(file('elf/hermes-release.aar'))];
  for (const one of natives) {
    const native = /^jni\/(.*\.so)$/.exec(one.name);
    if (native) entries.push(zip.entry(`lib/${native[1]}`, zip.content(one), { stored: true }));
  }
  entries.push(zip.entry('assets/index.android.bundle', file('rn/index.android.bundle')));
  for (const version of [84, 94, 96, 98, 99]) {
    entries.push(zip.entry(`assets/strings-v${version}.hbc`, file(`hermes/strings-v${version}.hbc`)));
  }
  return entries;
}

// media is noise behind the first bytes of a film.
function media(number, length) {
  const cipher = crypto.createCipheriv('aes-128-ctr', Buffer.alloc(16, `film ${number}`), Buffer.alloc(16));
  const data = cipher.update(Buffer.alloc(length));
  data.write('\0\0\0\x18ftypmp42', 'latin1');
  return data;
}

const entries = pieces();
let left = SIZE - entries.reduce((sum, one) => sum + one.packed.length + 2 * one.name.length + 76, 0);
for (let i = 0; left > 0; i++, left -= MEDIA) {
  entries.push(zip.entry(`assets/media/${i}.mp4`, media(i, Math.min(left, MEDIA)), { stored: true }));
}
fs.mkdirSync(path.join(out, 'big'), { recursive: true });
fs.writeFileSync(path.join(out, 'big/big.apk'), zip.write(entries));
