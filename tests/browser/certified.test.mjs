/**
 * The gateway against a provider that is certified and not ours, over the wire: sign-in, tokens per route, sign-out.
 * Once with the code in the query, once posted as a form to a site that is https by name.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { CLIENT_SECRET } from './lib/certified.mjs';
import { startSite } from './lib/certified-site.mjs';

for (const mode of ['query', 'form_post']) {
  describe(`a certified provider, response mode ${mode}`, () => {
    let all;
    let visitor;
    before(async () => {
      all = await startSite({ mode });
      visitor = all.visitor();
    });
    after(() => all?.stop());

    const call = (method, headers) => all.call(visitor, method, headers);
    const signIn = (path) => all.signIn(visitor, path);

    /** The scopes of the API that the newest token at the upstream is good for. */
    async function newestScopes() {
      const { headers } = all.upstream.requests.at(-1);
      assert.equal(headers.cookie, undefined);
      const scopes = await all.provider.scopeOf(headers.authorization.replace(/^Bearer /, ''));
      return scopes.split(' ').filter((scope) => scope.startsWith('notes.'));
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
      const facts = await all.facts(visitor);
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

      const page = await all.signOut(visitor);
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
