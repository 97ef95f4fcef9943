// Puts the parts of an Android app together:
//
//   node android.cjs apk LINKED.apk classes.dex OUT.apk    what aapt2 linked, with code
//   node android.cjs aab PROTO.apk OUT.aab                 an app bundle for Google's store,
//           from an APK whose resources and manifest are in the form of protocol buffers
//
// The places of a bundle's parts are those of Android's documentation ("The Android App
// Bundle format").
'use strict';

const fs = require('fs');

const zip = require('./zip.cjs');

const place = name => name === 'AndroidManifest.xml' ? `base/manifest/${name}`
  : name === 'resources.pb' || /^(res|assets|lib)\//.test(name) ? `base/${name}`
  : name.endsWith('.dex') ? `base/dex/${name}`
  : name.startsWith('META-INF/') ? undefined
  : ['base', 'root', name].join('/'); // what the app has in the root of its APK

const commands = {
  apk: (linked, dex, to) => save(to, [...entriesOf(linked), zip.entry('classes.dex', fs.readFileSync(dex))]),
  aab: (proto, to) => save(to, [
    // Field 1 is the tool, with its version in field 2.
    zip.entry('BundleConfig.pb', Buffer.from('\x0a\x08\x12\x061.15.6', 'latin1')),
    ...entriesOf(proto).map(one => ({ ...one, name: place(one.name) })).filter(one => one.name),
  ]),
};

const entriesOf = name => zip.read(fs.readFileSync(name));
const save = (name, entries) => fs.writeFileSync(name, zip.write(entries));

const [, , command, ...rest] = process.argv;
commands[command](...rest);
