/** A person's whole path through the demo in a real browser, and what the wire and the browser held meanwhile. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ALICE, BOB, add, item, passSignIn, passcode, signIn } from './lib/people.mjs';
import { eventually } from './lib/processes.mjs';
import { tokensIn } from './lib/secrets.mjs';
import { startWatched } from './lib/stack.mjs';

describe('a person', { timeout: 180_000 }, () => {
  let all;
  let gateway;
  let idp;
  before(async () => {
    all = await startWatched();
    ({ gateway, idp } = all.stack);
  });
  after(() => all?.stop());

  /** A browser that nobody used before. */
  async function fresh() {
    const context = await all.browser.newContext();
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    const complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    // A refused policy or a broken script shows here; an API that answers 401 after a sign-out is no complaint.
    page.on('console', (message) => message.type() === 'error' && !/status of 4\d\d/.test(message.text()) && complaints.push(message.text()));
    return { context, page, complaints };
  }

  /** What a script of the site gets from an address, with the browser's own cookies. */
  const fetched = (page, path, init = {}) => page.evaluate(async ([path, init]) => {
    const answer = await fetch(path, init);
    return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
  }, [path, { headers: { 'x-csrf': '1' }, ...init }]);

  test('creates an account with a passcode from the mailbox and is signed in with it', async () => {
    const { context, page, complaints } = await fresh();
    const person = { email: 'carol@example.com', name: 'Carol Cook', password: 'a-long-enough-passphrase' };
    await page.goto(gateway);
    await page.getByRole('link', { name: 'Create an account' }).click();
    await page.locator('input[name=email]').fill(person.email);
    await page.getByRole('button', { name: 'Send code' }).click();
    const code = await passcode(page, idp, person.email);

    await page.locator('input[name=code]').fill(code === '00000000' ? '00000001' : '00000000');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('alert').waitFor();
    await page.locator('input[name=code]').fill(code);
    await page.getByRole('button', { name: 'Continue' }).click();

    await page.locator('input[name=password]').fill(person.password);
    await page.locator('input[name=name]').fill(person.name);
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('heading', { name: `Hello, ${person.name}` }).waitFor();
    assert.equal(new URL(page.url()).origin, gateway);
    assert.doesNotMatch(page.url(), /code=|state=/);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test('works on the list: adds, edits in place, ticks off, removes and takes it back', async () => {
    const { context, page, complaints } = await fresh();
    await signIn(page, gateway, ALICE);
    await page.getByRole('heading', { name: 'Nothing to do' }).waitFor();
    for (const text of ['Water the plants', 'Book the train', 'Answer Priya']) await add(page, text);
    await page.getByText('3 to do, 0 done').waitFor();

    await item(page, 'Book the train').getByRole('button', { name: /^Edit/ }).click();
    const saved = page.waitForResponse((response) => response.request().method() === 'PATCH');
    await page.locator('.row .editor:visible input').fill('Book the train to York');
    await page.keyboard.press('Enter');
    assert.equal((await saved).status(), 200);
    await item(page, 'Book the train to York').waitFor();

    const ticked = page.waitForResponse((response) => response.request().method() === 'PATCH');
    await item(page, 'Water the plants').getByRole('checkbox').check();
    assert.equal((await ticked).status(), 200);
    await page.getByText('2 to do, 1 done').waitFor();

    await item(page, 'Answer Priya').getByRole('button', { name: /^Remove/ }).click();
    await item(page, 'Answer Priya').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Undo' }).click();
    await item(page, 'Answer Priya').waitFor();

    // What is removed and not taken back is gone for good once the page is left, even before the notice ends.
    await item(page, 'Answer Priya').getByRole('button', { name: /^Remove/ }).click();
    await page.goto(`${gateway}/auth/signed-out`);
    const left = async () => (await (await context.request.get(`${gateway}/api/todolist`, { headers: { 'x-csrf': '1' } })).json()).items;
    await eventually(async () => (await left()).length === 2, { what: 'the removal of the item' });
    await page.goto(`${gateway}/todos`);
    await item(page, 'Book the train to York').waitFor();
    assert.equal(await page.locator('.row').count(), 2);
    assert.equal(await item(page, 'Water the plants').getByRole('checkbox').isChecked(), true);

    const other = await context.newPage();
    await other.goto(`${gateway}/todos`);
    await item(other, 'Book the train to York').waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test('sees nothing of what belongs to somebody else', async () => {
    const { context, page } = await fresh();
    await signIn(page, gateway, BOB);
    await page.getByRole('heading', { name: 'Nothing to do' }).waitFor();
    await context.close();
  });

  test('comes back to a deep link, query and all', async () => {
    const { context, page } = await fresh();
    await page.goto(`${gateway}/todos?from=mail&note=a%20b%26c`);
    await page.getByRole('heading', { name: 'Sign in to see your list' }).waitFor();
    await page.locator('main').getByRole('link', { name: 'Sign in' }).click();
    await passSignIn(page, ALICE);
    await page.getByRole('heading', { name: 'Your list' }).waitFor();
    assert.equal(page.url(), `${gateway}/todos?from=mail&note=a%20b%26c`);
    await context.close();
  });

  test('signs in in five tabs at once, finished in reverse, each to its own place', async () => {
    const { context, page } = await fresh();
    const tabs = [page];
    while (tabs.length < 5) tabs.push(await context.newPage());
    for (const [number, tab] of tabs.entries()) {
      await tab.goto(`${gateway}/auth/sign-in?return_to=${encodeURIComponent(`/todos?tab=${number}`)}`);
      await tab.locator('input[name=email]').waitFor();
    }
    for (const [number, tab] of [...tabs.entries()].reverse()) {
      await tab.bringToFront(); // Chromium draws tabs in the background once a second only
      await passSignIn(tab, ALICE);
      await tab.getByRole('heading', { name: 'Your list' }).waitFor();
      assert.equal(tab.url(), `${gateway}/todos?tab=${number}`);
    }
    await context.close();
  });

  test('signs out everywhere: the old cookie is dead, the other tab notices, the provider asks for the password', async () => {
    const { context, page, complaints } = await fresh();
    await signIn(page, gateway, ALICE);
    await item(page, 'Water the plants').waitFor();
    const other = await context.newPage();
    await other.goto(`${gateway}/todos`);
    await item(other, 'Water the plants').waitFor();

    const cookies = (await context.cookies(gateway)).filter(({ httpOnly }) => httpOnly);
    assert.ok(cookies.length >= 1, 'there is a session cookie');
    const old = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const withOld = async () => (await fetch(`${gateway}/api/todolist`, { headers: { cookie: old, 'x-csrf': '1' } })).status;
    assert.equal(await withOld(), 200);

    await page.bringToFront();
    await page.getByRole('button', { name: 'Sign out' }).first().click();
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
    assert.equal(new URL(page.url()).pathname, '/auth/signed-out');
    assert.equal(await withOld(), 401);
    const now = await context.cookies(gateway);
    for (const { name } of cookies) assert.ok(!now.some((cookie) => cookie.name === name), `${name} is gone`);

    await other.bringToFront();
    await other.evaluate(() => dispatchEvent(new Event('focus'))); // what a person's click on the tab would raise
    await other.getByRole('dialog').getByText('You have been signed out').waitFor();
    assert.equal(await other.getByText('Water the plants').count(), 0);

    await page.goto(`${gateway}/auth/sign-in?return_to=%2Ftodos`);
    await page.locator('input[name=email]').waitFor();
    assert.equal(new URL(page.url()).origin, idp);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test('who goes back after signing out sees nothing private', async () => {
    const { context, page } = await fresh();
    await signIn(page, gateway, ALICE);
    await item(page, 'Water the plants').waitFor();
    await page.getByRole('link', { name: 'Account' }).click();
    await page.getByRole('heading', { name: 'Your account' }).waitFor();
    await page.getByText(ALICE.email).first().waitFor();
    await page.getByRole('button', { name: 'Sign out of this browser' }).click();
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
    for (let steps = 0; steps < 4; steps++) {
      const answer = await page.goBack().catch(() => null);
      if (!page.url().startsWith(gateway)) continue;
      if (answer === null && page.url() === 'about:blank') break;
      await page.locator('main h1').first().waitFor();
      for (const secret of ['Water the plants', 'Book the train', ALICE.email, ALICE.name]) {
        assert.equal(await page.getByText(secret).filter({ visible: true }).count(), 0, `${secret} at ${page.url()}`);
      }
    }
    await context.close();
  });

  test('signs in and out with scripts switched off', async () => {
    const context = await all.browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(gateway);
    await page.getByRole('link', { name: 'Sign in' }).first().click();
    await passSignIn(page, ALICE);
    await page.waitForURL(`${gateway}/todos`);
    const session = async () => (await (await context.request.get(`${gateway}/auth/session`)).json()).signed_in;
    assert.equal(await session(), true);
    await page.locator('main').getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
    assert.equal(await session(), false);
    await context.close();
  });

  test('nothing that scripts can reach holds a token, and the cookie is out of their reach', async () => {
    const { context, page } = await fresh();
    await signIn(page, gateway, ALICE);
    await item(page, 'Water the plants').waitFor();
    await page.getByLabel('What needs doing?').fill('half a thought');
    const reach = await page.evaluate(async () => JSON.stringify({
      cookie: document.cookie, local: { ...localStorage }, session: { ...sessionStorage }, html: document.documentElement.outerHTML,
      databases: await indexedDB.databases(), caches: await caches.keys(), address: location.href, history: history.state,
    }));
    assert.match(reach, /half a thought/, 'the test sees what is stored');
    assert.deepEqual(tokensIn(reach), []);
    assert.equal(JSON.parse(reach).cookie, '');
    const session = await fetched(page, '/auth/session');
    assert.equal(session.status, 200);
    assert.match(session.text, /todo-read/, 'tokens are there by name');
    assert.deepEqual(tokensIn(session.text), []);
    for (const { name, value, httpOnly, sameSite } of await context.cookies(gateway)) {
      assert.equal(httpOnly, true, name);
      assert.notEqual(sameSite, 'None', name);
      assert.deepEqual(tokensIn(decodeURIComponent(value)), [], name);
    }
    await context.close();
  });

  test('of all that crossed the wire to and from the browser nothing was a token', () => {
    for (const [part, tap] of Object.entries(all.taps)) {
      const heard = tap.heard;
      assert.match(heard, /GET \/(auth|authorize)/, `the tap at the ${part} heard something`);
      assert.deepEqual(tokensIn(heard), [], part);
    }
    // The one exception proves that the search finds what is there.
    assert.match(all.taps.idp.heard, /id_token_hint=eyJ/);
  });
});
