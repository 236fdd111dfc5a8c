/**
 * A signed-in request, proxied with its token, beside nginx's plain `proxy_pass`: CPU per request and p99, with access logs
 * off and once more with both on; and what a second worker brings. The proxy under test has a core of its own; its CPU
 * time is what the kernel says that it used, divided by the requests answered.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { CONNECTIONS, LOAD_CORE, PROXY_CORE, folder, load, median, ratio, run, startNginx, turns, writeScript } from './machine.mjs';
import { PATH, signIn, startGateway, startProvider, startUpstream } from './site.mjs';
import { report } from './table.mjs';

const { values: flags } = parseArgs({
  options: {
    pairs: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '4' },
    profile: { type: 'string', default: 'release' },
  },
});
const [PAIRS, SECONDS] = [Number(flags.pairs), Number(flags.seconds)];

await run(main);

async function main() {
  const upstream = await startUpstream();
  const rows = [];
  for (const access of [false, true]) {
    const found = await compare(upstream, access);
    const logs = access ? 'access logs on' : 'access logs off';
    rows.push(ratio(`CPU of a signed-in request, nginx = 1, ${logs}`, found.gateway.cpu, 1));
    rows.push(ratio(`its p99 at ${CONNECTIONS} connections, nginx = 1, ${logs}`, found.gateway.p99, 1));
    rows.push({ ...ratio(`of its CPU, what is not the kernel's, nginx = 1, ${logs}`, found.gateway.own), bound: undefined });
  }
  rows.push(await scale(upstream));
  report('requests', rows);
}

async function compare(upstream, access) {
  const log = access ? join(folder, 'nginx.log') : 'off';
  const nginx = await startNginx(access ? 'logging' : 'proxy', PROXY_CORE, (port) => `
    upstream service { server 127.0.0.1:${upstream.port}; keepalive ${CONNECTIONS}; keepalive_requests 1000000000; }
    server {
      listen 127.0.0.1:${port};
      location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }`, { log });
  const provider = await startProvider();
  const gateway = await startGateway(`gateway-${access}`, provider, upstream, { profile: flags.profile, access });
  const { cookie, ...headers } = await signIn(gateway);
  const script = await writeScript('requests', headers, [cookie]);
  const sides = {
    nginx: () => load({ pid: nginx.pid, url: `http://127.0.0.1:${nginx.port}${PATH}` }, script, SECONDS),
    gateway: () => load({ pid: gateway.pid, url: `${gateway.url}${PATH}` }, script, SECONDS),
  };
  for (const side of Object.values(sides)) await side();
  console.log(`\n${PAIRS} pairs of ${SECONDS} s, ${CONNECTIONS} connections, 200 bytes, access logs ${access ? 'on' : 'off'}; proxy on core ${PROXY_CORE}, load and upstream on core ${LOAD_CORE}`);
  const found = await turns(sides, PAIRS);
  await Promise.all([nginx, gateway].map(({ process }) => process.stop('SIGTERM')));
  return found;
}

/**
 * What two workers bring over one, on a machine that may have no core to spare for the load: if a request costs as much
 * CPU on two as on one, nothing is shared that they wait for, and twice the cores do twice the work. Its share of that is
 * the figure, as the loss: 2 / 1.8 is the most that it may cost.
 */
async function scale(upstream) {
  const sides = {};
  for (const workers of [1, 2]) {
    const provider = await startProvider();
    const gateway = await startGateway(`workers-${workers}`, provider, upstream, { profile: flags.profile, workers, cores: '0,1' });
    const { cookie, ...headers } = await signIn(gateway);
    const script = await writeScript(`workers-${workers}`, headers, [cookie]);
    const side = { pid: gateway.pid, url: `${gateway.url}${PATH}`, cores: '0,1', threads: 2 };
    sides[`workers-${workers}`] = () => load(side, script, SECONDS);
  }
  console.log(`\n${PAIRS} pairs of ${SECONDS} s: one worker and two, all programs on the same cores`);
  const { 'workers-2': two } = await turns(sides, PAIRS);
  const gain = two.cpu.map((cost) => 2 / cost);
  return {
    what: 'throughput of two workers, that of one = 1, as 1.8 / measured',
    measured: 1.8 / median(gain),
    spread: [1.8 / Math.max(...gain), 1.8 / Math.min(...gain)],
    bound: 1,
  };
}
