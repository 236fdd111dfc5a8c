/**
 * A certified OpenID provider that we did not write (npm `oidc-provider`), on loopback: one client, two accounts, its own
 * sign-in and consent pages. Strict where ours could be lenient: rotated refresh tokens, PKCE, exact redirect URIs.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';

import Provider from 'oidc-provider';

export const CLIENT_ID = 'gateway';
export const CLIENT_SECRET = `p%:+ &=${randomBytes(18).toString('base64url')}`;

/** @param {{port: number, redirectUri: string, postLogoutUri: string}} site */
export async function startCertified({ port, redirectUri, postLogoutUri }) {
  const issuer = `http://localhost:${port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      redirect_uris: [redirectUri],
      post_logout_redirect_uris: [postLogoutUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    }],
    jwks: { keys: [signingKey()] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    scopes: ['openid', 'offline_access', 'notes.read', 'notes.write', 'notes.share'],
    claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: `Name of ${id}`, email: `${id}@example.com` }) }),
    features: {
      devInteractions: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    // Whoever may use refresh tokens gets one, so that the test does not depend on who asks for consent and when.
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    ttl: { AccessToken: 600, IdToken: 600, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600 },
  });
  const issued = { access: [], refresh: [], id: [], codes: [] };
  const revoked = [];
  const failures = [];
  provider.on('access_token.saved', (token) => issued.access.push(token.jti));
  provider.on('refresh_token.saved', (token) => issued.refresh.push(token.jti));
  provider.on('refresh_token.destroyed', (token) => revoked.push(token.jti));
  provider.on('authorization_code.saved', (code) => issued.codes.push(code.jti));
  provider.on('grant.success', (ctx) => ctx.body?.id_token && issued.id.push(ctx.body.id_token));
  for (const event of ['grant.error', 'authorization.error', 'revocation.error', 'end_session.error', 'server_error']) {
    provider.on(event, (_, error) => failures.push(`${event}: ${error.error_description ?? error.message}`));
  }
  const server = provider.listen(port, '127.0.0.1');
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  return {
    issuer,
    /** Every token there ever was, by kind: opaque values, so that each can be looked for. */
    issued,
    revoked,
    failures,
    /** What an access token is good for. */
    scopeOf: async (value) => (await provider.AccessToken.find(value))?.scope,
    isGood: async (value) => Boolean(await provider.RefreshToken.find(value)),
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomBytes(4).toString('hex') };
}
