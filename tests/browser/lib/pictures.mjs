/** Pictures of what the tests see, for people to look at: tests/browser/screenshots, not kept in git. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT } from './processes.mjs';

const FOLDER = join(ROOT, 'tests/browser/screenshots');
mkdirSync(FOLDER, { recursive: true });

/**
 * The top of the page as it stands on the screen and, where there is more, its end.
 * @param {import('playwright-core').Page} page @param {string} name
 */
export async function picture(page, name) {
  const shoot = (suffix) => page.screenshot({ path: join(FOLDER, `${name}${suffix}.png`), animations: 'disabled' });
  const hidden = await page.evaluate(() => {
    scrollTo({ top: 0, behavior: 'instant' });
    return document.documentElement.scrollHeight - innerHeight;
  });
  await shoot('');
  if (hidden < 40) return;
  await page.evaluate(() => scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' }));
  await shoot('-end');
  await page.evaluate(() => scrollTo({ top: 0, behavior: 'instant' }));
}
