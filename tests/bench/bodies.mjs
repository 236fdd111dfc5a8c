/** A gibibyte up and one down, with a peer that is slow: what it does to the gateway's memory, and to requests beside it. */
import { createServer, request } from 'node:http';
import { parseArgs } from 'node:util';

import { load, memoryOf, run, writeScript } from './machine.mjs';
import { PATH, startGateway, startProvider, startUpstream } from './site.mjs';
import { report } from './table.mjs';

const { values: flags } = parseArgs({
  options: {
    mebibytes: { type: 'string', default: '1024' },
    profile: { type: 'string', default: 'release' },
  },
});
const BYTES = Number(flags.mebibytes) * 1024 * 1024;
const PIECE = Buffer.alloc(256 * 1024, 'x');
/** How often a slow reader takes a piece. */
const PAUSE = 1;

await run(main);

async function main() {
  const store = await startStore();
  const more = `[upstreams.store]\nservers = ["http://127.0.0.1:${store.port}"]\n[[routes]]\npath = "/large"\nupstream = "store"\nallow = "anyone"\nmax_body = "unlimited"\n`;
  const gateway = await startGateway('gateway', await startProvider(), await startUpstream(), { profile: flags.profile, more });
  const script = await writeScript('small', { accept: 'application/json' }, ['a=b']);
  const small = async () => (await load({ pid: gateway.pid, url: `${gateway.url}/large/small` }, script, 3, 4)).max;
  const alone = await small();
  const before = memoryOf(gateway.pid);
  let most = before;
  const watch = setInterval(() => { most = Math.max(most, memoryOf(gateway.pid)); }, 50);
  const [down, up] = [download(gateway.port), upload(gateway.port)];
  const beside = await small();
  const [received, sent] = await Promise.all([down, up]);
  clearInterval(watch);
  store.server.close();
  if (received !== BYTES || sent !== BYTES) throw new Error(`${received} bytes down and ${sent} up instead of ${BYTES}`);
  report('bodies', [
    { what: `memory for ${flags.mebibytes} MiB up and down at a time, slow readers`, measured: (most - before) / 1024 / 1024, bound: 64, unit: 'MiB' },
    { what: 'slowest small request beside them', measured: beside, bound: 100, unit: 'ms' },
    { what: 'slowest small request alone', measured: alone, unit: 'ms' },
  ]);
}

/** Sends as fast as it is taken, and takes slowly what it is sent. */
async function startStore() {
  const server = createServer(async (incoming, outgoing) => {
    if (incoming.method === 'POST') {
      outgoing.end(String(await slowly(incoming)));
    } else if (incoming.url.endsWith('small')) {
      outgoing.end('x'.repeat(200));
    } else {
      outgoing.writeHead(200, { 'content-length': BYTES });
      for (let sent = 0; sent < BYTES; sent += PIECE.length) if (!outgoing.write(PIECE)) await drained(outgoing);
      outgoing.end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return { server, port: server.address().port };
}

function download(port) {
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', path: '/large/down', headers: { host: `localhost:${port}` } });
    asked.on('response', (answer) => slowly(answer).then(resolve, reject)).on('error', reject).end();
  });
}

function upload(port) {
  return new Promise((resolve, reject) => {
    const headers = { host: `localhost:${port}`, 'content-length': BYTES };
    const asked = request({ port, host: '127.0.0.1', method: 'POST', path: '/large/up', headers });
    asked.on('error', reject).on('response', (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', () => resolve(Number(text)));
    });
    (async () => {
      for (let sent = 0; sent < BYTES; sent += PIECE.length) if (!asked.write(PIECE)) await drained(asked);
      asked.end();
    })().catch(reject);
  });
}

async function slowly(stream) {
  let bytes = 0;
  let since = 0;
  for await (const piece of stream) {
    bytes += piece.length;
    since += piece.length;
    if (since < PIECE.length * 8) continue;
    since = 0;
    await new Promise((resolve) => setTimeout(resolve, PAUSE * 8));
  }
  return bytes;
}

function drained(stream) {
  return new Promise((resolve) => stream.once('drain', resolve));
}
