/**
 * What Debian ships for the same work, each with one process's worth of one core: nginx and HAProxy and Caddy as plain
 * proxies, Apache with mod_auth_openidc for somebody who is signed in, and the gateway.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { PASSWORD } from '../browser/lib/people.mjs';
import { freePort } from '../browser/lib/processes.mjs';
import { Visitor } from '../browser/lib/visitor.mjs';
import { CONNECTIONS, PROXY_CORE, childrenOf, folder, load, pinned, ratio, reachable, run, startNginx, turns, writeScript } from './machine.mjs';
import { PATH, signIn, startGateway, startProvider, startUpstream } from './site.mjs';
import { report } from './table.mjs';

const { values: flags } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    profile: { type: 'string', default: 'release' },
  },
});
const [PAIRS, SECONDS] = [Number(flags.pairs), Number(flags.seconds)];

await run(main);

async function main() {
  const upstream = await startUpstream();
  const gateway = await startGateway('gateway', await startProvider(), upstream, { profile: flags.profile });
  const { cookie, ...headers } = await signIn(gateway);
  const script = await writeScript('peers', headers, [cookie]);
  const apache = await startApache(upstream);
  const sides = {
    nginx: side(await startProxyNginx(upstream), script),
    gateway: side({ pid: gateway.pid, url: gateway.url }, script),
    haproxy: side(await startHaproxy(upstream), script),
    caddy: side(await startCaddy(upstream), script),
    apache: side(apache, await writeScript('apache', headers, [apache.cookie])),
  };
  for (const warm of Object.values(sides)) await warm();
  console.log(`\n${PAIRS} rounds of ${SECONDS} s each, ${CONNECTIONS} connections, 200 bytes, access logs off`);
  const found = await turns(sides, PAIRS);
  const beside = found.gateway.cpu.map((cost, round) => cost / found.apache.cpu[round]);
  report('peers', [
    ratio('CPU of a signed-in request, Apache with mod_auth_openidc = 1', beside, 0.15),
    ratio('CPU of a signed-in request, HAProxy proxying plainly = 1', found.gateway.cpu.map((cost, round) => cost / found.haproxy.cpu[round])),
    ratio('CPU of a signed-in request, Caddy proxying plainly = 1', found.gateway.cpu.map((cost, round) => cost / found.caddy.cpu[round])),
    ratio('for comparison, nginx = 1: HAProxy', found.haproxy.cpu),
    ratio('for comparison, nginx = 1: Caddy', found.caddy.cpu),
    ratio('for comparison, nginx = 1: Apache with mod_auth_openidc', found.apache.cpu),
  ]);
}

function side({ pid, url }, script) {
  return () => load({ pid, url: `${url}${PATH}` }, script, SECONDS);
}

async function startProxyNginx(upstream) {
  const nginx = await startNginx('proxy', PROXY_CORE, (port) => `
    upstream service { server 127.0.0.1:${upstream.port}; keepalive ${CONNECTIONS}; keepalive_requests 1000000000; }
    server {
      listen 127.0.0.1:${port};
      location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }`);
  return { pid: nginx.pid, url: `http://127.0.0.1:${nginx.port}` };
}

async function startHaproxy(upstream) {
  const port = await freePort();
  const path = join(folder, 'haproxy.cfg');
  await writeFile(path, `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend front
  bind 127.0.0.1:${port}
  default_backend back
backend back
  server upstream 127.0.0.1:${upstream.port}
`);
  const process_ = pinned(PROXY_CORE, 'haproxy', ['-db', '-f', path]);
  await reachable(`http://127.0.0.1:${port}/`, process_);
  return { pid: process_.pid, url: `http://127.0.0.1:${port}` };
}

async function startCaddy(upstream) {
  const port = await freePort();
  const path = join(folder, 'Caddyfile');
  await writeFile(path, `
{
	admin off
	auto_https off
}
http://127.0.0.1:${port} {
	reverse_proxy 127.0.0.1:${upstream.port} {
		transport http {
			keepalive_idle_conns_per_host ${CONNECTIONS}
		}
	}
}
`);
  const env = { ...process.env, GOMAXPROCS: '1', HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const process_ = pinned(PROXY_CORE, 'caddy', ['run', '--config', path, '--adapter', 'caddyfile'], { env });
  await reachable(`http://127.0.0.1:${port}/`, process_);
  return { pid: process_.pid, url: `http://127.0.0.1:${port}` };
}

/** Apache with mod_auth_openidc, and somebody who is signed in there. */
async function startApache(upstream) {
  const provider = await startProvider();
  const path = join(folder, 'apache.conf');
  const module = (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`;
  const modules = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'headers', 'proxy', 'proxy_http', 'auth_openidc'];
  await writeFile(path, `
ServerRoot ${folder}
ServerName localhost
PidFile ${folder}/apache.pid
ErrorLog ${folder}/apache.log
LogLevel error
Listen 127.0.0.1:${provider.site}
${process.getuid() === 0 ? 'User www-data\nGroup www-data' : ''}
${modules.map(module).join('\n')}
StartServers 1
ServerLimit 1
ThreadLimit 128
ThreadsPerChild 128
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
OIDCProviderMetadataURL ${provider.issuer}/.well-known/openid-configuration
OIDCClientID todo-web
OIDCClientSecret "${await clientSecret()}"
OIDCRedirectURI http://localhost:${provider.site}/auth/callback
OIDCCryptoPassphrase bench-of-an-afternoon
OIDCScope "openid profile email offline_access api://todo-service/ToDoList.Read"
OIDCPKCEMethod S256
OIDCRemoteUserClaim sub
<Location />
  AuthType openid-connect
  Require valid-user
  RequestHeader set Authorization "Bearer %{OIDC_access_token}e"
  ProxyPass http://127.0.0.1:${upstream.port}/ enablereuse=on
</Location>
`);
  const process_ = pinned(PROXY_CORE, 'apache2', ['-f', path, '-D', 'FOREGROUND']);
  const url = `http://localhost:${provider.site}`;
  const visitor = new Visitor();
  const page = await retried(() => visitor.open(`${url}${PATH}`), process_);
  const asked = await visitor.submit(page, { email: 'alice@example.com' });
  const home = await visitor.submit(asked, { password: PASSWORD });
  if (new URL(home.url).origin !== url) throw new Error(`the sign-in ended at ${home.url} (${home.status})`);
  const cookie = Object.entries(visitor.cookies(url)).map(([name, value]) => `${name}=${value}`).join('; ');
  const probe = await visitor.send(`${url}${PATH}/probe`, { headers: { cookie } });
  if (!probe.body.startsWith('token yes')) throw new Error(`the upstream got: ${probe.status} ${probe.body}`);
  return { pid: childrenOf(process_.pid), url, cookie };
}

async function clientSecret() {
  return (await readFile(join(folder, 'client.secret'), 'utf8')).trim();
}

/** A server that tells nobody when it is ready. */
async function retried(work, process_) {
  for (let round = 0; ; round++) {
    try {
      return await work();
    } catch (error) {
      if (round > 100) throw new Error(`${error}\n${process_.output}${await readFile(join(folder, 'apache.log'), 'utf8').catch(() => "")}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
