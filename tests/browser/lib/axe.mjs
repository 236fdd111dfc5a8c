/** Accessibility, as far as a program can judge it: axe-core with every rule on. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Fails with every violation, each with its place in the page. @param {import('playwright-core').Page} page @param {string} what */
export async function accessible(page, what) {
  // A row that is still fading in has the colours of no design; what stays is judged.
  await page.evaluate(async () => {
    const ending = document.getAnimations().filter(({ effect }) => Number.isFinite(effect?.getComputedTiming().endTime));
    await Promise.allSettled(ending.map(({ finished }) => finished));
  });
  // The debugger's way in: the page's own policy refuses scripts from anywhere else, as it should.
  await page.evaluate(source);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const lines = violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}\n    ${node.target.join(' ')}\n    ${node.failureSummary}`));
  assert.deepEqual(lines, [], `${what} is not accessible:\n${lines.join('\n')}`);
}
