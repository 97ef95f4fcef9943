// Puts an app bundle for Google's store together from an APK whose resources and manifest
// are in the form of protocol buffers:
//
//   node aab.cjs PROTO.apk OUT.aab
//
// The places of its parts are those of Android's documentation ("The Android App Bundle
// format").
'use strict';

const fs = require('fs');

const zip = require('./zip.cjs');

const place = name => name === 'AndroidManifest.xml' ? `base/manifest/${name}`
  : name === 'resources.pb' || /^(res|assets|lib)\//.test(name) ? `base/${name}`
  : name.endsWith('.dex') ? `base/dex/${name}`
  : name.startsWith('META-INF/') ? undefined
  : `base/root/${name}`;

const [, , from, to] = process.argv;
// BundleConfig: field 1, the tool with its version in field 2.
const entries = [zip.entry('BundleConfig.pb', Buffer.from('\x0a\x08\x12\x061.15.6', 'latin1'))];
for (const one of zip.read(fs.readFileSync(from))) {
  const name = place(one.name);
  if (name) entries.push({ ...one, name });
}
fs.writeFileSync(to, zip.write(entries));
