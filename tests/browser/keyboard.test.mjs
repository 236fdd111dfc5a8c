/** The whole path with nothing but keys: what can be reached, that focus can be seen, and that it is never lost. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ALICE, item } from './lib/people.mjs';
import { startWatched } from './lib/stack.mjs';

describe('with the keyboard alone', { timeout: 180_000 }, () => {
  let all;
  let page;
  let gateway;
  before(async () => {
    all = await startWatched();
    ({ gateway } = all.stack);
    const context = await all.browser.newContext();
    page = await context.newPage();
    // A mouse would be cheating.
    for (const cheat of ['click', 'dblclick', 'hover', 'tap', 'check', 'fill']) page[cheat] = () => assert.fail(`no ${cheat} here`);
  });
  after(() => all?.stop());

  const isFocused = (target) => target.evaluate((element) => element === document.activeElement).catch(() => false);

  /** How the focused element differs from itself without focus, as far as style tells: something must. */
  const focusShows = () => page.evaluate(() => {
    const look = (element) => {
      const { outlineStyle, outlineWidth, outlineColor, boxShadow, borderColor, backgroundColor, textDecoration } = getComputedStyle(element);
      return JSON.stringify([outlineStyle, outlineStyle === 'none' ? '' : outlineWidth + outlineColor, boxShadow, borderColor, backgroundColor, textDecoration]);
    };
    const element = document.activeElement;
    // A hidden checkbox may leave showing its focus to what is drawn in its place.
    const drawn = [element, element.nextElementSibling, element.closest('label')].filter(Boolean);
    const looks = () => drawn.map(look).join();
    const focused = looks();
    element.blur();
    const blurred = looks();
    element.focus({ focusVisible: true });
    return focused !== blurred;
  });

  /** Presses Tab until the target has the focus, as a person would. */
  async function tabTo(target, key = 'Tab') {
    for (let presses = 0; presses < 80; presses++) {
      if (await isFocused(target)) {
        assert.ok(await focusShows(), `focus can be seen on ${target}`);
        return;
      }
      await page.keyboard.press(key);
    }
    assert.fail(`80 times ${key} do not reach ${target}`);
  }

  const type = (text) => page.keyboard.type(text);
  const press = (key) => page.keyboard.press(key);
  const answered = (method) => page.waitForResponse((response) => response.request().method() === method && response.url().includes('/api/'));

  test('a person skips to the content and signs in', async () => {
    await page.goto(gateway);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await press('Tab');
    const skip = page.getByRole('link', { name: 'Skip to content' });
    assert.equal(await isFocused(skip), true, 'the first stop is the skip link');
    const box = await skip.boundingBox();
    assert.ok(box && box.x >= 0 && box.y >= 0, 'which shows itself then');
    await press('Enter');
    await tabTo(page.locator('main').getByRole('link', { name: 'Sign in' }));
    await press('Enter');

    await page.locator('input[name=email]').waitFor();
    await tabTo(page.locator('input[name=email]'));
    await type(ALICE.email);
    await press('Enter');
    await page.locator('input[name=password]').waitFor();
    await tabTo(page.locator('input[name=password]'));
    await type(ALICE.password);
    await press('Enter');
    await page.getByRole('heading', { name: `Hello, ${ALICE.name}` }).waitFor();
  });

  test('goes to the list, where the heading has the focus', async () => {
    await tabTo(page.getByRole('link', { name: 'Open your list' }));
    await press('Enter');
    const heading = page.getByRole('heading', { name: 'Your list' });
    await heading.waitFor();
    assert.equal(await isFocused(heading), true);
  });

  test('adds items one after the other', async () => {
    await tabTo(page.getByLabel('What needs doing?'));
    for (const text of ['First', 'Second', 'Third']) {
      await type(text);
      const saved = answered('POST');
      await press('Enter');
      assert.equal((await saved).status(), 201);
      await item(page, text).waitFor();
    }
    assert.equal(await isFocused(page.getByLabel('What needs doing?')), true, 'ready for the next');
  });

  test('ticks off with the space bar and moves between items with the arrows', async () => {
    const rows = page.locator('.row');
    await tabTo(rows.nth(0).getByRole('checkbox'));
    await press('ArrowDown');
    assert.equal(await isFocused(rows.nth(1).getByRole('checkbox')), true);
    const saved = answered('PATCH');
    await press('Space');
    assert.equal((await saved).status(), 200);
    await page.getByText('2 to do, 1 done').waitFor();
  });

  test('edits in place; Escape leaves everything as it was', async () => {
    const edit = page.getByRole('button', { name: 'Edit Second' });
    await tabTo(edit);
    await press('Enter');
    const field = page.locator('.row .editor:visible input');
    await field.waitFor();
    assert.equal(await isFocused(field), true);
    await press('End');
    await type(' thoughts');
    await press('Escape');
    assert.equal(await isFocused(edit), true, 'focus is back where it came from');
    await press('Enter');
    await press('End');
    await type(' try');
    const saved = answered('PATCH');
    await press('Enter');
    assert.equal((await saved).status(), 200);
    await item(page, 'Second try').waitFor();
  });

  test('removes, and takes it back with Ctrl+Z', async () => {
    await tabTo(page.getByRole('button', { name: 'Remove Third' }));
    await press('Enter');
    await item(page, 'Third').waitFor({ state: 'detached' });
    assert.notEqual(await page.evaluate(() => document.activeElement?.tagName), 'BODY', 'focus is not lost');
    await press('Control+z');
    await item(page, 'Third').waitFor();
    assert.equal(await isFocused(page.getByRole('button', { name: 'Remove Third' })), true);
  });

  test('signs out', async () => {
    await tabTo(page.getByRole('button', { name: 'Sign out' }).first(), 'Shift+Tab');
    await press('Enter');
    const heading = page.getByRole('heading', { name: 'You are signed out' });
    await heading.waitFor();
    await tabTo(page.getByRole('link', { name: 'Sign in again' }));
  });
});
