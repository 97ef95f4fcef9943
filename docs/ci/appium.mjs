// A browser under Appium's Chromium driver, behind telltale:
//
//   import { audited } from './appium.mjs';
//   export const config = { capabilities: [audited({ platformName: 'linux', browserName: 'chrome' })] };
//
//   telltale record --policy telltale.yaml -- env NO_PROXY=localhost,127.0.0.1 npx wdio run wdio.conf.js
//
// NO_PROXY is for the test itself, which talks to the Appium server on this machine.
// Run alone, without telltale, capabilities are as they were. An app on a device needs
// none of this: android.sh and ios-simulator.sh connect the whole device.
const proxy = process.env.TELLTALE_PROXY; // set by telltale record

export function audited(capabilities) {
  if (!proxy) return capabilities;
  const options = capabilities['goog:chromeOptions'] ?? {};
  return {
    ...capabilities,
    proxy: { proxyType: 'manual', httpProxy: proxy, sslProxy: proxy },
    // The browser takes telltale's certificates; telltale verifies those of the servers.
    'goog:chromeOptions': { ...options, args: [...(options.args ?? []), '--ignore-certificate-errors'] },
  };
}
