// Puts apps together around the bundles, of real pieces:
//
//   node apps.cjs OUT
//
// OUT holds rn/, hermes/, apk/, elf/ and macho/; it gets more in apk/, and ipa/.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const macho = require('./macho.cjs');
const plist = require('./plist.cjs');
const zip = require('./zip.cjs');

const out = path.resolve(process.argv[2]);
const file = name => fs.readFileSync(path.join(out, name));
const { entry } = zip;

function save(name, data) {
  fs.mkdirSync(path.dirname(path.join(out, name)), { recursive: true });
  fs.writeFileSync(path.join(out, name), data);
}

// signature has the shape of an APK Signing Block (source.android.com, "APK Signature
// Scheme v2"): a length, one pair of number and value, the length again, a magic. What
// it holds is no signature.
function signature() {
  const value = crypto.createHash('sha512').update('no signature').digest();
  const block = Buffer.alloc(8 + 8 + 4 + value.length + 8 + 16);
  const length = BigInt(block.length - 8);
  block.writeBigUInt64LE(length, 0);
  block.writeBigUInt64LE(BigInt(4 + value.length), 8);
  block.writeUInt32LE(0x7109871a, 16);
  value.copy(block, 20);
  block.writeBigUInt64LE(length, block.length - 24);
  block.write('APK Sig Block 42', block.length - 16);
  return block;
}

// split is the APK for one processor: a manifest and a library, which Android
// maps from where it is, so that it is stored.
function split(base, abi) {
  const manifest = zip.read(base).find(one => one.name === 'AndroidManifest.xml');
  return zip.write([manifest, entry(`lib/${abi}/libhermes.so`, file(`elf/libhermes-${abi}.so`), { stored: true })],
    { signature: signature() });
}

function android() {
  const settings = zip.read(file('apk/settings.apk'));
  const withBundle = bundle => zip.write([...settings,
    entry('assets/index.android.bundle', bundle),
    entry('assets/app.config', '{"api":"https://api.canada.ca/en/detail","slug":"example"}\n'),
  ], { signature: signature() });
  const base = withBundle(file('rn/index.android.bundle'));
  save('apk/rn.apk', base);
  save('apk/rn-hermes.apk', withBundle(file('hermes/v96.hbc')));

  const splits = { 'arm64-v8a': split(base, 'arm64-v8a'), 'x86_64': split(base, 'x86_64') };
  const icon = zip.content(settings.find(one => one.name.endsWith('ic_launcher.png')));
  const inner = (name, data) => entry(name, data, { stored: true });
  save('apk/rn.apks', zip.write([
    inner('toc.pb', Buffer.from('\x0a\x0bcom.example', 'latin1')),
    inner('splits/base-master.apk', base),
    inner('splits/base-arm64_v8a.apk', splits['arm64-v8a']),
    inner('splits/base-x86_64.apk', splits['x86_64']),
  ]));
  save('apk/rn.xapk', zip.write([
    entry('manifest.json', JSON.stringify({
      xapk_version: 2, package_name: 'com.example', name: 'Example', version_code: '1', version_name: '1.0.0',
      split_configs: ['config.arm64_v8a'],
      split_apks: [{ file: 'com.example.apk', id: 'base' }, { file: 'config.arm64_v8a.apk', id: 'config.arm64_v8a' }],
    })),
    inner('com.example.apk', base),
    inner('config.arm64_v8a.apk', splits['arm64-v8a']),
    inner('icon.png', icon),
  ]));
  save('apk/rn.apkm', zip.write([
    entry('info.json', JSON.stringify({ apk_title: 'Example', pname: 'com.example', versioncode: '1', release_version: '1.0.0' })),
    inner('base.apk', base),
    inner('split_config.arm64_v8a.apk', splits['arm64-v8a']),
    inner('icon.png', icon),
  ]));
}

const INFO = {
  CFBundleDisplayName: 'Exemple d\u2019\u00e9tat',
  CFBundleExecutable: 'Example',
  CFBundleIdentifier: 'com.example.app',
  CFBundleName: 'Example',
  CFBundlePackageType: 'APPL',
  CFBundleShortVersionString: '1.0.0',
  CFBundleVersion: '1',
  CFBundleURLTypes: [{ CFBundleURLName: 'com.example.app', CFBundleURLSchemes: ['example'] }],
  LSRequiresIPhoneOS: true,
  MinimumOSVersion: '13.4',
  UIDeviceFamily: [1, 2],
  FacebookAppID: '0000000000000000',
  NSAppTransportSecurity: {
    NSAllowsArbitraryLoads: false,
    NSAllowsLocalNetworking: true,
    NSExceptionDomains: {
      localhost: { NSExceptionAllowsInsecureHTTPLoads: true },
      'legacy.example.com': {
        NSExceptionAllowsInsecureHTTPLoads: true, NSIncludesSubdomains: true, NSExceptionMinimumTLSVersion: 'TLSv1.0',
      },
    },
  },
};

const XML = body => `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
${body}</plist>
`;

const PRIVACY = XML(`<dict>
	<key>NSPrivacyTracking</key>
	<true/>
	<key>NSPrivacyTrackingDomains</key>
	<array>
		<string>tracking.example.net</string>
	</array>
	<key>NSPrivacyCollectedDataTypes</key>
	<array>
		<dict>
			<key>NSPrivacyCollectedDataType</key>
			<string>NSPrivacyCollectedDataTypeDeviceID</string>
			<key>NSPrivacyCollectedDataTypeLinked</key>
			<false/>
			<key>NSPrivacyCollectedDataTypeTracking</key>
			<true/>
			<key>NSPrivacyCollectedDataTypePurposes</key>
			<array>
				<string>NSPrivacyCollectedDataTypePurposeAnalytics</string>
			</array>
		</dict>
	</array>
	<key>NSPrivacyAccessedAPITypes</key>
	<array/>
</dict>
`);

const FRAMEWORK = XML(`<dict>
	<key>CFBundleExecutable</key>
	<string>hermes</string>
	<key>CFBundleIdentifier</key>
	<string>dev.hermesengine.iphoneos</string>
	<key>CFBundlePackageType</key>
	<string>FMWK</string>
	<key>CFBundleShortVersionString</key>
	<string>0.11.0</string>
</dict>
`);

function ios() {
  const executable = file('macho/esbuild-arm64');
  const hermes = macho.slice(file('macho/hermesc-universal'));
  const app = (main, bundle) => ({
    'Info.plist': plist.binary(INFO),
    'PkgInfo': 'APPL????',
    'Example': main,
    'main.jsbundle': bundle,
    'PrivacyInfo.xcprivacy': PRIVACY,
    'en.lproj/InfoPlist.strings': plist.binary({ CFBundleDisplayName: 'Example' }),
    'Frameworks/hermes.framework/hermes': hermes,
    'Frameworks/hermes.framework/Info.plist': FRAMEWORK,
  });
  const ipa = files => zip.write([entry('Payload/', '', { stored: true }), entry('Payload/Example.app/', '', { stored: true }),
    ...Object.entries(files).map(([name, data]) => entry(`Payload/Example.app/${name}`, data))]);

  const plain = app(executable, file('rn/main.jsbundle'));
  for (const [name, data] of Object.entries(plain)) save(`ipa/Example.app/${name}`, data);
  save('ipa/Example.ipa', ipa(plain));
  save('macho/encrypted-arm64', macho.encrypted(executable));
  save('ipa/Encrypted.ipa', ipa(app(file('macho/encrypted-arm64'), file('rn/main.jsbundle'))));
  // The smaller program, since only the bundle differs.
  save('ipa/Hermes.ipa', ipa(app(hermes, file('hermes/v96.hbc'))));
}

android();
ios();
