/** The site that is measured: the provider, the upstream, gateways, and somebody who is signed in. */
import { openSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { PASSWORD } from '../browser/lib/people.mjs';
import { ROOT, built, freePort, start } from '../browser/lib/processes.mjs';
import { Visitor } from '../browser/lib/visitor.mjs';
import { LOAD_CORE, PROXY_CORE, ends, folder, pinned, reachable, startNginx } from './machine.mjs';

export const PATH = '/api/todolist';

/** An upstream that answers 200 bytes, and tells at `PATH/probe` what it was sent. */
export function startUpstream() {
  return startNginx('upstream', LOAD_CORE, (port) => `
    map $http_authorization $token { default no; "~^Bearer ey" yes; }
    map $http_cookie $cookie { default yes; "" no; }
    server {
      listen 127.0.0.1:${port};
      location / { default_type application/json; return 200 '${'x'.repeat(200)}'; }
      location ${PATH}/probe { default_type text/plain; return 200 'token $token, cookie $cookie'; }
    }`);
}

/** The development provider, with a tenant in which the site's address is the one of this run. @returns {{site: number, issuer: string}} */
export async function startProvider({ scheme = 'http' } = {}) {
  const [site, port] = [await freePort(), await freePort()];
  const shipped = join(ROOT, 'deploy/dev-idp');
  const tenantFolder = join(folder, `tenant-${site}`);
  await cp(shipped, tenantFolder, { recursive: true, filter: (path) => !path.startsWith(join(shipped, 'src')) });
  const tenant = await readFile(join(shipped, 'tenant.toml'), 'utf8');
  await writeFile(join(tenantFolder, 'tenant.toml'), tenant.replaceAll('http://localhost:3000', `${scheme}://localhost:${site}`));
  const process_ = ends(start(built('dev-idp'), ['--tenant', join(tenantFolder, 'tenant.toml'), '--port', String(port)]));
  await reachable(`http://127.0.0.1:${port}/.well-known/openid-configuration`, process_);
  return { site, issuer: `http://localhost:${port}` };
}

/** Writes the configuration of a gateway. The first listens where the site is, others beside it. */
export async function configure(name, { site, issuer }, upstream, { session = 'store = "memory"', beside = false, workers = 1, access = false, more = '', https } = {}) {
  const [port, admin] = [beside ? await freePort() : site, await freePort()];
  await cp(join(ROOT, 'deploy/dev-idp/todo-web.secret'), join(folder, 'client.secret'));
  const path = join(folder, `${name}.toml`);
  await writeFile(path, `
public_url = "${https ? 'https' : 'http'}://localhost:${site}"

[listen]
${https ? 'https' : 'http'} = "127.0.0.1:${port}"
admin   = "127.0.0.1:${admin}"
workers = ${workers}
${https ? `\n[tls]\ncertificates = [{ certificate = { file = "${https.certificate}" }, key = { file = "${https.key}" } }]\n` : ''}
[provider]
issuer        = "${issuer}"
client_id     = "todo-web"
client_secret = { file = "client.secret" }
scopes        = ["profile", "email", "offline_access"]

[session]
${session}

[upstreams.todo-service]
servers = ["http://127.0.0.1:${upstream.port}"]

[tokens.todo-read]
scopes = ["api://todo-service/ToDoList.Read"]

[[routes]]
path     = "${PATH}"
methods  = ["GET", "HEAD"]
upstream = "todo-service"
allow    = "signed-in"
token    = "todo-read"

${more}
[log]
level  = "warn"
access = ${access}
`);
  return { path, port, admin, site, url: `${https ? 'https' : 'http'}://localhost:${port}` };
}

/** A gateway on the core of proxies, ready. */
export async function startGateway(name, provider, upstream, { profile = 'release', cores = PROXY_CORE, ...options } = {}) {
  const config = await configure(name, provider, upstream, options);
  // A log that is written goes where a log goes; what a pipe to this program would cost is not the gateway's.
  const log = options.access ? { stdio: ['ignore', openSync(join(folder, `${name}.log`), 'w'), 'pipe'] } : {};
  const process_ = pinned(cores, built('gateway', profile), ['--config', config.path], log);
  await reachable(`http://127.0.0.1:${config.admin}/readyz`, process_);
  return { ...config, process: process_, pid: process_.pid };
}

/** Signs in as a person does, and sees that the upstream gets what it must. @returns what each request must carry */
export async function signIn({ site: port, url = `http://localhost:${port}` }) {
  const site = `${new URL(url).protocol}//localhost:${port}`;
  const visitor = new Visitor();
  let page = await visitor.open(`${site}/auth/sign-in?return_to=%2Fauth%2Fsigned-out`);
  page = await visitor.submit(page, { email: 'alice@example.com' });
  page = await visitor.submit(page, { password: PASSWORD });
  if (new URL(page.url).origin !== site) throw new Error(`the sign-in ended at ${page.url} (${page.status})`);
  const cookie = Object.entries(visitor.cookies(site)).map(([name, value]) => `${name}=${value}`).join('; ');
  const headers = { cookie, 'x-csrf': '1', accept: 'application/json', 'sec-fetch-site': 'same-origin' };
  const probe = await visitor.send(`${site}${PATH}/probe`, { headers });
  if (probe.body !== 'token yes, cookie no') throw new Error(`the upstream got: ${probe.status} ${probe.body}`);
  const stranger = await new Visitor().send(`${site}${PATH}/probe`, { headers: { ...headers, cookie: '' } });
  if (stranger.status !== 401) throw new Error(`a stranger got ${stranger.status}`);
  return headers;
}
