/**
 * The gateway against the certified provider, with keys of every kind it has, keys that change while both run, and tokens
 * that are renewed again and again: each refresh token once.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { headerOf } from './lib/certified.mjs';
import { startSite } from './lib/certified-site.mjs';
import { eventually } from './lib/processes.mjs';

const allowing = (...algorithms) => [`id_token_algorithms = ${JSON.stringify(algorithms)}`];

for (const algorithm of ['PS256', 'ES256', 'EdDSA']) {
  describe(`a certified provider that signs with ${algorithm}`, () => {
    let all;
    before(async () => {
      all = await startSite({ lines: allowing(algorithm), certified: () => ({ algorithms: [algorithm, 'RS256'] }) });
    });
    after(() => all?.stop());

    test('a sign-in works, and so does a route that needs a token', async () => {
      const visitor = all.visitor();
      const page = await all.signIn(visitor);
      assert.equal(page.url, `${all.site}/public`, page.body);
      assert.equal(headerOf(all.provider.issued.id.at(-1)).alg, algorithm);
      assert.equal((await all.facts(visitor)).claims.sub, 'ada');
      assert.equal((await all.call(visitor)).status, 200);
      assert.deepEqual(all.provider.failures, []);
    });

    test('other keys take effect while both run: for a new sign-in, and for who is signed in', async () => {
      const [before, later] = [all.visitor(), all.visitor()];
      await all.signIn(before);
      const old = headerOf(all.provider.issued.id.at(-1)).kid;
      all.provider.changeKeys();
      const page = await all.signIn(later);
      assert.equal(page.url, `${all.site}/public`, page.body);
      assert.notEqual(headerOf(all.provider.issued.id.at(-1)).kid, old);
      const renewed = await all.call(before, 'POST');
      assert.equal(renewed.status, 200, renewed.body);
      assert.equal((await all.call(later)).status, 200);
      assert.ok(all.provider.asked['GET /jwks'] <= 3, 'once at the start, and once for the new key');
      assert.deepEqual(all.provider.failures, []);
    });
  });
}

describe('a certified provider that signs with another algorithm than the gateway takes', () => {
  let all;
  before(async () => {
    all = await startSite({ lines: allowing('ES256'), certified: () => ({ algorithms: ['RS256', 'ES256'] }) });
  });
  after(() => all?.stop());

  test('nobody gets in, and the page says so without detail', async () => {
    const visitor = all.visitor();
    const page = await all.signIn(visitor);
    assert.ok(page.status >= 400, `${page.status}`);
    assert.equal(headerOf(all.provider.issued.id.at(-1)).alg, 'RS256');
    assert.ok(!page.body.includes('RS256'));
    assert.equal((await all.call(visitor)).status, 401);
    assert.equal(all.upstream.requests.filter(({ url }) => url.startsWith('/notes')).length, 0);
  });
});

describe('a certified provider whose access tokens live for seconds', () => {
  let all;
  before(async () => {
    all = await startSite({ certified: () => ({ accessTokenLifetime: 2 }) });
  });
  after(() => all?.stop());

  test('tokens are renewed again and again, and no refresh token is used twice', async () => {
    const visitor = all.visitor();
    await all.signIn(visitor);
    // Two tokens of one sign-in, so one refresh token: whoever used it twice would have lost the grant.
    const statuses = new Set();
    await eventually(async () => {
      const answers = await Promise.all(['GET', 'POST', 'GET', 'POST', 'GET'].map((method) => all.call(visitor, method)));
      answers.forEach(({ status }) => statuses.add(status));
      return all.provider.spent.length >= 5;
    }, { what: 'five renewals' });
    assert.deepEqual([...statuses], [200]);
    assert.equal(new Set(all.provider.spent).size, all.provider.spent.length);
    assert.deepEqual(all.provider.failures, []);
    assert.equal(await all.provider.isGood(all.provider.issued.refresh.at(-1)), true);
  });
});
