// Playwright tests whose browser goes through `telltale record -- npx playwright test`.
// Run alone, without telltale, they are as they were. Take over what `use` holds.
import { defineConfig } from '@playwright/test';

const proxy = process.env.TELLTALE_PROXY; // set by telltale record

export default defineConfig({
  use: proxy && {
    // For the pages and for the `request` fixture: not for what Chromium does by itself
    // (updates, sign-in), which --no-proxy-server keeps out of the capture.
    proxy: { server: `http://${proxy}` },
    launchOptions: {
      args: [
        '--no-proxy-server',
        // The browser talks to telltale alone, and telltale verifies the servers. (Playwright's
        // ignoreHTTPSErrors is no substitute: it refuses each host once before it goes on,
        // and a refusal is a contact that could not be read.)
        '--ignore-certificate-errors',
      ],
    },
  },
});
