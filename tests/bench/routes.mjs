/** What ten thousand routes cost beside ten: per request, and at the start. */
import { parseArgs } from 'node:util';

import { CONNECTIONS, load, median, ratio, run, turns, writeScript } from './machine.mjs';
import { PATH, configure, signIn, startGateway, startProvider, startUpstream } from './site.mjs';
import { built, start } from '../browser/lib/processes.mjs';
import { report } from './table.mjs';

const { values: flags } = parseArgs({
  options: {
    pairs: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    profile: { type: 'string', default: 'release' },
  },
});
const [PAIRS, SECONDS] = [Number(flags.pairs), Number(flags.seconds)];

await run(main);

async function main() {
  const upstream = await startUpstream();
  const sides = {};
  for (const count of [10, 10_000]) {
    const gateway = await startGateway(`routes-${count}`, await startProvider(), upstream, { profile: flags.profile, more: routes(count) });
    const { cookie, ...headers } = await signIn(gateway);
    const script = await writeScript(`routes-${count}`, headers, [cookie]);
    sides[count] = () => load({ pid: gateway.pid, url: `${gateway.url}${PATH}` }, script, SECONDS);
    await sides[count]();
  }
  console.log(`\n${PAIRS} pairs of ${SECONDS} s, ${CONNECTIONS} connections: 10 routes and 10,000`);
  const found = await turns(sides, PAIRS);
  const starts = [];
  for (let round = 0; round < 5; round++) starts.push(await startTime(upstream));
  report('routes', [
    ratio('CPU of a request among 10,000 routes, among 10 = 1', found[10_000].cpu, 1.05),
    { what: 'until a gateway with 10,000 routes listens', measured: median(starts), spread: [Math.min(...starts), Math.max(...starts)], bound: 100, unit: 'ms' },
  ]);
}

function routes(count) {
  const numbers = Array.from({ length: count }, (_, number) => number);
  return numbers.map((number) => `[[routes]]\npath = "/api/service-${number}/v1"\nupstream = "todo-service"\nallow = "signed-in"\n`).join('');
}

/** From the program's start until it says that it listens. */
async function startTime(upstream) {
  const config = await configure('start', await startProvider(), upstream, { more: routes(10_000) });
  const begun = performance.now();
  const gateway = start(built('gateway', flags.profile), ['--config', config.path], { env: { ...process.env, GATEWAY_LOG: 'info' } });
  await listening(config.admin);
  const took = performance.now() - begun;
  await gateway.stop('SIGTERM');
  return took;
}

async function listening(port) {
  for (;;) {
    try {
      await fetch(`http://127.0.0.1:${port}/healthz`);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}
