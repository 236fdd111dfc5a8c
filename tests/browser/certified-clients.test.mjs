/**
 * The gateway against the certified provider, in the ways of dealing with each other that a plain registration does not
 * have: the gateway's own key, pushed requests, sign-outs and sign-ins that begin at the provider.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { CLIENT_ID } from './lib/certified.mjs';
import { API, startSite } from './lib/certified-site.mjs';

const KINDS = { RS256: ['rsa', { modulusLength: 2048 }], ES256: ['ec', { namedCurve: 'P-256' }], EdDSA: ['ed25519', {}] };

/** Puts a private key of the gateway's own beside gateway.toml. */
const withKey = (algorithm) => async (folder) => {
  const [kind, options] = KINDS[algorithm];
  const { privateKey } = generateKeyPairSync(kind, options);
  await writeFile(join(folder, 'client.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
};

const OWN_KEY = ['client_authentication = "private_key_jwt"', 'client_key = { file = "client.pem" }'];
const byKey = (site) => ({
  client_secret: undefined, token_endpoint_auth_method: 'private_key_jwt', jwks_uri: `${site}/auth/jwks`,
});

for (const algorithm of Object.keys(KINDS)) {
  describe(`a certified provider that knows the gateway by its ${algorithm} key`, () => {
    let all;
    before(async () => {
      all = await startSite({
        lines: OWN_KEY, secret: false, prepare: withKey(algorithm), certified: (site) => ({ client: byKey(site) }),
      });
    });
    after(() => all?.stop());

    test('the gateway publishes that key, and not its private half', async () => {
      const { keys } = await (await fetch(`${all.site}/auth/jwks`)).json();
      assert.equal(keys.length, 1);
      assert.equal(keys[0].alg, algorithm);
      for (const part of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.equal(keys[0][part], undefined, part);
    });

    test('sign-in, renewal and sign-out all work with it', async () => {
      const visitor = all.visitor();
      const page = await all.signIn(visitor);
      assert.equal(page.url, `${all.site}/public`, page.body);
      assert.equal((await all.call(visitor)).status, 200);
      assert.equal((await all.call(visitor, 'POST')).status, 200);
      const refresh = all.provider.issued.refresh.at(-1);
      assert.equal((await all.signOut(visitor)).status, 200);
      assert.equal(await all.provider.isGood(refresh), false, 'given back');
      assert.deepEqual(all.provider.failures, []);
    });
  });
}

describe('a certified provider that knows the gateway by another key', () => {
  let all;
  before(async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'other' }] };
    all = await startSite({
      lines: OWN_KEY, secret: false, prepare: withKey('ES256'),
      certified: (site) => ({ client: { ...byKey(site), jwks_uri: undefined, jwks } }),
    });
  });
  after(() => all?.stop());

  test('nobody gets in', async () => {
    const visitor = all.visitor();
    const page = await all.signIn(visitor);
    assert.ok(page.status >= 400, `${page.status}`);
    assert.equal((await all.call(visitor)).status, 401);
    assert.notDeepEqual(all.provider.failures, []);
  });
});

for (const [name, lines, required] of [
  ['requires pushed requests', [], true],
  ['takes pushed requests, which the gateway is told to use', ['par = "always"'], false],
]) {
  describe(`a certified provider that ${name}`, () => {
    let all;
    before(async () => {
      const features = { pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: required } };
      all = await startSite({ lines, certified: () => ({ features }) });
    });
    after(() => all?.stop());

    test('only the name of the request goes through the browser', async () => {
      const visitor = all.visitor();
      const first = await visitor.open(`${all.site}/auth/sign-in?return_to=%2Fpublic`, {}, { until: /\/auth\?/ });
      const address = new URL(first.location);
      assert.deepEqual([...address.searchParams.keys()].sort(), ['client_id', 'request_uri']);
      assert.equal(address.searchParams.get('client_id'), CLIENT_ID);
    });

    test('a sign-in works', async () => {
      const visitor = all.visitor();
      const page = await all.signIn(visitor, '/auth/sign-in?return_to=%2Fpublic%3Fx%3D1');
      assert.equal(page.url, `${all.site}/public?x=1`, page.body);
      assert.equal((await all.call(visitor)).status, 200);
      assert.equal(all.provider.asked['POST /request'], 2, 'one for each sign-in begun');
      assert.deepEqual(all.provider.failures, []);
    });
  });
}

for (const bySession of [true, false]) {
  describe(`a certified provider that tells of sign-outs by ${bySession ? 'session' : 'person'}`, () => {
    let all;
    before(async () => {
      all = await startSite({
        certified: (site) => ({
          client: {
            backchannel_logout_uri: `${site}/auth/backchannel-logout`, backchannel_logout_session_required: bySession,
          },
          features: { backchannelLogout: { enabled: true } },
        }),
      });
    });
    after(() => all?.stop());

    test('who signs out there is signed out here', async () => {
      const [one, two] = [all.visitor(), all.visitor()];
      await all.signIn(one);
      await all.signIn(two);
      for (const visitor of [one, two]) assert.equal((await all.call(visitor)).status, 200);
      const page = await one.open(`${all.provider.issuer}/session/end`);
      await one.submit(page, { logout: 'yes' });
      assert.equal((await all.call(one)).status, 401);
      assert.equal((await all.call(two)).status, bySession ? 200 : 401, 'the other browser');
      assert.deepEqual(all.provider.failures, [], 'the gateway said that it was done');
    });

    test('a new sign-in lives, and its sign-out from here works', async () => {
      const visitor = all.visitor();
      await all.signIn(visitor);
      assert.equal((await all.call(visitor)).status, 200);
      assert.equal((await all.signOut(visitor)).url.split('?')[0], `${all.site}/auth/signed-out`);
      assert.equal((await all.call(visitor)).status, 401);
      assert.deepEqual(all.provider.failures, []);
    });
  });
}

describe('a sign-in that begins at the certified provider', () => {
  let all;
  before(async () => {
    // It begins none itself, and takes https addresses only: nothing to register.
    all = await startSite();
  });
  after(() => all?.stop());

  const initiate = (parameters) => `/auth/initiate?${new URLSearchParams(parameters)}`;

  test('ends where it was meant to end', async () => {
    const visitor = all.visitor();
    const target = `${all.site}/public?from=there`;
    const path = initiate({ iss: all.provider.issuer, target_link_uri: target, login_hint: 'ada' });
    assert.equal((await all.signIn(visitor, path)).url, target);
    assert.equal((await all.facts(visitor)).signed_in, true);
    assert.deepEqual(all.provider.failures, []);
  });

  test('is refused for another issuer, and never leads to another site', async () => {
    const send = (parameters) => all.visitor().send(all.site + initiate(parameters), { headers: { ...API, accept: 'text/html', 'sec-fetch-mode': 'navigate' } });
    assert.equal((await send({ iss: 'https://somebody-else.example' })).status, 400);
    assert.equal((await send({})).status, 400);
    const visitor = all.visitor();
    const path = initiate({ iss: all.provider.issuer, target_link_uri: 'https://evil.example/' });
    const page = await all.signIn(visitor, path);
    assert.ok(page.status === 400 || page.url.startsWith(`${all.site}/`), `${page.status} ${page.url}`);
  });
});
