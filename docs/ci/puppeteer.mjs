// Puppeteer through `telltale record -- node YOUR-TEST.mjs`:
//
//   import { launch, newPage } from './puppeteer.mjs';
//   const browser = await launch(puppeteer);
//   const page = await newPage(browser);
//
// Run alone, without telltale, both do what Puppeteer does.
const proxy = process.env.TELLTALE_PROXY; // set by telltale record

// What Chromium does by itself (updates, sign-in) stays out of the capture, and the
// browser takes telltale's certificates: telltale verifies those of the servers.
const args = proxy ? ['--no-proxy-server', '--ignore-certificate-errors'] : [];

export function launch(puppeteer, options = {}) {
  return puppeteer.launch({ ...options, args: [...(options.args ?? []), ...args] });
}

export async function newPage(browser) {
  if (!proxy) return browser.newPage();
  const context = await browser.createBrowserContext({ proxyServer: `http://${proxy}` });
  return context.newPage();
}
