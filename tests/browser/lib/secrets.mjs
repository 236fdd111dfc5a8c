/** What must never be where a browser can see it, and how it is found in text. */

const JWT = /eyJ[\w-]{6,}\.eyJ[\w-]{6,}\.[\w-]*/g;
/** Names under which tokens travel. `id_token_hint` is not one of them: see below. */
const NAMES = /\b(access_token|refresh_token|id_token|client_secret|code_verifier)\b/g;
const HINT = 'id_token_hint=';

/**
 * Every sign of a token in `text`, each with some of its surroundings. One thing is let pass: the ID token that
 * RP-initiated sign-out sends the provider through the browser. It opens nothing, and the session it names is over.
 * @param {string} text @returns {string[]}
 */
export function tokensIn(text) {
  const found = [];
  for (const match of text.matchAll(JWT)) {
    if (text.slice(0, match.index).endsWith(HINT) && isIdToken(match[0])) continue;
    found.push(around(text, match));
  }
  for (const match of text.matchAll(NAMES)) found.push(around(text, match));
  return found;
}

/**
 * An access token names scopes or roles, and how the client proved itself (`azpacr`); an ID token is for the client alone.
 * One that a refresh brought has no nonce, and at a provider like Entra no `at_hash` either.
 */
function isIdToken(jwt) {
  const claims = JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString());
  const ofAccessTokens = [claims.scp, claims.roles, claims.azpacr];
  return claims.aud === 'todo-web' && ofAccessTokens.every((claim) => claim === undefined);
}

function around(text, { index, 0: what }) {
  return text.slice(Math.max(0, index - 60), index + Math.min(what.length, 60) + 20).replace(/[^\x20-\x7e]+/g, ' ');
}
