/**
 * The gateway against a provider that is certified and not ours, over the wire: sign-in, tokens per route, sign-out.
 * Once with the code in the query, once posted as a form to a site that is https by name.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { CLIENT_ID, CLIENT_SECRET, startCertified } from './lib/certified.mjs';
import { built, eventually, freePort, scratch, start } from './lib/processes.mjs';
import { Visitor } from './lib/visitor.mjs';

/** Remembers what each request brought and answers with next to nothing. */
async function startUpstream() {
  const requests = [];
  const server = createServer((request, response) => {
    requests.push({ method: request.method, url: request.url, headers: request.headers });
    response.setHeader('content-type', 'application/json');
    response.end('{"ok":true}');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    requests,
    port: server.address().port,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

async function startEverything(mode) {
  const folder = scratch('certified');
  const [port, admin, idp] = await Promise.all([freePort(), freePort(), freePort()]);
  const local = `http://localhost:${port}`;
  const site = mode === 'form_post' ? 'https://notes.example.test' : local;
  const upstream = await startUpstream();
  const provider = await startCertified({ port: idp, redirectUri: `${site}/auth/callback`, postLogoutUri: `${site}/auth/signed-out` });
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
scopes        = ["profile", "email", "notes.read", "notes.write"]
response_mode = "${mode}"

[upstreams.notes]
servers = ["http://127.0.0.1:${upstream.port}"]

[tokens.read]
scopes = ["notes.read"]

[tokens.write]
scopes = ["notes.write"]

[tokens.share]
scopes = ["notes.share"]

[[routes]]
path     = "/notes"
methods  = ["GET", "HEAD"]
upstream = "notes"
token    = "read"

[[routes]]
path     = "/notes"
methods  = ["POST"]
upstream = "notes"
token    = "write"

[[routes]]
path     = "/notes"
methods  = ["PUT"]
upstream = "notes"
token    = "share"

[[routes]]
path     = "/public"
upstream = "notes"
allow    = "anyone"
csrf     = "origin"
`);
  const gateway = start(built('gateway'), ['--config', join(folder, 'gateway.toml')]);
  const up = async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok;
  await Promise.race([eventually(up, { what: 'the gateway being ready' }), gateway.said(/(?!)/)]);
  return {
    site, upstream, provider, gateway,
    visitor: () => new Visitor({ [site]: local }),
    async stop() {
      await gateway.stop();
      await Promise.all([upstream.stop(), provider.stop()]);
    },
  };
}

/** Through the provider's own sign-in and consent pages, as far as they come. */
async function throughProvider(visitor, page) {
  let now = page;
  for (let steps = 0; /\/interaction\//.test(now.url); steps++) {
    assert.ok(steps < 4, `the provider asks and asks: ${now.body}`);
    assert.equal(now.status, 200, now.body);
    now = await visitor.submit(now, 'login' in now.forms[0].fields ? { login: 'ada', password: 'anything' } : {});
  }
  return now;
}

/** What the browser of a form_post provider does with the page it is given. */
async function postBack(visitor, page, site) {
  if (!page.forms.some(({ action }) => action === `${site}/auth/callback`)) return page;
  // The post comes from the provider's page, so the browser says so, and sends only cookies that allow it.
  return visitor.submit(page, {}, { headers: { origin: new URL(page.url).origin, 'sec-fetch-site': 'cross-site' } });
}

const api = { accept: 'application/json', 'x-csrf': '1', 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' };

for (const mode of ['query', 'form_post']) {
  describe(`a certified provider, response mode ${mode}`, () => {
    let all;
    let visitor;
    before(async () => {
      all = await startEverything(mode);
      visitor = all.visitor();
    });
    after(() => all?.stop());

    const call = (method = 'GET', headers = {}) => {
      const origin = method === 'GET' ? {} : { origin: all.site };
      return visitor.send(`${all.site}/notes?page=2`, { method, headers: { ...api, ...origin, ...headers } });
    };

    /** The scopes of the API that the newest token at the upstream is good for. */
    async function newestScopes() {
      const { headers } = all.upstream.requests.at(-1);
      assert.equal(headers.cookie, undefined);
      const scopes = await all.provider.scopeOf(headers.authorization.replace(/^Bearer /, ''));
      return scopes.split(' ').filter((scope) => scope.startsWith('notes.'));
    }

    async function signIn(path) {
      const page = await throughProvider(visitor, await visitor.open(all.site + path));
      return postBack(visitor, page, all.site);
    }

    test('a stranger gets 401 and the upstream hears nothing, but of the public route it does', async () => {
      const answer = await call();
      assert.equal(answer.status, 401);
      assert.match(answer.headers['content-type'], /application\/problem\+json/);
      assert.equal(all.upstream.requests.length, 0);
      const open = await visitor.send(`${all.site}/public`);
      assert.equal(open.status, 200);
      assert.equal(all.upstream.requests.length, 1);
      assert.equal(all.upstream.requests[0].headers.authorization, undefined);
    });

    test('a sign-in comes back to where it began', async () => {
      const page = await signIn('/auth/sign-in?return_to=%2Fpublic%3Fdeep%3Dlink');
      assert.equal(page.status, 200, page.body);
      assert.equal(page.url, `${all.site}/public?deep=link`);
      const session = await visitor.send(`${all.site}/auth/session`, { headers: api });
      const facts = JSON.parse(session.body);
      assert.equal(facts.signed_in, true);
      assert.equal(facts.claims.sub, 'ada');
      assert.deepEqual(all.provider.failures, []);
    });

    test('each route gets a token of its own scope, and never the cookie', async () => {
      for (const [method, scope] of [['GET', 'notes.read'], ['POST', 'notes.write'], ['GET', 'notes.read']]) {
        const answer = await call(method);
        assert.equal(answer.status, 200, answer.body);
        assert.equal(all.upstream.requests.at(-1).url, '/notes?page=2');
        assert.deepEqual(await newestScopes(), [scope], method);
      }
    });

    test('a token that needs consent not yet given is told, got by one more sign-in, and then used', async () => {
      const heard = all.upstream.requests.length;
      const refused = await call('PUT');
      assert.equal(refused.status, 401, refused.body);
      const problem = JSON.parse(refused.body);
      assert.equal(problem.reason, 'consent_required');
      assert.equal(all.upstream.requests.length, heard);

      const address = new URL(problem.sign_in, all.site);
      address.searchParams.set('return_to', '/public');
      const page = await signIn(address.pathname + address.search);
      assert.equal(page.status, 200, page.body);
      const answer = await call('PUT');
      assert.equal(answer.status, 200, answer.body);
      assert.deepEqual(await newestScopes(), ['notes.share']);
    });

    test('sign-out ends the session here and there, and gives the refresh token back', async () => {
      const cookies = visitor.cookies(all.site);
      const old = Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ');
      assert.equal((await call('GET', { cookie: old })).status, 200);
      const refresh = all.provider.issued.refresh.at(-1);
      assert.equal(await all.provider.isGood(refresh), true);

      const form = { headers: { origin: all.site, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate' }, method: 'POST', form: {} };
      let page = await visitor.open(`${all.site}/auth/sign-out`, form);
      assert.match(page.url, new RegExp(`^${all.provider.issuer}/session/end`));
      page = await visitor.submit(page, { logout: 'yes' });
      assert.equal(page.url.split('?')[0], `${all.site}/auth/signed-out`);
      assert.equal(page.status, 200);

      assert.equal(await all.provider.isGood(refresh), false);
      assert.equal((await call('GET', { cookie: old })).status, 401);
      const again = await visitor.open(`${all.site}/auth/sign-in?return_to=%2Fpublic`);
      assert.ok(again.forms.some(({ fields }) => 'login' in fields), 'the provider asks who is there');
      // The one thing it refused in all this is what the test above asked for too early.
      assert.deepEqual(all.provider.failures, ['grant.error: refresh token missing requested scope']);
    });

    test('of all tokens only the ID token was ever near the browser, and that at sign-out only', () => {
      const { access, refresh, id } = all.provider.issued;
      assert.ok(access.length >= 2 && refresh.length >= 2 && id.length >= 1, 'there were tokens to look for');
      const seen = visitor.seen.map((page) => page.raw).join('\n');
      for (const token of [...access, ...refresh, CLIENT_SECRET]) assert.ok(!seen.includes(token));
      for (const token of id) assert.ok(!seen.replaceAll(`id_token_hint=${token}`, '').includes(token));
      for (const token of [...access, ...refresh, ...id, CLIENT_SECRET]) assert.ok(!all.gateway.output.includes(token), 'nor in the log');
    });
  });
}
