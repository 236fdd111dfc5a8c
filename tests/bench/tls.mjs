/** A signed-in request over TLS, HTTP/1.1 and HTTP/2, beside nginx with the same certificate and ciphers. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { CONNECTIONS, PROXY_CORE, folder, load, loadHttp2, ratio, run, startNginx, turns, writeScript } from './machine.mjs';
import { PATH, signIn, startGateway, startProvider, startUpstream } from './site.mjs';
import { report } from './table.mjs';

const { values: flags } = parseArgs({
  options: {
    pairs: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    profile: { type: 'string', default: 'release' },
  },
});
const [PAIRS, SECONDS] = [Number(flags.pairs), Number(flags.seconds)];
// The certificate is this run's own, and so is everybody who looks at it.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
process.removeAllListeners('warning');

await run(main);

async function main() {
  const https = makeCertificate();
  const upstream = await startUpstream();
  const nginx = await startNginx('tls', PROXY_CORE, (port) => `
    upstream service { server 127.0.0.1:${upstream.port}; keepalive ${CONNECTIONS}; keepalive_requests 1000000000; }
    server {
      listen 127.0.0.1:${port} ssl http2;
      ssl_certificate ${https.certificate}; ssl_certificate_key ${https.key};
      ssl_protocols TLSv1.3; ssl_session_cache off;
      location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }`, { scheme: 'https' });
  const provider = await startProvider({ scheme: 'https' });
  const gateway = await startGateway('tls', provider, upstream, { profile: flags.profile, https });
  const headers = await signIn(gateway);
  const { cookie, ...others } = headers;
  const script = await writeScript('tls', others, [cookie]);
  const [ours, theirs] = [`${gateway.url}${PATH}`, `https://localhost:${nginx.port}${PATH}`];
  const sides = {
    'HTTP/1.1': {
      nginx: () => load({ pid: nginx.pid, url: theirs }, script, SECONDS),
      gateway: () => load({ pid: gateway.pid, url: ours }, script, SECONDS),
    },
    'HTTP/2': {
      nginx: () => loadHttp2({ pid: nginx.pid, url: theirs, headers }, SECONDS),
      gateway: () => loadHttp2({ pid: gateway.pid, url: ours, headers }, SECONDS),
    },
  };
  const rows = [];
  for (const [protocol, both] of Object.entries(sides)) {
    for (const side of Object.values(both)) await side();
    console.log(`\n${PAIRS} pairs of ${SECONDS} s over TLS 1.3: ${protocol}`);
    rows.push(ratio(`CPU of a signed-in request over TLS, ${protocol}, nginx = 1`, (await turns(both, PAIRS)).gateway.cpu, 1.1));
  }
  report('tls', rows);
}

/** For localhost, on the curve that everybody uses. */
function makeCertificate() {
  const [certificate, key] = [join(folder, 'site.pem'), join(folder, 'site.key')];
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', certificate,
  ], { stdio: 'ignore' });
  return { certificate, key };
}
