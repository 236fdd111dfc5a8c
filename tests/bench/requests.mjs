/**
 * CPU per proxied request. Both proxies get the same requests for the same upstream, in turns, so that what disturbs the
 * machine disturbs both; a pair's ratio is what counts, and the median of the pairs is the result. The proxy under test
 * has a core of its own, and its CPU time is what the kernel says the process used, divided by the requests answered.
 */
import { parseArgs } from 'node:util';

import { CONNECTIONS, LOAD_CORE, PROXY_CORE, load, median, run, startNginx, workerOf, writeScript } from './machine.mjs';
import { PATH, signIn, startGateway, startProvider, startUpstream } from './site.mjs';

const { values: flags } = parseArgs({
  options: {
    pairs: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '4' },
    profile: { type: 'string', default: 'release' },
  },
});
const PAIRS = Number(flags.pairs);
const SECONDS = Number(flags.seconds);

await run(main);

async function main() {
  const upstream = await startUpstream();
  const nginx = await startNginx('proxy', PROXY_CORE, (port) => `
    upstream service { server 127.0.0.1:${upstream.port}; keepalive ${CONNECTIONS}; keepalive_requests 1000000000; }
    server {
      listen 127.0.0.1:${port};
      location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }`);
  const provider = await startProvider();
  const gateway = await startGateway('gateway', provider, upstream, { profile: flags.profile });
  const { cookie, ...headers } = await signIn(gateway);
  const proxies = {
    nginx: { pid: await workerOf(nginx.process.pid), url: `http://127.0.0.1:${nginx.port}${PATH}` },
    gateway: { pid: gateway.process.pid, url: `http://localhost:${gateway.port}${PATH}` },
  };
  const script = await writeScript('requests', headers, [cookie]);
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
