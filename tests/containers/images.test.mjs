/** The images of deploy/container: what is in them, what is not, and what they say when something is missing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';

import { ROOT, docker, eventually, inspect, run } from './lib/engine.mjs';

const MEBIBYTE = 1024 * 1024;
const PROGRAMS = ['gateway', 'todo-service', 'dev-idp'];
const image = (program) => `auth-gateway/${program}`;
const scratch = mkdtempSync('/tmp/images-');
after(() => rmSync(scratch, { recursive: true }));

/** Every file of an image, as `tar --list --verbose` shows it. */
function files(program) {
  const made = docker('create', image(program));
  try {
    const list = execFileSync('sh', ['-c', 'docker export "$1" | tar --list --verbose --numeric-owner', 'sh', made], { encoding: 'utf8' });
    return list.split('\n').filter(Boolean).map((line) => {
      const [mode, owner, size, , , ...path] = line.split(/\s+/);
      return { mode, owner, size: Number(size), path: `/${path.join(' ')}` };
    });
  } finally {
    docker('rm', made);
  }
}

/** A file of an image. */
function content(program, path) {
  const made = docker('create', image(program));
  try {
    const to = `${scratch}/${program}-${path.replaceAll('/', '-')}`;
    docker('cp', '--follow-link', `${made}:${path}`, to);
    return readFileSync(to);
  } finally {
    docker('rm', made);
  }
}

/** `name version` → checksum, of Cargo.lock. */
function locked() {
  const text = readFileSync(`${ROOT}/Cargo.lock`, 'utf8');
  return new Map([...text.matchAll(/^name = "(.*)"\nversion = "(.*)"(?:\nsource = ".*"\nchecksum = "(.*)")?/gm)]
    .map(([, name, version, sum]) => [`${name} ${version}`, sum]));
}

/** What a package is linked from at most: everything that ordinary dependencies lead to, with every feature in use. */
function reachable(program) {
  const metadata = JSON.parse(execFileSync('cargo', [
    'metadata', '--format-version', '1', '--locked', '--offline', '--filter-platform', `${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-unknown-linux-gnu`,
  ], { cwd: ROOT, encoding: 'utf8', maxBuffer: 256 << 20 }));
  const packages = new Map(metadata.packages.map((found) => [found.id, found]));
  const nodes = new Map(metadata.resolve.nodes.map((node) => [node.id, node]));
  const seen = new Set();
  const walk = (id) => {
    if (seen.has(id)) return;
    seen.add(id);
    for (const dep of nodes.get(id).deps) if (dep.dep_kinds.some((kind) => kind.kind === null)) walk(dep.pkg);
  };
  walk(metadata.packages.find((found) => found.name === program).id);
  return new Set([...seen].map((id) => `${packages.get(id).name} ${packages.get(id).version}`));
}

for (const program of PROGRAMS) {
  describe(`the image of ${program}`, () => {
    const all = files(program);
    const { Config, Size } = inspect(image(program));

    test('is small', () => {
      console.log(`${program}: ${(Size / MEBIBYTE).toFixed(1)} MiB`);
      assert.ok(Size <= 40 * MEBIBYTE, `${Size}`);
    });

    test('holds the program, its libraries and certificates, and no shell or tool', () => {
      // What the engine itself puts there is empty.
      const executable = all.filter(({ mode, size }) => /^-.*x/.test(mode) && size > 0).map(({ path }) => path);
      assert.ok(executable.includes(`/usr/bin/${program}`), `${executable}`);
      const others = executable.filter((path) => path !== `/usr/bin/${program}` && !/\/(lib|ld-)[^/]*\.so[.\d]*$/.test(path));
      assert.deepEqual(others, []);
      assert.ok(all.some(({ path, size }) => path === '/etc/ssl/certs/ca-certificates.crt' && size > 100_000));
      assert.deepEqual(all.filter(({ path }) => /\.(secret|key|pem|db)$/.test(path)), []);
      assert.deepEqual(all.filter(({ mode }) => /^-..s|^-.....s/.test(mode)), [], 'nothing runs as somebody else');
    });

    test('runs as nobody in particular, who owns nothing but the folder for what it keeps', () => {
      assert.equal(Config.User, '65532:65532');
      const owned = all.filter(({ owner }) => owner === '65532/65532').map(({ path }) => path);
      const expected = program === 'dev-idp' ? [] : [`/var/lib/${program}/`];
      assert.deepEqual(owned, expected);
      assert.deepEqual(all.filter(({ mode, path }) => /^[-d].......w/.test(mode) && !path.startsWith('/dev') && path !== '/tmp/'), []);
    });

    test('says what it is and how to ask it for its health', () => {
      const version = readFileSync(`${ROOT}/Cargo.toml`, 'utf8').match(/^version = "(.*)"$/m)[1];
      const labels = Config.Labels;
      assert.equal(labels['org.opencontainers.image.title'], program);
      assert.equal(labels['org.opencontainers.image.version'], version);
      assert.equal(labels['org.opencontainers.image.licenses'], 'Apache-2.0 OR MIT');
      assert.ok(labels['org.opencontainers.image.description'] && labels['org.opencontainers.image.revision']);
      assert.equal(Config.Healthcheck.Test[0], 'CMD', 'there is no shell to ask with');
      assert.equal(Config.Healthcheck.Test.at(-1), 'healthcheck');
    });

    test('is stripped', () => {
      const found = execFileSync('readelf', ['--sections', '--wide', (content(program, `/usr/bin/${program}`), `${scratch}/${program}--usr-bin-${program}`)], { encoding: 'utf8' });
      assert.doesNotMatch(found, /\.symtab|\.debug_/);
    });

    test('lists every crate that is in it, with the checksum of the lock file', () => {
      const bom = JSON.parse(content(program, `/usr/share/sbom/${program}.cdx.json`).toString());
      assert.equal(bom.bomFormat, 'CycloneDX');
      assert.equal(bom.metadata.component.name, program);
      const lock = locked();
      const crates = bom.components.filter(({ purl }) => purl.startsWith('pkg:cargo/'));
      for (const { name, version, hashes, licenses } of crates) {
        assert.ok(lock.has(`${name} ${version}`), `${name} ${version} is not in the lock file`);
        assert.equal(hashes?.[0].content, lock.get(`${name} ${version}`), name);
        assert.ok(licenses?.[0].expression, `${name} has a licence`);
      }
      const linked = new Set(crates.filter(({ scope }) => scope === 'required').map(({ name, version }) => `${name} ${version}`));
      const reach = reachable(program);
      assert.deepEqual([...linked].filter((crate) => !reach.has(crate)), [], 'listed, and nothing leads there');
      // What can panic left its path in the program.
      const text = content(program, `/usr/bin/${program}`).toString('latin1');
      const evident = new Set([...text.matchAll(/registry\/src\/[^/]+\/([A-Za-z0-9_-]+?)-(\d+\.\d+\.\d+[A-Za-z0-9.+-]*)\//g)].map(([, name, version]) => `${name} ${version}`));
      console.log(`${program}: ${linked.size} crates listed, ${evident.size} of them evident in the program`);
      assert.ok(evident.size > 30, `${evident.size}`);
      assert.deepEqual([...evident].filter((crate) => !linked.has(crate)), [], 'in the program, and not listed');
      const debian = bom.components.filter(({ purl }) => purl.startsWith('pkg:deb/')).map(({ name }) => name);
      assert.deepEqual(debian.sort(), ['ca-certificates', 'libc6', 'libgcc-s1']);
    });

    test('starts on a read-only root, without any right', async () => {
      const { status, output } = await run('--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true', '--network', 'none', image(program), '--version');
      assert.equal(status, 0, output);
      assert.match(output, new RegExp(`^${program} \\d`));
    });
  });
}

/** What a compose file has below `configs: NAME: content: |`. */
function inlined(name) {
  const text = readFileSync(`${ROOT}/deploy/compose/provider.yaml`, 'utf8');
  const [, block] = text.split(/^configs:$/m)[1].match(new RegExp(`^  ${name}:\\n    content: \\|\\n((?:(?: {6}.*)?\\n)+)`, 'm'));
  return block.replace(/^ {6}/gm, '');
}

describe('deploy/compose/provider.yaml', () => {
  /** What is left of a configuration without comments and without what a provider decides. */
  const skeleton = (toml) => toml.replace(/ *#.*$/gm, '').split(/^(?=\[)/m)
    .filter((section) => !/^\[(provider|tokens\.|\[issuers|postgres\.owner)/.test(section)).join('').replace(/\n+/g, '\n').trim();
  const filled = (name) => inlined(name).replaceAll('ISSUER', 'login').replace('CLIENT-ID', 'b1e8a3f4').replace('"API"', '"api"');

  test('differs from the shipped files in the provider only', () => {
    for (const [name, file] of [['gateway', 'gateway.toml'], ['todo-service', 'todo-service.toml']]) {
      assert.equal(skeleton(inlined(name)), skeleton(readFileSync(`${ROOT}/deploy/compose/${file}`, 'utf8')), name);
    }
  });

  test('is a configuration that the gateway and the service take, once its capitals are replaced', async () => {
    const key = 'q7Jm2Xw9ZtB4nRk8LcV5yHs3PdF6gTa1';
    const written = (name, text) => {
      writeFileSync(`${scratch}/${name}`, text, { mode: 0o644 });
      return `${scratch}/${name}`;
    };
    const mounts = Object.entries({
      [written('provider-gateway.toml', filled('gateway'))]: '/etc/gateway/gateway.toml',
      [written('provider.secret', 'Zp4vR8sK1wQ6yH3tN9cD')]: '/run/secrets/client_secret',
      [written('sessions-password', key)]: '/run/gateway/sessions-password',
      [written('session-key', `${key}${key}`)]: '/run/gateway/session-key',
      [`${ROOT}/web-ui`]: '/srv/web-ui',
    }).flatMap(([from, to]) => ['--volume', `${from}:${to}:ro`]);
    const { status, output } = await run('--network', 'none', ...mounts, image('gateway'), 'check');
    assert.equal(status, 0, output);
    assert.match(output, /no problems \(routes: 3/);
    const service = await run('--network', 'none',
      '--volume', `${written('provider-service.toml', filled('todo-service'))}:/etc/todo-service/todo-service.toml:ro`,
      '--volume', `${written('service-password', key)}:/run/todo-service/password:ro`, image('todo-service'), 'migrate');
    assert.equal(service.status, 1, service.output);
    assert.match(service.output, /database/, 'the settings are sound: the database is what is missing');
    assert.doesNotMatch(service.output, /toml:\d+/);
  });
});

describe('what is missing is named in one line, with what to do', () => {
  const mount = (from, to) => ['--volume', `${from}:${to}:ro`];
  const compose = `${ROOT}/deploy/compose`;
  const gateway = (toml, ...more) => {
    const file = `${scratch}/gateway-${Math.random()}.toml`;
    writeFileSync(file, toml, { mode: 0o644 });
    return run('--read-only', '--network', 'none', ...mount(file, '/etc/gateway/gateway.toml'), ...more, image('gateway'));
  };
  const SMALL = `public_url = "http://localhost:3000"
[provider]
issuer = "http://idp.localhost:3002"
client_id = "todo-web"
client_secret = { file = "/run/secrets/client_secret" }
`;
  const listens = (name) => {
    assert.equal(inspect(name).State.Running, true, docker('logs', name));
    return /listening/.test(docker('logs', name));
  };
  const secret = mount(`${ROOT}/deploy/dev-idp/todo-web.secret`, '/run/secrets/client_secret');

  test('a configuration that is not there', async () => {
    const { status, output } = await run(image('gateway'));
    assert.equal(status, 1, output);
    assert.match(output, /\/etc\/gateway\/gateway\.toml cannot be read/);
  });

  test('a secret file', async () => {
    const { status, output } = await gateway(SMALL);
    assert.equal(status, 1, output);
    assert.match(output, /\/run\/secrets\/client_secret/);
    const service = await run(...mount(`${compose}/todo-service.toml`, '/etc/todo-service/todo-service.toml'), image('todo-service'));
    assert.equal(service.status, 1, service.output);
    assert.match(service.output, /\/run\/todo-service\/password cannot be read; create it/);
  });

  test('a folder that cannot be written to', async () => {
    const { status, output } = await gateway(`${SMALL}[session]\nstore = { file = "/var/lib/gateway/sessions.db" }\n`, ...secret, '--mount', 'type=tmpfs,target=/var/lib/gateway,tmpfs-mode=0555');
    assert.equal(status, 1, output);
    assert.match(output, /\/var\/lib\/gateway/);
    // The positive twin: as the image declares it, the folder is the gateway's own.
    const made = docker('run', '--detach', '--read-only', ...mount(`${scratch}/twin.toml`, '/etc/gateway/gateway.toml'), ...secret, image('gateway'));
    try {
      await eventually('it listens', () => listens(made), 20);
    } finally {
      docker('rm', '--force', '--volumes', made);
    }
  });
  writeFileSync(`${scratch}/twin.toml`, `${SMALL}[session]\nstore = { file = "/var/lib/gateway/sessions.db" }\n`, { mode: 0o644 });

  test('a port that somebody else has', async () => {
    const first = docker('run', '--detach', ...mount(`${scratch}/twin.toml`, '/etc/gateway/gateway.toml'), ...secret, image('gateway'));
    try {
      await eventually('the first one listens', () => listens(first), 20);
      const { status, output } = await run('--network', `container:${first}`, ...mount(`${scratch}/twin.toml`, '/etc/gateway/gateway.toml'), ...secret, image('gateway'));
      assert.equal(status, 1, output);
      assert.match(output, /127\.0\.0\.1:300[03]/);
    } finally {
      docker('rm', '--force', '--volumes', first);
    }
  });

  test('the development provider stays on loopback without a container, and needs a name of this machine', async () => {
    const { status, output } = await run(...mount(`${ROOT}/deploy/dev-idp/tenant.toml`, '/etc/dev-idp/tenant.toml'), image('dev-idp'), '--in-container', 'idp.example');
    assert.equal(status, 1, output);
    assert.match(output, /is not localhost or a name under it/);
  });
});
