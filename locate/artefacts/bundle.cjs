// Bundles the example app as React Native's own command does, in each of the ways in
// which apps are shipped:
//
//   node bundle.cjs PROJECT OUT
//
// PROJECT holds the app and node_modules; OUT gets rn/, rn-fixed/ and rn-own/. Each
// bundle comes of a server of its own, so that module numbers do not depend on what
// was bundled before.
'use strict';

const fs = require('fs');
const path = require('path');

const project = path.resolve(process.argv[2]);
const out = path.resolve(process.argv[3]);
const need = name => require(require.resolve(name, { paths: [project] }));

const plain = { platform: 'ios', entry: 'index.js', dev: false, minify: true };
const bundles = [
  { ...plain, to: 'rn/main.jsbundle', map: 'rn/main.jsbundle.map' },
  { ...plain, to: 'rn/main.jsbundle.dev.js', map: 'rn/main.jsbundle.dev.js.map', dev: true, minify: false, linked: true },
  { ...plain, to: 'rn/index.android.bundle', map: 'rn/index.android.bundle.map', platform: 'android' },
  { ...plain, to: 'rn-fixed/main.jsbundle', map: 'rn-fixed/main.jsbundle.map', entry: 'index.fixed.js' },
  { ...plain, to: 'rn-own/main.jsbundle', map: 'rn-own/main.jsbundle.map', entry: 'index.own.js' },
  // What Hermes is given to compile: it makes names short itself.
  { ...plain, to: 'rn/main.hermes.js', map: 'rn/main.hermes.js.map', minify: false, profile: 'hermes-stable' },
  // Modules apart, behind a table of where each is.
  { ...plain, to: 'rn/main.ram.jsbundle', ram: true },
];

async function bundle(config, { to, map, ram, entry, platform, dev, minify, profile, linked }) {
  process.env.NODE_ENV = dev ? 'development' : 'production';
  const output = need(ram ? 'metro/src/shared/output/RamBundle' : 'metro/src/shared/output/bundle');
  const server = new (need('metro/src/Server'))(config, { watch: false });
  try {
    const made = await output.build(server, {
      entryFile: entry, platform, dev, minify, unstable_transformProfile: profile,
      sourceMapUrl: linked ? path.basename(map) : undefined,
    });
    fs.mkdirSync(path.dirname(path.join(out, to)), { recursive: true });
    await output.save(made, {
      bundleOutput: path.join(out, to),
      sourcemapOutput: map && path.join(out, map),
      sourcemapSourcesRoot: project,
      indexedRamBundle: true,
      platform, dev,
    }, () => {});
  } finally {
    await server.end();
  }
}

async function main() {
  process.chdir(project);
  const { getDefaultConfig, mergeConfig } = need('@react-native/metro-config');
  const { FileStore } = need('metro-cache');
  const { resolveConfig, getDefaultConfig: getMetroConfig } = need('metro-config');
  const base = await getMetroConfig(project);
  const config = mergeConfig(mergeConfig(base, getDefaultConfig(project)), {
    projectRoot: project,
    watchFolders: [project],
    cacheStores: [new FileStore({ root: path.join(project, '.metro') })],
    fileMapCacheDirectory: project,
    maxWorkers: 2,
    reporter: { update: event => { if (event.error) console.error(event.error); } },
    resolver: { platforms: ['ios', 'android', 'native'], useWatchman: false },
  });
  for (const one of bundles) {
    const began = Date.now();
    await bundle(config, one);
    if (process.env.VERBOSE) console.log(one.to, Date.now() - began, 'ms');
  }
}

main().catch(err => { console.error(err); process.exit(1); });
