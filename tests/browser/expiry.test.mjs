/**
 * A session that ends by itself, in real time: the shortest idle time that the gateway allows is a minute. The page must
 * warn before, explain after, and lose nothing that was typed. All cases wait through the same minute.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { accessible } from './lib/axe.mjs';
import { ALICE, BOB, add, item, passSignIn, signIn } from './lib/people.mjs';
import { picture } from './lib/pictures.mjs';
import { startWatched } from './lib/stack.mjs';

const MINUTE = { timeout: 90_000 };

describe('a session that nobody uses', { timeout: 240_000 }, () => {
  let all;
  let gateway;
  let idle;
  let used;
  before(async () => {
    all = await startWatched(['--session-idle', '1m']);
    ({ gateway } = all.stack);
    // Both are signed in before the minute begins to count, so that one wait serves every case.
    const tab = async () => {
      const context = await all.browser.newContext({ viewport: { width: 1280, height: 800 } });
      return context.newPage();
    };
    [idle, used] = [await tab(), await tab()];
    await signIn(used, gateway, BOB);
    await signIn(idle, gateway, ALICE);
    await add(idle, 'Answer Priya');
  });
  after(() => all?.stop());

  const banner = (page) => page.locator('#expiry');

  test('warns in time, and stays when somebody says so', async () => {
    await idle.getByLabel('What needs doing?').fill('half a thought');
    await item(idle, 'Answer Priya').getByRole('button', { name: /^Edit/ }).click();
    await idle.locator('.row .editor:visible input').fill('Answer Priya before noon');

    await banner(used).getByText('You will be signed out').waitFor(MINUTE);
    await accessible(used, 'the warning');
    await picture(used, 'list-warning-desktop-light');
    await banner(used).getByRole('button', { name: 'Stay signed in' }).click();
    await banner(used).getByText('You stay signed in until').waitFor();
  });

  test('is over when the minute is, and the page says so without a click', async () => {
    const dialog = idle.getByRole('dialog');
    await dialog.getByText('Your session has ended').waitFor(MINUTE);
    await dialog.getByText('What you had typed is kept').waitFor();
    await accessible(idle, 'the end of a session');
    await picture(idle, 'session-ended-desktop-light');
    // Nothing of the list is left in the document, not even where only screen readers look.
    const left = await idle.getByText('Answer Priya').evaluateAll((elements) => elements.map(({ tagName, id }) => `${tagName} ${id}`));
    assert.deepEqual(left, []);
    const status = await idle.evaluate(async () => (await fetch('/api/todolist', { headers: { 'x-csrf': '1' } })).status);
    assert.equal(status, 401);
  });

  test('but not the one that was kept', async () => {
    const status = await used.evaluate(async () => (await fetch('/api/todolist', { headers: { 'x-csrf': '1' } })).status);
    assert.equal(status, 200);
    assert.equal(await used.getByRole('dialog').count(), 0);
  });

  test('gives back what was typed after signing in again', async () => {
    await idle.getByRole('dialog').getByRole('link', { name: 'Sign in again' }).click();
    // The provider may know the person still; then it asks for nothing.
    const typed = idle.getByLabel('What needs doing?');
    const asked = idle.locator('input[name=email]:not([readonly])');
    await typed.or(asked).first().waitFor();
    if (await asked.isVisible()) await passSignIn(idle, ALICE);
    await typed.waitFor();
    assert.equal(await typed.inputValue(), 'half a thought');
    const editor = idle.locator('.row .editor:visible input');
    await editor.waitFor();
    assert.equal(await editor.inputValue(), 'Answer Priya before noon');
  });
});
