/** What a person does at the provider and in the app, in the words that the pages use. */

export const PASSWORD = 'correct-horse-battery';
export const ALICE = { email: 'alice@example.com', name: 'Alice Adams', password: PASSWORD };
export const BOB = { email: 'bob@example.com', name: 'Bob Baker', password: PASSWORD };

/** From the provider's first page to the app. @param {import('playwright-core').Page} page */
export async function passSignIn(page, { email, password }) {
  await page.locator('input[name=email]:not([readonly])').fill(email);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.locator('input[name=password]').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** From the app's start page to the app, signed in. */
export async function signIn(page, gateway, person, path = '/todos') {
  await page.goto(gateway + path);
  await page.locator('main').getByRole('link', { name: 'Sign in' }).click();
  await passSignIn(page, person);
  await page.getByRole('button', { name: 'Sign out' }).first().waitFor();
}

/** The newest passcode for an address, read as a person would: in the mailbox, in another tab. */
export async function passcode(page, idp, email) {
  const mailbox = await page.context().newPage();
  await mailbox.goto(`${idp}/mailbox`);
  const code = await mailbox.locator('.mails li').filter({ hasText: email }).first().locator('.code').textContent();
  await mailbox.close();
  return code.trim();
}

/** A row of the list. */
export function item(page, text) {
  return page.locator('.row').filter({ hasText: text });
}

/** Adds an item and waits until the service has it. */
export async function add(page, text) {
  const saved = page.waitForResponse((response) => response.request().method() === 'POST' && response.url().endsWith('/api/todolist'));
  await page.getByLabel('What needs doing?').fill(text);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await saved;
  await item(page, text).waitFor();
}
