/**
 * The same path at the provider's other face, the one that looks like an Entra External ID tenant: its issuer has another
 * host than its metadata, each API's token is got with the refresh token, and nothing can be revoked.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { BOB, add, item, signIn } from './lib/people.mjs';
import { tokensIn } from './lib/secrets.mjs';
import { startWatched } from './lib/stack.mjs';

describe('at a provider like Entra External ID', { timeout: 120_000 }, () => {
  let all;
  let page;
  before(async () => {
    all = await startWatched(['--entra']);
    page = await (await all.browser.newContext()).newPage();
  });
  after(() => all?.stop());

  test('a person signs in and reads and changes the list', async () => {
    await signIn(page, all.stack.gateway, BOB);
    await page.getByRole('heading', { name: 'Nothing to do' }).waitFor();
    await add(page, 'Ring the plumber');
    await page.reload();
    await item(page, 'Ring the plumber').waitFor();
  });

  test('sees the claims of that tenant and the tokens by name', async () => {
    await page.getByRole('link', { name: 'Account' }).click();
    await page.locator('.claims').getByText('7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0').waitFor();
    assert.deepEqual(await page.locator('.token .badge').allTextContents(), ['Held', 'Held']);
  });

  test('signs out here and there', async () => {
    await page.getByRole('button', { name: 'Sign out of this browser' }).click();
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
    await page.goto(`${all.stack.gateway}/auth/sign-in?return_to=%2Ftodos`);
    await page.locator('input[name=email]').waitFor();
    assert.match(page.url(), /^http:\/\/localhost:\d+\//);
  });

  test('and no token ever crossed the wire to the browser', () => {
    for (const [part, tap] of Object.entries(all.taps)) assert.deepEqual(tokensIn(tap.heard), [], part);
    assert.match(all.taps.idp.heard, /\/oauth2\/v2\.0\/authorize/, 'the tap heard the other face');
  });
});
