/** A person's own sessions, in two browsers at once: each sees the other, one ends the other, and the other notices. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ALICE, BOB, item, signIn } from './lib/people.mjs';
import { launch } from './lib/chromium.mjs';
import { startStack } from './lib/stack.mjs';

const PHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';
const DESK = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

describe('a person who is signed in more than once', { timeout: 180_000 }, () => {
  let stack;
  let browser;
  let gateway;
  before(async () => {
    stack = await startStack();
    browser = await launch();
    ({ gateway } = stack);
  });
  after(async () => {
    await browser?.close();
    await stack?.stop();
  });

  /** A browser that nobody used before, in which somebody signs in. */
  async function signedIn(person, { path = '/account', ...options } = {}) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    await signIn(page, gateway, person, path);
    return page;
  }

  /** The same, with nothing left of what tests before signed in. */
  async function signedInAlone() {
    const page = await signedIn(ALICE, { userAgent: DESK });
    const ended = await page.request.post(`${gateway}/auth/sessions`, { data: { end: 'others' }, headers: { origin: gateway } });
    assert.equal(ended.status(), 200);
    await page.reload();
    await said(page, 'Only this one');
    return page;
  }

  const places = (page) => page.getByRole('list', { name: 'Your sessions' }).getByRole('listitem');
  const said = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor();
  const everywhereElse = (page) => page.getByRole('button', { name: 'Sign out everywhere else' });

  test('sees every browser, ends one of them, and that one shows it with its next call', async () => {
    const here = await signedInAlone();
    assert.equal(await places(here).count(), 1);
    assert.equal(await everywhereElse(here).count(), 0);
    const there = await signedIn(ALICE, { userAgent: PHONE, path: '/todos' });
    const stranger = await signedIn(BOB);

    await here.reload();
    await here.getByText('Safari on iPhone').waitFor();
    assert.equal(await places(here).count(), 2);
    const own = places(here).filter({ hasText: 'This browser' });
    assert.match(await own.innerText(), /Firefox on Linux[\s\S]*127\.0\.0\.1[\s\S]*Signed in just now[\s\S]*Last used just now/);
    assert.equal(await own.getByRole('button').count(), 0, 'leaving is what signing out is for');
    for (const time of await places(here).locator('time').all()) {
      assert.ok(Math.abs(Date.parse(await time.getAttribute('datetime')) - Date.now()) < 60_000);
    }
    assert.equal(await places(stranger).count(), 1, 'somebody else sees nothing of it');

    const end = here.getByRole('button', { name: /^Sign out Safari on iPhone at 127\.0\.0\.1/ });
    for (const no of [() => here.keyboard.press('Escape'), () => here.getByRole('button', { name: 'Cancel' }).click()]) {
      await end.click();
      await here.getByRole('dialog', { name: 'Sign out Safari on iPhone?' }).waitFor();
      await no();
      await here.getByRole('dialog').waitFor({ state: 'hidden' });
    }
    assert.equal(await places(here).count(), 2, 'no is no');
    await end.click();
    await here.getByRole('button', { name: 'Sign it out' }).click();
    await said(here, 'Safari on iPhone is signed out.');
    await said(here, 'Only this one');
    assert.equal(await places(here).count(), 1);

    await there.getByLabel('What needs doing?').fill('Feed the cat');
    await there.keyboard.press('Enter');
    await there.getByRole('dialog').getByText('You have been signed out').waitFor();
    assert.equal(await item(there, 'Feed the cat').count(), 0);
    assert.equal((await stranger.request.get(`${gateway}/api/todolist`, { headers: { 'x-csrf': '1' } })).status(), 200);
    await Promise.all([here, there, stranger].map((page) => page.context().close()));
  });

  test('signs out everywhere else, and a tab that was only looked at notices too', async () => {
    const here = await signedInAlone();
    const others = [await signedIn(ALICE), await signedIn(ALICE, { path: '/todos' })];
    await here.reload();
    await places(here).nth(2).waitFor();
    await everywhereElse(here).click();
    await here.getByRole('dialog', { name: 'Sign out everywhere else?' }).waitFor();
    await here.getByRole('button', { name: 'Sign them out' }).click();
    await said(here, '2 other sessions signed out.');
    await said(here, 'Only this one');
    for (const other of others) {
      await other.evaluate(() => dispatchEvent(new Event('focus'))); // what a person's click on the tab would raise
      await other.getByRole('dialog').getByText('You have been signed out').waitFor();
    }
    await here.getByRole('link', { name: 'Your list' }).click();
    await here.getByRole('heading', { name: 'Your list' }).waitFor();
    await Promise.all([here, ...others].map((page) => page.context().close()));
  });

  test('does it with the keyboard alone, and focus is never lost', async () => {
    const here = await signedInAlone();
    const there = await signedIn(ALICE, { userAgent: PHONE });
    await here.reload();
    await here.getByText('Safari on iPhone').waitFor();
    const focused = () => here.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim());
    const tabTo = async (words) => {
      for (let presses = 0; presses < 40; presses++) {
        if (words.test(await focused())) return;
        await here.keyboard.press('Tab');
      }
      assert.fail(`40 times Tab do not reach ${words}`);
    };
    await tabTo(/^Sign out Safari on iPhone/);
    await here.keyboard.press('Enter');
    await here.getByRole('dialog').waitFor();
    assert.equal(await focused(), 'Cancel', 'what cannot be taken back is not one key away');
    await here.keyboard.press('Escape');
    assert.match(await focused(), /^Sign out Safari on iPhone/, 'focus returns to where it was');
    // The list is drawn anew meanwhile; focus stays on the same line.
    const loaded = here.waitForResponse((response) => response.url().includes('/auth/sessions'));
    await here.evaluate(() => dispatchEvent(new Event('focus')));
    await loaded;
    assert.match(await focused(), /^Sign out Safari on iPhone/);
    await here.keyboard.press('Enter');
    await tabTo(/^Sign it out$/);
    await here.keyboard.press('Enter');
    await said(here, 'Safari on iPhone is signed out.');
    await said(here, 'Only this one');
    await here.waitForFunction(() => document.activeElement?.id === 'places-title');
    await Promise.all([here, there].map((page) => page.context().close()));
  });

  test('is told when the list cannot be had or nothing was ended, and can try again', async () => {
    const here = await signedInAlone();
    const there = await signedIn(ALICE, { userAgent: PHONE });
    await here.route('**/auth/sessions*', (route) => route.abort());
    await here.reload();
    await said(here, 'The list of your sessions could not be loaded. The server cannot be reached.');
    await here.unroute('**/auth/sessions*');
    await here.getByRole('button', { name: 'Load the list again' }).click();
    await here.getByText('Safari on iPhone').waitFor();
    await here.route('**/auth/sessions', (route) => route.fulfill({ status: 503, headers: { 'retry-after': '1' }, body: '{}' }));
    await everywhereElse(here).click();
    await here.getByRole('button', { name: 'Sign them out' }).click();
    await said(here, 'Nothing was signed out. The service is busy or restarting.');
    await here.unroute('**/auth/sessions');
    // Somebody was faster: what was wanted is so.
    await there.getByRole('button', { name: 'Sign out of this browser' }).click();
    await there.getByRole('heading', { name: 'You are signed out' }).waitFor();
    await here.getByRole('button', { name: /^Sign out Safari on iPhone/ }).click();
    await here.getByRole('button', { name: 'Sign it out' }).click();
    await said(here, 'That session had ended already.');
    await said(here, 'Only this one');
    await Promise.all([here, there].map((page) => page.context().close()));
  });

  test('does it with scripts switched off', async () => {
    await (await signedInAlone()).context().close();
    const there = await signedIn(ALICE, { userAgent: PHONE });
    const context = await browser.newContext({ javaScriptEnabled: false, userAgent: DESK });
    const here = await context.newPage();
    await here.goto(`${gateway}/auth/sessions`);
    await here.locator('input[name=email]').fill(ALICE.email);
    await here.getByRole('button', { name: 'Next' }).click();
    await here.locator('input[name=password]').fill(ALICE.password);
    await here.getByRole('button', { name: 'Sign in', exact: true }).click();
    await here.getByRole('heading', { name: 'Your sessions' }).waitFor();
    assert.equal(here.url(), `${gateway}/auth/sessions`);
    await here.getByRole('button', { name: /^Sign out Safari on iPhone, last used/ }).click();
    await here.getByRole('button', { name: /^Sign out Safari on iPhone/ }).waitFor({ state: 'detached' });
    await here.getByRole('button', { name: 'Sign out everywhere else' }).click();
    await here.getByText('you are signed in nowhere else').waitFor();
    await there.evaluate(() => dispatchEvent(new Event('focus')));
    await there.getByRole('dialog').getByText('You have been signed out').waitFor();
    await Promise.all([here, there].map((page) => page.context().close()));
  });
});
