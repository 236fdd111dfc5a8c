/**
 * A certified OpenID provider that we did not write (npm `oidc-provider`), on loopback: one client, any account, its own
 * sign-in and consent pages. Strict where ours could be lenient: rotated refresh tokens, PKCE, exact redirect URIs.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

export const CLIENT_ID = 'gateway';
export const CLIENT_SECRET = `p%:+ &=${randomBytes(18).toString('base64url')}`;

const EVENTS = ['grant.error', 'authorization.error', 'revocation.error', 'end_session.error', 'server_error',
  'pushed_authorization_request.error', 'backchannel.error', 'userinfo.error', 'jwks.error'];

/**
 * @param {object} site
 * @param {number} site.port
 * @param {string} site.redirectUri
 * @param {string} site.postLogoutUri
 * @param {string[]} [site.algorithms] what there are keys for; the client's ID tokens are signed with the first
 * @param {object} [site.client] more of the client's registration, or other than usual
 * @param {object} [site.features] more features of the provider
 * @param {number} [site.accessTokenLifetime] in seconds
 */
export async function startCertified({
  port, redirectUri, postLogoutUri, algorithms = ['RS256'], client = {}, features = {}, accessTokenLifetime = 600,
}) {
  const issuer = `http://localhost:${port}`;
  const cookieKey = randomBytes(32).toString('hex');
  const issued = { access: [], refresh: [], id: [], codes: [] };
  const spent = [];
  const revoked = [];
  const failures = [];
  const asked = {};

  const adapter = memory();
  /** A provider with new keys, which knows whatever the last one gave. */
  function withNewKeys() {
    const provider = new Provider(issuer, {
      adapter,
      clients: [{
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        redirect_uris: [redirectUri],
        post_logout_redirect_uris: [postLogoutUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic',
        id_token_signed_response_alg: algorithms[0],
        ...client,
      }],
      jwks: { keys: algorithms.map(signingKey) },
      cookies: { keys: [cookieKey] },
      scopes: ['openid', 'offline_access', 'notes.read', 'notes.write', 'notes.share'],
      claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: `Name of ${id}`, email: `${id}@example.com` }) }),
      features: {
        devInteractions: { enabled: true },
        revocation: { enabled: true },
        rpInitiatedLogout: { enabled: true },
        ...features,
      },
      // Its own requests never go to loopback; here everything is there.
      fetch: (url, { dispatcher, ...options }) => fetch(url, options),
      pkce: { required: () => true },
      rotateRefreshToken: true,
      // Whoever may use refresh tokens gets one, so that the test does not depend on who asks for consent and when.
      issueRefreshToken: (_, registered) => registered.grantTypeAllowed('refresh_token'),
      ttl: { AccessToken: accessTokenLifetime, IdToken: 600, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600 },
    });
    provider.use(async (ctx, next) => {
      const what = `${ctx.method} ${ctx.path}`;
      asked[what] = (asked[what] ?? 0) + 1;
      await next();
    });
    provider.on('access_token.saved', (token) => issued.access.push(token.jti));
    provider.on('refresh_token.saved', (token) => issued.refresh.push(token.jti));
    provider.on('refresh_token.consumed', (token) => spent.push(token.jti));
    provider.on('refresh_token.destroyed', (token) => revoked.push(token.jti));
    provider.on('authorization_code.saved', (code) => issued.codes.push(code.jti));
    provider.on('grant.success', (ctx) => ctx.body?.id_token && issued.id.push(ctx.body.id_token));
    for (const event of EVENTS) {
      provider.on(event, (_, error) => failures.push(`${event}: ${error.error_description ?? error.message}`));
    }
    return provider;
  }

  let provider = withNewKeys();
  const server = createServer((request, response) => provider.callback()(request, response)).listen(port, '127.0.0.1');
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  return {
    issuer,
    /** Every token there ever was, by kind: opaque values but ID tokens, so that each can be looked for. */
    issued,
    /** Refresh tokens that were used. */
    spent,
    revoked,
    failures,
    /** How often each method and path was asked for. */
    asked,
    /** What an access token is good for. */
    scopeOf: async (value) => (await provider.AccessToken.find(value))?.scope,
    isGood: async (value) => Boolean(await provider.RefreshToken.find(value)),
    /** From now on other keys sign, and the old ones are gone. */
    changeKeys() {
      provider = withNewKeys();
    },
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What providers remember, shared by all that are given the same. */
function memory() {
  const things = new Map();
  const all = (model) => [...things].filter(([key]) => key.startsWith(`${model}:`)).map(([, thing]) => thing);
  return class {
    constructor(model) {
      this.model = model;
    }

    #key(id) {
      return `${this.model}:${id}`;
    }

    async upsert(id, payload) {
      things.set(this.#key(id), payload);
    }

    async find(id) {
      return things.get(this.#key(id));
    }

    async findByUid(uid) {
      return all(this.model).find((thing) => thing.uid === uid);
    }

    async consume(id) {
      things.get(this.#key(id)).consumed = Math.floor(Date.now() / 1000);
    }

    async destroy(id) {
      things.delete(this.#key(id));
    }

    async revokeByGrantId(grantId) {
      const tokens = ['AccessToken', 'AuthorizationCode', 'RefreshToken'];
      for (const [key, thing] of things) {
        if (thing.grantId === grantId && tokens.includes(thing.kind)) things.delete(key);
      }
    }
  };
}

/** The header of a token. */
export function headerOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[0], 'base64url').toString());
}

function signingKey(alg) {
  const kinds = {
    RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: () => generateKeyPairSync('ed25519'),
  };
  const { privateKey } = kinds[alg]();
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: randomBytes(4).toString('hex') };
}
