/**
 * The session's cookie with `SameSite=Lax` and with `Strict`, in a real browser and across real sites: the gateway is
 * 127.0.0.1, the provider and everybody else are localhost. Sign-in must take one round in both modes, and a link from
 * elsewhere must find a person who is signed in.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { CLIENT_ID, CLIENT_SECRET, startCertified } from './lib/certified.mjs';
import { launch } from './lib/chromium.mjs';
import { built, eventually, freePort, scratch, start } from './lib/processes.mjs';

/** A server of pages. @param {(request: import('node:http').IncomingMessage) => string} page */
async function serve(page) {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(`<!doctype html><title>x</title>${page(request)}`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

async function startEverything(mode) {
  const folder = scratch('same-site');
  const [port, admin, idp] = await Promise.all([freePort(), freePort(), freePort()]);
  const site = `http://127.0.0.1:${port}`;
  const provider = await startCertified({ port: idp, redirectUri: `${site}/auth/callback`, postLogoutUri: `${site}/auth/signed-out` });
  const upstream = await serve((request) => `<h1>Notes</h1><p id="url">${request.url?.replaceAll('&', '&amp;')}</p>`);
  const elsewhere = await serve(() => `<a href="${site}/notes/1?a=b%20c&amp;d=e">Notes</a> <a href="${site}/auth/sign-in?return_to=%2Fnotes">Sign in</a> <a href="${site}/auth/sessions">Sessions</a> <a href="${site}/public">Public</a>`);
  await writeFile(join(folder, 'client.secret'), CLIENT_SECRET, { mode: 0o600 });
  await writeFile(join(folder, 'gateway.toml'), `
public_url = "${site}"

[listen]
http  = "127.0.0.1:${port}"
admin = "127.0.0.1:${admin}"

[provider]
issuer        = "${provider.issuer}"
client_id     = "${CLIENT_ID}"
client_secret = { file = "client.secret" }

[session]
same_site = "${mode}"

[upstreams.notes]
servers = ["http://127.0.0.1:${upstream.port}"]

[[routes]]
path     = "/notes"
upstream = "notes"
csrf     = "origin"

[[routes]]
path     = "/public"
upstream = "notes"
allow    = "anyone"
csrf     = "origin"
`);
  const gateway = start(built('gateway'), ['--config', join(folder, 'gateway.toml')]);
  const up = async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok;
  await Promise.race([eventually(up, { what: 'the gateway being ready' }), gateway.said(/(?!)/)]);
  const browser = await launch();
  return {
    site, browser, provider,
    elsewhere: `http://localhost:${elsewhere.port}/`,
    async stop() {
      await browser.close();
      await gateway.stop();
      await Promise.all([upstream.stop(), elsewhere.stop(), provider.stop()]);
    },
  };
}

for (const mode of ['lax', 'strict']) {
  describe(`cookies that are ${mode}`, { timeout: 120_000 }, () => {
    const strict = mode === 'strict';
    let all;
    before(async () => {
      all = await startEverything(mode);
    });
    after(() => all?.stop());

    /** A browser that nobody used before, and where its tab went: method, address, from which kind of site. */
    async function fresh() {
      const context = await all.browser.newContext();
      context.setDefaultTimeout(15_000);
      const page = await context.newPage();
      const trail = [];
      page.on('request', (request) => {
        if (!request.isNavigationRequest()) return;
        const { origin, pathname } = new URL(request.url());
        const known = { [all.site]: 'site', [all.provider.issuer]: 'provider' };
        trail.push(`${known[origin] ?? 'elsewhere'} ${pathname.replace(/\/(interaction|auth)\/[\w-]{15,}.*/, '/…')}`);
      });
      /** What came since the last look. */
      const walked = () => trail.splice(0);
      return { context, page, walked };
    }

    async function passProvider(page) {
      await page.locator('input[name=login]').fill('ada');
      await page.locator('input[name=password]').fill('anything');
      await page.locator('button[type=submit]').click();
      await page.getByRole('button', { name: 'Continue' }).click();
    }

    /** In a browser that has a session. */
    async function signedIn() {
      const tab = await fresh();
      await tab.page.goto(`${all.site}/notes/1?first=1`);
      await passProvider(tab.page);
      await tab.page.getByRole('heading', { name: 'Notes' }).waitFor();
      return tab;
    }

    const sessions = async (context) => (await context.cookies(all.site)).filter(({ name }) => name === 'gateway-session');

    test('one round at the provider signs a person in, and the code is in no address afterwards', async () => {
      const { context, page, walked } = await fresh();
      await page.goto(`${all.site}/notes/1?first=1`);
      const [login] = (await context.cookies(all.site)).filter(({ name }) => name.startsWith('gateway-login-'));
      assert.equal(login.sameSite, 'Lax', 'the attempt must survive the way to the provider');
      await passProvider(page);
      await page.getByRole('heading', { name: 'Notes' }).waitFor();
      assert.equal(page.url(), `${all.site}/notes/1?first=1`);
      const [session] = await sessions(context);
      assert.deepEqual([session.sameSite, session.httpOnly], [strict ? 'Strict' : 'Lax', true]);
      const way = walked();
      assert.equal(way.filter((step) => step === 'provider /auth').length, 1, way.join('\n'));
      assert.equal(way.filter((step) => step === 'site /auth/callback').length, 1, way.join('\n'));
      await page.goBack();
      assert.doesNotMatch(page.url(), /auth\/callback/, 'nobody goes back to a callback');
      await context.close();
    });

    test('a link from elsewhere finds whoever is signed in, without asking the provider', async () => {
      const { context, page, walked } = await signedIn();
      await page.goto(all.elsewhere);
      walked();
      await page.getByRole('link', { name: 'Notes' }).click();
      await page.getByRole('heading', { name: 'Notes' }).waitFor();
      assert.equal(page.url(), `${all.site}/notes/1?a=b%20c&d=e`);
      assert.equal(await page.locator('#url').textContent(), '/notes/1?a=b%20c&d=e');
      const step = ['site /notes/1', 'site /auth/continue', 'site /notes/1'];
      assert.deepEqual(walked(), strict ? step : ['site /notes/1']);

      // Loading anew, coming back and typing the address take no further step than that one.
      await page.reload();
      await page.getByRole('heading', { name: 'Notes' }).waitFor();
      assert.deepEqual(walked(), ['site /notes/1']);
      await page.goto(`${all.site}/notes/2`);
      await page.getByRole('heading', { name: 'Notes' }).waitFor();
      assert.deepEqual(walked(), ['site /notes/2']);
      await page.goBack();
      await page.goBack();
      assert.equal(page.url(), all.elsewhere, 'the step left nothing to go back to');
      await page.goForward();
      await page.getByRole('heading', { name: 'Notes' }).waitFor();
      assert.ok(!walked().some((each) => each.startsWith('provider')));

      await page.goto(all.elsewhere);
      await page.getByRole('link', { name: 'Sessions' }).click();
      await page.getByRole('heading', { name: 'Your sessions' }).waitFor();
      await context.close();
    });

    test('a link from elsewhere leads whoever is signed out to the provider, once', async () => {
      const { context, page, walked } = await fresh();
      await page.goto(all.elsewhere);
      walked();
      await page.getByRole('link', { name: 'Notes' }).click();
      await page.locator('input[name=login]').waitFor();
      const way = walked();
      const own = strict ? ['site /notes/1', 'site /auth/continue', 'site /notes/1'] : ['site /notes/1'];
      assert.deepEqual(way.slice(0, own.length), own);
      assert.deepEqual(way.filter((step) => step.startsWith('site')), own);
      assert.equal(way.filter((step) => step === 'provider /auth').length, 1);
      await passProvider(page);
      await page.getByRole('heading', { name: 'Notes' }).waitFor();
      assert.equal(page.url(), `${all.site}/notes/1?a=b%20c&d=e`);
      await context.close();
    });

    test('a page for everybody is shown at once', async () => {
      const { context, page, walked } = await signedIn();
      await page.goto(all.elsewhere);
      walked();
      await page.getByRole('link', { name: 'Public' }).click();
      await page.getByRole('heading', { name: 'Notes' }).waitFor();
      assert.deepEqual(walked(), ['site /public']);
      await context.close();
    });

    test('signing in anew by a link from elsewhere ends the session that was', async () => {
      const { context, page } = await signedIn();
      const [old] = await sessions(context);
      const status = async () => (await fetch(`${all.site}/notes`, { headers: { cookie: `gateway-session=${old.value}` } })).status;
      assert.equal(await status(), 200);
      await page.goto(all.elsewhere);
      await page.getByRole('link', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'Notes' }).waitFor(); // the provider knows the person and asks nothing
      const [now] = await sessions(context);
      assert.notEqual(now.value, old.value);
      assert.equal(await status(), 401);
      await context.close();
    });

    // Only where the browser begins anew at this site can the test take its cookie away in time.
    if (strict) test('who keeps no cookies is told so and does not go round in circles', async () => {
      const { context, page, walked } = await fresh();
      // A browser that loses the session's cookie on the way.
      await page.route(`${all.site}/**`, async (route) => {
        await context.clearCookies({ name: 'gateway-session' });
        await route.continue();
      });
      await page.goto(`${all.site}/notes/1`);
      await passProvider(page);
      await page.getByRole('heading', { name: 'Signing in does not hold' }).waitFor();
      assert.ok(walked().filter((step) => step === 'provider /auth').length <= 2);
      await context.close();
    });
  });
}
