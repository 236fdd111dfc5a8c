/** Pictures of what the tests see, for people to look at: tests/browser/screenshots, not kept in git. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT } from './processes.mjs';

const FOLDER = join(ROOT, 'tests/browser/screenshots');
mkdirSync(FOLDER, { recursive: true });

/** @param {import('playwright-core').Page} page @param {string} name */
export async function picture(page, name, { fullPage = false } = {}) {
  await page.screenshot({ path: join(FOLDER, `${name}.png`), fullPage, animations: 'disabled' });
}
