/**
 * A gateway in front of a small API, with the certified provider behind it, and what a person and an app do with them.
 * The routes are always the same; what varies is how gateway and provider deal with each other.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { CLIENT_ID, CLIENT_SECRET, startCertified } from './certified.mjs';
import { built, eventually, freePort, scratch, start } from './processes.mjs';
import { Visitor } from './visitor.mjs';

/** What a script of the site sends along. */
export const API = { accept: 'application/json', 'x-csrf': '1', 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' };

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

/**
 * @param {object} [how]
 * @param {'query'|'form_post'} [how.mode] with `form_post`, the site is https by name
 * @param {string[]} [how.lines] more lines of [provider]
 * @param {boolean} [how.secret] whether the gateway has a client secret
 * @param {(site: string) => object} [how.certified] more options of the provider
 * @param {(folder: string) => Promise<void>} [how.prepare] puts more files beside gateway.toml
 */
export async function startSite({ mode = 'query', lines = [], secret = true, certified = () => ({}), prepare } = {}) {
  const folder = scratch('certified');
  const [port, admin, idp] = await Promise.all([freePort(), freePort(), freePort()]);
  const local = `http://localhost:${port}`;
  const site = mode === 'form_post' ? 'https://notes.example.test' : local;
  const upstream = await startUpstream();
  const provider = await startCertified({
    port: idp, redirectUri: `${site}/auth/callback`, postLogoutUri: `${site}/auth/signed-out`, ...certified(site),
  });
  await writeFile(join(folder, 'client.secret'), CLIENT_SECRET, { mode: 0o600 });
  await prepare?.(folder);
  await writeFile(join(folder, 'gateway.toml'), `
public_url = "${site}"

[listen]
http  = "127.0.0.1:${port}"
admin = "127.0.0.1:${admin}"

[provider]
issuer        = "${provider.issuer}"
client_id     = "${CLIENT_ID}"
${secret ? 'client_secret = { file = "client.secret" }' : ''}
scopes        = ["profile", "email", "notes.read", "notes.write"]
response_mode = "${mode}"
${lines.join('\n')}

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
    site, local, upstream, provider, gateway,
    visitor: () => new Visitor({ [site]: local }),
    /** A call of the API by the site's own script. */
    call(visitor, method = 'GET', headers = {}) {
      const origin = method === 'GET' ? {} : { origin: site };
      return visitor.send(`${site}/notes?page=2`, { method, headers: { ...API, ...origin, ...headers } });
    },
    /** Opens an address and goes through whatever the provider asks. */
    async signIn(visitor, path = '/auth/sign-in?return_to=%2Fpublic') {
      const page = await throughProvider(visitor, await visitor.open(site + path));
      return postBack(visitor, page, site);
    },
    /** What the gateway tells the site's script about the session. */
    async facts(visitor) {
      const answer = await visitor.send(`${site}/auth/session`, { headers: API });
      return JSON.parse(answer.body);
    },
    /** Signs out here and at the provider; the last page. */
    async signOut(visitor) {
      const headers = { origin: site, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate' };
      const page = await visitor.open(`${site}/auth/sign-out`, { headers, method: 'POST', form: {} });
      assert.match(page.url, new RegExp(`^${provider.issuer}/session/end`));
      return visitor.submit(page, { logout: 'yes' });
    },
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
