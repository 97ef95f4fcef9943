// A Playwright `test` that leaves one HAR a test, bodies included, for `telltale check`:
//
//   import { test, expect } from './playwright-har.mjs';
//
// HARs are written to TELLTALE_HARS, without it to captures/. The browser writes them
// itself, so nothing of it has to be configured; what it leaves out is in docs/ci.md.
import { test as base } from '@playwright/test';
import path from 'node:path';

export const test = base.extend({
  contextOptions: async ({ contextOptions }, use, testInfo) => {
    const folder = process.env.TELLTALE_HARS || 'captures';
    const name = `${testInfo.project.name || 'test'}-${testInfo.testId}-${testInfo.retry}.har.zip`;
    await use({
      ...contextOptions,
      serviceWorkers: 'block', // a HAR does not have what a service worker fetches
      recordHar: { path: path.join(folder, name), mode: 'full', content: 'attach' },
    });
  },
});
export { expect } from '@playwright/test';
