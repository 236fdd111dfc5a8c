/** Static files beside nginx with sendfile: what a small one and a large one cost. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { CONNECTIONS, PROXY_CORE, folder, load, ratio, run, startNginx, turns, writeScript } from './machine.mjs';
import { startGateway, startProvider, startUpstream } from './site.mjs';
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
  const root = join(folder, 'files');
  await mkdir(root, { recursive: true });
  await writeFile(join(root, '1k.txt'), 'x'.repeat(1024));
  await writeFile(join(root, '1m.bin'), Buffer.alloc(1024 * 1024, 'x'));
  const nginx = await startNginx('files', PROXY_CORE, (port) => `
    sendfile on; tcp_nopush on;
    types { text/plain txt; application/octet-stream bin; }
    server { listen 127.0.0.1:${port}; location /files/ { root ${folder}; } location = / { return 200 'ready'; } }`);
  const more = `[[routes]]\npath  = "/files"\nfiles = "${root}"\nallow = "anyone"\n`;
  const gateway = await startGateway('gateway', await startProvider(), await startUpstream(), { profile: flags.profile, more });
  const script = await writeScript('files', {}, ['a=b']);
  const rows = [];
  for (const [file, what, bound] of [['1k.txt', '1 KiB', 1], ['1m.bin', '1 MiB', 1.5]]) {
    const sides = {
      nginx: () => load({ pid: nginx.pid, url: `http://127.0.0.1:${nginx.port}/files/${file}` }, script, SECONDS),
      gateway: () => load({ pid: gateway.pid, url: `${gateway.url}/files/${file}` }, script, SECONDS),
    };
    for (const side of Object.values(sides)) await side();
    console.log(`\n${PAIRS} pairs of ${SECONDS} s, ${CONNECTIONS} connections: a file of ${what}`);
    rows.push(ratio(`CPU of a static file of ${what}, nginx with sendfile = 1`, (await turns(sides, PAIRS)).gateway.cpu, bound));
  }
  report('files', rows);
}
