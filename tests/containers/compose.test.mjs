/**
 * deploy/compose on a real engine: `up` to a signed-in to-do list, then each container dies once, then two gateways. What
 * a person kept must be there every time.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch } from '../browser/lib/chromium.mjs';
import { ALICE, BOB, add, item, signIn } from '../browser/lib/people.mjs';
import { Visitor } from '../browser/lib/visitor.mjs';
import { Project, crash, docker, eventually, inspect, isUp, outcome } from './lib/engine.mjs';
import { SITE, Person } from './lib/person.mjs';

const project = new Project('deploy/compose', 'compose-test');
const scaled = project.with('compose.yaml', 'scale.yaml');
const SERVICES = ['gateway', 'todo-service', 'dev-idp', 'sessions', 'database'];
const ONCE = ['secrets', 'migrate'];

/** The one container of a service, whether it runs or has ended. */
const container = (service) => docker('ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${project.name}`, '--filter', `label=com.docker.compose.service=${service}`);

describe('docker compose up', { timeout: 600_000 }, () => {
  let bob;

  before(() => {
    project.down();
    const begun = Date.now();
    try {
      project.compose('up', '--detach', '--no-build');
    } catch (error) {
      console.error(project.logs());
      throw error;
    }
    console.log(`up after ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  });

  after(() => project.down());

  test('one command brings everything up in order, and all of it says that it is well', async () => {
    for (const service of SERVICES) await eventually(`${service} is healthy`, () => inspect(container(service)).State.Health.Status === 'healthy');
    for (const service of ONCE) {
      const { State } = inspect(container(service));
      assert.deepEqual([State.Running, State.ExitCode], [false, 0], service);
    }
    const started = (service) => Date.parse(inspect(container(service)).State.StartedAt);
    const ended = (service) => Date.parse(inspect(container(service)).State.FinishedAt);
    assert.ok(ended('secrets') <= started('database') && ended('secrets') <= started('sessions'));
    assert.ok(started('database') < started('migrate') && ended('migrate') <= started('todo-service'));
    for (const earlier of ['todo-service', 'dev-idp', 'sessions']) assert.ok(started(earlier) < started('gateway'), earlier);
  });

  test('every container is confined, and two ports are published on this machine only', () => {
    const published = [];
    for (const service of [...SERVICES, ...ONCE]) {
      const { HostConfig, Config } = inspect(container(service));
      assert.equal(HostConfig.ReadonlyRootfs, true, service);
      assert.deepEqual(HostConfig.CapDrop, ['ALL'], service);
      assert.deepEqual(HostConfig.CapAdd ?? [], service === 'secrets' ? ['CHOWN'] : [], service);
      assert.ok(HostConfig.SecurityOpt.some((option) => option.startsWith('no-new-privileges')), service);
      assert.ok(HostConfig.Memory > 0 && HostConfig.PidsLimit > 0, service);
      if (SERVICES.includes(service)) assert.ok(Config.User && !/^(0|root)\b/.test(Config.User), `${service} runs as ${Config.User}`);
      for (const [port, bindings] of Object.entries(HostConfig.PortBindings ?? {})) {
        for (const { HostIp, HostPort } of bindings ?? []) published.push(`${service} ${HostIp}:${HostPort} ${port}`);
      }
    }
    assert.deepEqual(published.sort(), ['dev-idp 127.0.0.1:3002 3002/tcp', 'gateway 127.0.0.1:3000 3000/tcp']);
    for (const network of ['api', 'sessions', 'data']) assert.equal(inspect(`${project.name}_${network}`).Internal, true, network);
  });

  test('no secret stands in an environment, a command line or a log, and each part has its own only', () => {
    const read = (service, path) => docker('exec', container(service), 'cat', path);
    const secrets = ['service', 'owner', 'superuser'].map((name) => read('database', `/run/database/${name}`));
    secrets.push(read('sessions', '/run/valkey/password'));
    assert.equal(new Set(secrets).size, secrets.length);
    const told = [...SERVICES, ...ONCE].map((service) => {
      const { Config, Args, Path } = inspect(container(service));
      return JSON.stringify([Config.Env, Config.Cmd, Config.Labels, Args, Path]);
    }).join('\n') + project.logs() + docker('top', container('sessions'), '-eo', 'pid,args');
    for (const secret of secrets) {
      assert.ok(secret.length >= 40);
      assert.ok(!told.includes(secret), 'a secret is shown');
    }
    const mounts = (service) => inspect(container(service)).Mounts.filter(({ Type }) => Type === 'volume').map(({ Name }) => Name.replace(`${project.name}_`, ''));
    assert.deepEqual(mounts('todo-service').filter((name) => name.endsWith('secrets')), ['service-secrets']);
    assert.deepEqual(mounts('gateway').filter((name) => name.endsWith('secrets')), ['gateway-secrets']);
  });

  test('the service may use the tables and do nothing else to them', async () => {
    const psql = (role, sql) => outcome('docker', 'exec', container('database'), 'sh', '-c',
      `PGPASSWORD=$(cat /run/database/${role === 'todo' ? 'service' : 'owner'}) psql --no-psqlrc --tuples-only --host 127.0.0.1 --username ${role} --dbname todo --command "$1"`, 'sh', sql);
    const count = await psql('todo', 'SELECT count(*) FROM todo');
    assert.deepEqual([count.status, count.output.trim()], [0, '0'], count.output);
    for (const sql of ['DROP TABLE todo', 'ALTER TABLE todo ADD COLUMN x int', 'CREATE TABLE x (x int)', 'TRUNCATE todo', 'DELETE FROM _sqlx_migrations', 'CREATE ROLE x']) {
      const { status, output } = await psql('todo', sql);
      assert.notEqual(status, 0, sql);
      assert.match(output, /must be owner|permission denied/, sql);
    }
    const owner = await psql('todo_owner', 'CREATE TABLE x (x int); DROP TABLE x');
    assert.equal(owner.status, 0, owner.output);
  });

  test('a person signs in with a browser and works on the list', async () => {
    const browser = await launch();
    try {
      const page = await (await browser.newContext()).newPage();
      const complaints = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      await signIn(page, SITE, ALICE);
      await add(page, 'Water the plants');
      await page.reload();
      await item(page, 'Water the plants').waitFor();
      assert.deepEqual(complaints, []);
      assert.equal(new URL(page.url()).origin, SITE);
    } finally {
      await browser.close();
    }
  });

  test('only the site answers, and only by its own name', async () => {
    const stranger = await new Visitor().send(`${SITE}/`, { headers: { host: 'elsewhere.example' } });
    assert.equal(stranger.status, 421);
    const idp = await new Visitor().send('http://idp.localhost:3002/', { headers: { host: 'elsewhere.example:3002' } });
    assert.equal(idp.status, 421);
  });

  test('what was kept outlives the death of each container', async () => {
    bob = await Person.signedIn(BOB);
    await bob.add('Book the train');
    for (const service of ['gateway', 'todo-service', 'database', 'sessions', 'dev-idp']) {
      const name = container(service);
      const since = crash(name);
      await eventually(`${service} is back`, () => isUp(name, since));
      await eventually(`Bob has his list after ${service} died`, async () => {
        const { status, items } = await bob.list();
        assert.equal(status, 200);
        return items.includes('Book the train');
      });
      assert.equal(await bob.isSignedIn(), true, service);
    }
  });

  test('a database that is away is said to be away, and comes back with everything', async () => {
    const ready = () => outcome('docker', 'exec', container('todo-service'), '/usr/bin/todo-service', 'healthcheck', '--ready');
    assert.equal((await ready()).status, 0);
    project.compose('stop', 'database');
    await eventually('the list says so', async () => (await bob.list()).status === 503);
    const { status, output } = await ready();
    assert.equal(status, 1, output);
    assert.match(output, /database/, 'in one line, with the thing');
    assert.equal(inspect(container('todo-service')).State.Health.Status, 'healthy', 'a restart would not help it');
    assert.equal(await bob.isSignedIn(), true);
    project.compose('start', 'database');
    await eventually('the list is back', async () => (await bob.list()).items.includes('Book the train'));
    assert.equal((await ready()).status, 0);
  });

  test('another start finds passwords, sessions and to-dos as they were', async () => {
    project.compose('down', '--timeout', '5');
    project.compose('up', '--detach', '--no-build');
    assert.match(project.logs('secrets'), /they are there already/);
    await eventually('the gateway is healthy', () => inspect(container('gateway')).State.Health.Status === 'healthy');
    assert.equal(await bob.isSignedIn(), true);
    // The provider has forgotten him with all its accounts' sessions and keys: he may have to sign in again.
    const again = await Person.signedIn(BOB);
    const { items } = await again.list();
    assert.deepEqual(items, ['Book the train']);
    bob = again;
  });

  test('two gateways behind one port share every session, and one may die', async () => {
    project.compose('down', '--timeout', '5');
    scaled.compose('up', '--detach', '--no-build', '--scale', 'gateway=2');
    const gateways = scaled.containers('gateway');
    assert.equal(gateways.length, 2);
    await eventually('the site answers', async () => (await new Visitor().send(`${SITE}/`)).status === 200);
    assert.equal(await bob.isSignedIn(), true, 'a session from before');
    const carol = await Person.signedIn(ALICE);
    await eventually('both gateways answered her', async () => {
      for (let round = 0; round < 10; round++) assert.equal(await carol.isSignedIn(), true);
      return gateways.every((name) => docker('logs', name).includes('/auth/session'));
    });
    const since = crash(gateways[0]);
    for (let round = 0; round < 20; round++) assert.equal(await carol.isSignedIn(), true, 'nobody who reads notices');
    await carol.add('Still here');
    for (let round = 0; round < 20; round++) assert.deepEqual([await carol.isSignedIn(), (await carol.list()).items.includes('Still here')], [true, true]);
    await eventually('the other is back', () => isUp(gateways[0], since));
    const logged = docker('logs', gateways[0]).length;
    await eventually('and takes its part', async () => {
      for (let round = 0; round < 10; round++) assert.equal(await carol.isSignedIn(), true);
      return docker('logs', gateways[0]).length > logged + 1000;
    });
    await carol.signOut();
    assert.equal(await carol.isSignedIn(), false);
    assert.equal(inspect(scaled.containers('entry')[0]).HostConfig.ReadonlyRootfs, true);
    scaled.compose('down', '--timeout', '5');
  });
});
