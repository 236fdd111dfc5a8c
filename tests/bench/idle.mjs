/** Ten thousand connections that do nothing: the memory that each holds, and what they do to those that work. */
import { connect } from 'node:net';
import { parseArgs } from 'node:util';

import { CONNECTIONS, load, median, memoryOf, run, writeScript } from './machine.mjs';
import { PATH, signIn, startGateway, startProvider, startUpstream } from './site.mjs';
import { report } from './table.mjs';

const { values: flags } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    idle: { type: 'string', default: '10000' },
    profile: { type: 'string', default: 'release' },
  },
});
const [PAIRS, SECONDS, IDLE] = [Number(flags.pairs), Number(flags.seconds), Number(flags.idle)];

await run(main);

async function main() {
  const upstream = await startUpstream();
  const gateway = await startGateway('gateway', await startProvider(), upstream, { profile: flags.profile });
  const { cookie, ...headers } = await signIn(gateway);
  const script = await writeScript('idle', headers, [cookie]);
  const busy = async () => (await load({ pid: gateway.pid, url: `${gateway.url}${PATH}` }, script, SECONDS)).p99;
  await busy();
  const ratios = [];
  let [each, first] = [0, 0];
  for (let pair = 0; pair < PAIRS; pair++) {
    const alone = await busy();
    const before = memoryOf(gateway.pid);
    const sockets = await open(gateway.port, Object.entries({ cookie, ...headers }));
    each = (memoryOf(gateway.pid) - before) / IDLE || each;
    const beside = await busy();
    ratios.push(beside / alone);
    console.log(`  pair ${pair + 1}   p99 ${alone.toFixed(2)} ms alone, ${beside.toFixed(2)} ms beside ${IDLE} idle connections of ${Math.round(each)} bytes each`);
    if (pair === 0) first = each; // later ones fill what the first have left
    sockets.forEach((socket) => socket.destroy());
  }
  report('idle', [
    { what: 'memory of a connection that is idle after a request', measured: first / 1024, bound: 12, unit: 'KiB' },
    { what: `p99 of ${CONNECTIONS} connections beside ${IDLE} idle ones, alone = 1`, measured: median(ratios), spread: [Math.min(...ratios), Math.max(...ratios)], bound: 1.2 },
  ]);
}

/** Opens connections, each idle after one request that was answered. */
async function open(port, headers) {
  const request = `GET ${PATH} HTTP/1.1\r\nHost: localhost:${port}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  const sockets = [];
  while (sockets.length < IDLE) {
    const lot = Array.from({ length: Math.min(100, IDLE - sockets.length) }, () => ask(port, request));
    sockets.push(...(await Promise.all(lot)));
  }
  return sockets;
}

function ask(port, request) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.on('error', reject);
    socket.once('data', (answer) => (answer.toString().startsWith('HTTP/1.1 200') ? resolve(socket) : reject(new Error(String(answer)))));
  });
}
