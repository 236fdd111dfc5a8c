/**
 * Every page there is, on a phone and on a desk, by day and by night: axe finds nothing, nothing is wider than the
 * screen, and a picture is taken for people to look at.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { accessible } from './lib/axe.mjs';
import { ALICE, BOB, add, item, passcode, signIn } from './lib/people.mjs';
import { picture } from './lib/pictures.mjs';
import { startWatched } from './lib/stack.mjs';

const SCREENS = {
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true },
  desktop: { viewport: { width: 1280, height: 800 } },
};

describe('every page', { timeout: 300_000 }, () => {
  let all;
  let gateway;
  let idp;
  before(async () => {
    all = await startWatched();
    ({ gateway, idp } = all.stack);
  });
  after(() => all?.stop());

  test('axe finds what is wrong with a page that is wrong', async () => {
    const page = await all.browser.newPage();
    await page.goto(`${gateway}/auth/signed-out`);
    await accessible(page, 'as it is');
    await page.evaluate(() => document.querySelector('main').append(document.createElement('input')));
    await assert.rejects(accessible(page, 'with a field that has no label'), /label/);
    await page.close();
  });

  for (const [screen, options] of Object.entries(SCREENS)) {
    for (const colorScheme of ['light', 'dark']) {
      test(`${screen}, ${colorScheme}`, async () => {
        const context = await all.browser.newContext({ ...options, colorScheme });
        context.setDefaultTimeout(15_000);
        const page = await context.newPage();
        const look = async (name) => {
          await accessible(page, `${name}, ${screen}, ${colorScheme}`);
          const width = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
          assert.ok(width[0] <= width[1], `${name}, ${screen}: the page is ${width[0]} wide, the screen ${width[1]}`);
          await picture(page, `${name}-${screen}-${colorScheme}`);
        };
        await strangersPages(page, look);
        await providersPages(page, look);
        await personsPages(page, look);
        await context.close();
      });
    }
  }

  async function strangersPages(page, look) {
    for (const [name, path] of [
      ['welcome', '/'],
      ['gate', '/todos'],
      ['no-such-view', '/no/such/view'],
      ['gateway-no-such-page', '/auth/no-such-page'],
      ['gateway-bad-callback', '/auth/callback?code=x&state=y'],
      ['gateway-signed-out', '/auth/signed-out'],
      ['gateway-signed-out-alone', '/auth/signed-out?provider=unreachable'],
    ]) {
      await page.goto(gateway + path);
      await page.locator('main h1').first().waitFor();
      await look(name);
    }
  }

  async function providersPages(page, look) {
    const email = () => page.locator('input[name=email]:not([readonly])');
    await page.goto(idp);
    await look('provider-home');
    await page.goto(`${gateway}/auth/sign-in?return_to=%2Ftodos`);
    await look('provider-sign-in');
    await email().fill('not an address');
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('alert').waitFor();
    await look('provider-sign-in-error');

    await page.getByRole('link', { name: 'Create one' }).click();
    await look('provider-sign-up');
    const address = `someone-${Math.random().toString(36).slice(2)}@example.com`;
    await email().fill(address);
    await page.getByRole('button', { name: 'Send code' }).click();
    await page.locator('input[name=code]').waitFor();
    await look('provider-code');
    const code = await passcode(page, idp, address);
    await page.locator('input[name=code]').fill(code);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.locator('input[name=name]').waitFor();
    await look('provider-details');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('alert').waitFor();
    await look('provider-details-error');
    await page.goto(`${idp}/mailbox`);
    await look('provider-mailbox');

    await page.goto(`${gateway}/auth/sign-in?return_to=%2Ftodos`);
    await email().fill(ALICE.email);
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('link', { name: 'Forgot password?' }).click();
    await look('provider-reset');
    await page.goto(`${idp}/no-such-page`);
    await look('provider-no-such-page');

    await page.goto(`${gateway}/auth/sign-in?return_to=%2Ftodos`);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.waitForURL(`${gateway}/**`);
    await look('gateway-sign-in-cancelled');
  }

  async function personsPages(page, look) {
    // Somebody new each time, so that the list is empty; the provider's other questions show on the way.
    await page.goto(`${gateway}/auth/sign-up?return_to=%2Ftodos`);
    const address = `new-${Math.random().toString(36).slice(2)}@example.com`;
    await page.locator('input[name=email]').fill(address);
    await page.getByRole('button', { name: 'Send code' }).click();
    await page.locator('input[name=code]').waitFor();
    await page.locator('input[name=code]').fill(await passcode(page, idp, address));
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.locator('input[name=password]').fill('a-long-enough-passphrase');
    await page.locator('input[name=name]').fill('Maximiliane Featherstonehaugh-Llanfairpwllgwyngyll');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('heading', { name: 'Nothing to do' }).waitFor();
    await look('list-empty');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.locator('#new-item-error').waitFor();
    await look('list-empty-error');

    await add(page, 'Water the plants');
    await add(page, 'Book the train to York, the early one, because the later one is full of people going to the match and Priya gets seasick when standing');
    await add(page, 'https://example.com/an/address/without/any/place/to/break/it/which/phones/do/not/like/at/all/so/it/must/wrap?somewhere=anyway');
    await add(page, 'Bread, lemons, coffee');
    const ticked = page.waitForResponse((response) => response.request().method() === 'PATCH');
    await item(page, 'Water the plants').locator('.tick').click();
    await ticked;
    await page.getByText('3 to do, 1 done').waitFor();
    await look('list');
    await item(page, 'Bread').getByRole('button', { name: /^Edit/ }).click();
    await page.locator('.row .editor:visible input').waitFor();
    await look('list-editing');
    await page.keyboard.press('Escape');
    await item(page, 'Bread').getByRole('button', { name: /^Remove/ }).click();
    await page.getByRole('button', { name: 'Undo' }).waitFor();
    await look('list-removed');
    await page.getByRole('button', { name: 'Undo' }).click();

    // What the page says when the service behind it is away.
    await page.route('**/api/todolist?*', (route) => route.abort());
    await page.reload();
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    await look('list-not-loaded');
    await page.unroute('**/api/todolist?*');

    await page.goto(gateway);
    await page.getByRole('heading', { name: /^Hello/ }).waitFor();
    await page.locator('.preview li').first().waitFor();
    await look('hello');
    await page.goto(`${gateway}/account`);
    await page.getByRole('heading', { name: 'Your account' }).waitFor();
    await page.getByText('Only this one').waitFor();
    await look('account');
    await page.goto(`${gateway}/auth/sessions`);
    await look('gateway-sessions-one');

    const elsewhere = await all.browser.newContext({ userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1' });
    await signIn(await elsewhere.newPage(), gateway, { email: address, password: 'a-long-enough-passphrase' });
    await page.goto(`${gateway}/account`);
    await page.getByText('Safari on iPhone').waitFor();
    await look('account-sessions');
    await page.getByRole('button', { name: 'Sign out Safari on iPhone' }).click();
    await page.getByRole('dialog').waitFor();
    await look('account-sessions-question');
    await page.keyboard.press('Escape');
    await page.goto(`${gateway}/auth/sessions`);
    await look('gateway-sessions');
    await elsewhere.close();
    // What the page says when the list cannot be had.
    await page.route('**/auth/sessions*', (route) => route.abort());
    await page.goto(`${gateway}/account`);
    await page.getByRole('button', { name: 'Load the list again' }).waitFor();
    await look('account-sessions-not-loaded');
    await page.unroute('**/auth/sessions*');
    await page.goto(`${gateway}/api/todolist`);
    await look('gateway-api-opened-as-page');

    await page.goto(`${gateway}/auth/sign-in?return_to=%2Faccount&login_hint=${encodeURIComponent(BOB.email)}`);
    await look('provider-signed-in-already');
    await page.goto(`${idp}/end_session`);
    await look('provider-sign-out');
  }
});
