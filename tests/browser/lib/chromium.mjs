/** Chromium as Debian ships it, driven by playwright-core. Prints its version, because it is a moving target. */
import { execFileSync } from 'node:child_process';

import { chromium } from 'playwright-core';

import { scratch } from './processes.mjs';

const NAMES = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function executable() {
  for (const name of NAMES.filter(Boolean)) {
    try {
      return execFileSync('sh', ['-c', 'command -v -- "$1"', 'sh', name], { encoding: 'utf8' }).trim();
    } catch {
      // The next name, then.
    }
  }
  throw new Error('no Chromium here: tests/install browser installs it');
}

/**
 * @param {{rules?: Record<string, string>}} [options] `rules`: host:port → host:port that really serves it, unknown to
 * the pages
 */
export async function launch({ rules = {} } = {}) {
  const home = scratch('chromium'); // whatever it writes for itself, it writes there
  const args = [
    '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync',
  ];
  if (process.getuid?.() === 0) args.push('--no-sandbox');
  const mapped = Object.entries(rules).map(([from, to]) => `MAP ${from} ${to}`);
  if (mapped.length) args.push(`--host-resolver-rules=${mapped.join(',')}`);
  const browser = await chromium.launch({ executablePath: executable(), args, env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home } });
  console.log(`Chromium ${browser.version()}`);
  return browser;
}
