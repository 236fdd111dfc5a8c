/** The search for tokens, tried on what it must find and on what it must let pass. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { tokensIn } from './lib/secrets.mjs';

const jwt = (claims) => [{ alg: 'RS256' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.') + '.c2lnbmF0dXJl';
const id = jwt({ aud: 'todo-web', nonce: 'n', sub: 's' });

test('a token is found wherever it stands', () => {
  assert.equal(tokensIn(`authorization: Bearer ${id}`).length, 1);
  assert.equal(tokensIn(`{"access_token":"opaque"}`).length, 1);
  assert.equal(tokensIn(`?id_token_hint=${jwt({ aud: 'todo-web', nonce: 'n', scp: 'ToDoList.Read' })}`).length, 1);
  assert.equal(tokensIn(`?id_token_hint=${jwt({ aud: 'todo-web', azpacr: '1' })}`).length, 1);
});

test('ordinary text and the hint of a sign-out are no finds', () => {
  assert.deepEqual(tokensIn('Your browser holds one cookie. Tokens: todo-read, api://todo-service/ToDoList.Read'), []);
  assert.deepEqual(tokensIn(`Location: /end_session?id_token_hint=${id}&state=x`), []);
  for (const refreshed of [jwt({ aud: 'todo-web', at_hash: 'h', sub: 's' }), jwt({ aud: 'todo-web', sub: 's' })]) {
    assert.deepEqual(tokensIn(`Location: /end_session?id_token_hint=${refreshed}&state=x`), []);
  }
});
