/**
 * CPU per proxied request. Both proxies get the same requests for the same upstream, in turns, so that what disturbs the
 * machine disturbs both; a pair's ratio is what counts, and the median of the pairs is the result. The proxy under test
 * has a core of its own, and its CPU time is what the kernel says the process used, divided by the requests answered.
 */
import { readFileSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, setPriority } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { PASSWORD } from '../browser/lib/people.mjs';
import { ROOT, built, eventually, freePort, scratch, start } from '../browser/lib/processes.mjs';
import { Visitor } from '../browser/lib/visitor.mjs';

const PATH = '/api/todolist';
const CONNECTIONS = 64;
const TICKS_PER_SECOND = 100; // USER_HZ: what /proc counts in, on every Linux there is

const { values: flags } = parseArgs({
  options: {
    pairs: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '4' },
    profile: { type: 'string', default: 'release' },
  },
});
const PAIRS = Number(flags.pairs);
const SECONDS = Number(flags.seconds);

const cores = availableParallelism();
const [PROXY_CORE, LOAD_CORE] = cores > 1 ? [0, 1] : [0, 0];
if (cores === 1) console.log('only one core: the load shares it with the proxy, so latencies mean little');

const folder = scratch('bench');
const children = [];
try {
  await main();
} finally {
  await Promise.all(children.map((child) => child.stop('SIGTERM')));
}

async function main() {
  const upstream = await startNginx('upstream', LOAD_CORE, (port) => `
    map $http_authorization $token { default no; "~^Bearer ey" yes; }
    map $http_cookie $cookie { default yes; "" no; }
    server {
      listen 127.0.0.1:${port};
      location / { default_type application/json; return 200 '${'x'.repeat(200)}'; }
      location ${PATH}/probe { default_type text/plain; return 200 'token $token, cookie $cookie'; }
    }`);
  const nginx = await startNginx('proxy', PROXY_CORE, (port) => `
    upstream service { server 127.0.0.1:${upstream.port}; keepalive ${CONNECTIONS}; keepalive_requests 1000000000; }
    server {
      listen 127.0.0.1:${port};
      location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }`);
  const gateway = await startGateway(upstream.port);
  const headers = await signIn(gateway);
  const proxies = {
    nginx: { pid: await workerOf(nginx.process.pid), url: `http://127.0.0.1:${nginx.port}${PATH}` },
    gateway: { pid: gateway.process.pid, url: `http://localhost:${gateway.port}${PATH}` },
  };
  const script = await writeScript(headers);
  console.log(`\n${PAIRS} pairs of ${SECONDS} s, ${CONNECTIONS} connections, 200 bytes; proxy on core ${PROXY_CORE}, load and upstream on core ${LOAD_CORE}`);
  for (const proxy of Object.values(proxies)) await load(proxy, script, 1);

  const ratios = [];
  const p99 = { nginx: [], gateway: [] };
  for (let pair = 0; pair < PAIRS; pair++) {
    const result = {};
    // Who goes first changes, so that a machine that slows down favours nobody.
    const order = pair % 2 ? ['gateway', 'nginx'] : ['nginx', 'gateway'];
    for (const name of order) result[name] = await load(proxies[name], script, SECONDS);
    for (const name of order) p99[name].push(result[name].p99);
    ratios.push(result.gateway.cpu / result.nginx.cpu);
    const shown = ['nginx', 'gateway'].map((name) => {
      const { cpu, own, rate, p99 } = result[name];
      return `${name} ${cpu.toFixed(2).padStart(6)} µs (own ${own.toFixed(1)})  ${String(Math.round(rate)).padStart(6)}/s  p99 ${p99.toFixed(1).padStart(5)} ms`;
    });
    console.log(`  pair ${pair + 1}   ${shown.join('     ')}     ratio ${ratios.at(-1).toFixed(2)}`);
  }
  console.log(`\nCPU per signed-in proxied request, nginx proxy_pass = 1.00`);
  console.log(`gateway: ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}, median and spread of ${PAIRS} pairs)`);
  console.log(`p99 (median): nginx ${median(p99.nginx).toFixed(1)} ms, gateway ${median(p99.gateway).toFixed(1)} ms`);
}

/** Load for some seconds: CPU microseconds per request (all, and outside the kernel), requests per second, p99 in ms. */
async function load({ pid, url }, script, seconds) {
  const before = cpuSeconds(pid);
  const wrk = pinned(LOAD_CORE, 'wrk', [ '-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', script, url]);
  const [, json] = await wrk.said(/^RESULT (\{.*\})$/m);
  const after = cpuSeconds(pid);
  const { requests, microseconds, errors, p99 } = JSON.parse(json);
  if (errors > 0 || requests === 0) throw new Error(`${url}: ${errors} errors in ${requests} requests\n${wrk.output}`);
  const each = (seconds) => (seconds * 1e6) / requests;
  return { cpu: each(after.all - before.all), own: each(after.own - before.own), rate: (requests * 1e6) / microseconds, p99: p99 / 1000 };
}

/** Starts a program on one core and, where that is allowed, ahead of whatever else this machine does. */
function pinned(core, program, args) {
  const child = start('taskset', ['-c', String(core), program, ...args], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
  children.push(child);
  try {
    setPriority(child.pid, -15);
  } catch {
    // Only root may. The pairs are compared with each other, so the ratio holds all the same, with more spread.
  }
  return child;
}

/** Seconds of processor that a process with all its threads has used: in all, and of those in its own code. */
function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, kernel] = [Number(fields[11]), Number(fields[12])];
  return { all: (user + kernel) / TICKS_PER_SECOND, own: user / TICKS_PER_SECOND };
}

async function startNginx(name, core, http) {
  const port = await freePort();
  const conf = join(folder, `${name}.conf`);
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${name}-${kind};`);
  await writeFile(conf, `
    ${process.getuid() === 0 ? 'user root;' : ''}
    daemon off; worker_processes 1; pid ${folder}/${name}.pid; error_log stderr warn;
    events { worker_connections 1024; }
    http {
      access_log off; keepalive_requests 1000000000; ${temps.join(' ')}
      ${http(port)}
    }`);
  const process_ = pinned(core, 'nginx', ['-e', 'stderr', '-c', conf]);
  await reachable(`http://127.0.0.1:${port}/`, process_);
  return { port, process: process_ };
}

async function startGateway(upstreamPort) {
  const [port, admin, idpPort] = [await freePort(), await freePort(), await freePort()];
  const idp = await startProvider(port, idpPort);
  await cp(join(ROOT, 'deploy/dev-idp/todo-web.secret'), join(folder, 'client.secret'));
  await writeFile(join(folder, 'gateway.toml'), `
public_url = "http://localhost:${port}"

[listen]
http    = "127.0.0.1:${port}"
admin   = "127.0.0.1:${admin}"
workers = 1

[provider]
issuer        = "${idp}"
client_id     = "todo-web"
client_secret = { file = "client.secret" }
scopes        = ["profile", "email", "offline_access"]

[upstreams.todo-service]
servers = ["http://127.0.0.1:${upstreamPort}"]

[tokens.todo-read]
scopes = ["api://todo-service/ToDoList.Read"]

[[routes]]
path     = "${PATH}"
methods  = ["GET", "HEAD"]
upstream = "todo-service"
allow    = "signed-in"
token    = "todo-read"

[log]
level  = "warn"
access = false
`);
  const process_ = pinned(PROXY_CORE, built('gateway', flags.profile), ['--config', join(folder, 'gateway.toml')]);
  await reachable(`http://127.0.0.1:${admin}/readyz`, process_);
  return { port, process: process_ };
}

/** The development provider, with a tenant in which the gateway's address is the one of this run. */
async function startProvider(gatewayPort, port) {
  const shipped = join(ROOT, 'deploy/dev-idp');
  await cp(shipped, join(folder, 'tenant'), { recursive: true, filter: (path) => !path.startsWith(join(shipped, 'src')) });
  const tenant = await readFile(join(shipped, 'tenant.toml'), 'utf8');
  await writeFile(join(folder, 'tenant/tenant.toml'), tenant.replaceAll('localhost:3000', `localhost:${gatewayPort}`));
  const process_ = start(built('dev-idp'), ['--tenant', join(folder, 'tenant/tenant.toml'), '--port', String(port)]);
  children.push(process_);
  await reachable(`http://127.0.0.1:${port}/.well-known/openid-configuration`, process_);
  return `http://localhost:${port}`;
}

/** Signs in as a person does, and sees that the upstream gets what it must. @returns what each request must carry */
async function signIn({ port }) {
  const site = `http://localhost:${port}`;
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

async function writeScript(headers) {
  const path = join(folder, 'load.lua');
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`);
  await writeFile(path, `${lines.join('\n')}
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"microseconds":%d,"errors":%d,"p99":%d}\\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(99)))
end
`, { mode: 0o600 });
  return path;
}

/** nginx's one worker: the child of the process that was started. */
async function workerOf(pid) {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

async function reachable(url, process_) {
  const up = eventually(async () => (await fetch(url)).ok, { what: url });
  await Promise.race([up, process_.said(/(?!)/)]);
}

function median(numbers) {
  const sorted = [...numbers].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
