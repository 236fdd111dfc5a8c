/** Signing out in a real browser with an ID token that is too long for an address: with scripts, and without. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch } from './lib/chromium.mjs';
import { passSignIn, passcode } from './lib/people.mjs';
import { startStack } from './lib/stack.mjs';

// Characters of four bytes, and an address as long as they may be, which stands in the token twice.
const LONG = { email: `${'a'.repeat(60)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.example`, name: '🌱'.repeat(100), password: 'a-long-enough-passphrase' };

describe('a person with a long ID token', { timeout: 120_000 }, () => {
  let stack;
  let browser;
  before(async () => {
    [stack, browser] = await Promise.all([startStack(), launch()]);
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${stack.gateway}/auth/sign-up`);
    await page.locator('input[name=email]').fill(LONG.email);
    await page.getByRole('button', { name: 'Send code' }).click();
    await page.locator('input[name=code]').fill(await passcode(page, stack.idp, LONG.email));
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.locator('input[name=password]').fill(LONG.password);
    await page.locator('input[name=name]').fill(LONG.name);
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.waitForURL((url) => url.origin === stack.gateway);
    await page.context().close();
  });
  after(async () => {
    await browser?.close();
    await stack?.stop();
  });

  /** Signs in, and signs out by the form that the site itself has. */
  async function inAndOut(options) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const complaints = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    const posted = [];
    page.on('request', (request) => request.url().startsWith(`${stack.idp}/end_session`) && posted.push(request));
    await page.goto(`${stack.gateway}/auth/sign-in?return_to=%2Fauth%2Fsessions`);
    await passSignIn(page, LONG);
    await page.waitForURL(`${stack.gateway}/auth/sessions`);
    return { context, page, complaints, posted };
  }

  /** The provider was asked once, by a form, and has ended its session too. */
  async function mustBeSignedOut({ context, page, complaints, posted }) {
    await page.waitForURL((url) => url.pathname === '/auth/signed-out');
    assert.equal(posted[0].method(), 'POST');
    assert.ok(posted[0].postData().length > 2_048);
    assert.ok(posted[0].url().length < 200);
    assert.deepEqual(complaints, []);
    await page.goto(`${stack.gateway}/auth/sign-in`);
    await page.locator('input[name=email]:not([readonly])').waitFor();
    await context.close();
  }

  test('is taken to the provider by a form that posts itself', async () => {
    const visit = await inAndOut();
    await visit.page.goto(stack.gateway);
    await visit.page.evaluate(() => localStorage.setItem('left', 'behind'));
    await visit.page.getByRole('button', { name: 'Sign out' }).first().click();
    await visit.page.waitForURL((url) => url.pathname === '/auth/signed-out');
    assert.equal(await visit.page.evaluate(() => localStorage.getItem('left')), null, 'nothing is left in the browser');
    await mustBeSignedOut(visit);
  });

  test('presses a button where scripts are off', async () => {
    const visit = await inAndOut({ javaScriptEnabled: false });
    await visit.page.goto(stack.gateway);
    await visit.page.locator('form[action="/auth/sign-out"] button').first().dispatchEvent('click');
    await visit.page.getByRole('button', { name: 'Go on' }).click();
    await mustBeSignedOut(visit);
  });
});
