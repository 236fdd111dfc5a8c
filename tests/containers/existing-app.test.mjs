/** deploy/compose/existing-app: an app that believes a header, and the one way in which that header comes about. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { ALICE, BOB } from '../browser/lib/people.mjs';
import { Visitor } from '../browser/lib/visitor.mjs';
import { Project, crash, eventually, inspect, isUp } from './lib/engine.mjs';
import { NAVIGATION, Person, SITE } from './lib/person.mjs';

const project = new Project('deploy/compose/existing-app', 'existing-app-test');

/** Opens Grafana's WebSocket through the gateway: the status, or what it says first and what it answers to `text`. */
function live(visitor, { origin = SITE, text = 'hello', headers = {} } = {}) {
  const cookie = Object.entries(visitor.cookies(SITE)).map(([name, value]) => `${name}=${value}`).join('; ');
  return new Promise((resolve, reject) => {
    const call = request({
      host: '127.0.0.1', port: 3000, path: '/api/live/ws', timeout: 10_000,
      headers: {
        host: 'localhost:3000', origin, cookie, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers,
      },
    });
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', reject);
    call.on('response', (answer) => { answer.resume(); resolve({ status: answer.statusCode }); });
    call.on('upgrade', (answer, socket, head) => {
      let heard = head;
      const read = () => {
        const frames = [];
        for (let at = 0; at + 2 <= heard.length && at + 2 + heard[at + 1] <= heard.length; at += 2 + heard[at + 1]) {
          frames.push(heard.subarray(at + 2, at + 2 + heard[at + 1]).toString());
        }
        if (frames.length < 2) return;
        socket.destroy();
        resolve({ status: answer.statusCode, frames });
      };
      socket.on('data', (data) => { heard = Buffer.concat([heard, data]); read(); });
      socket.on('error', reject);
      const data = Buffer.from(text);
      socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | data.length, 0, 0, 0, 0]), data]));
      read();
    });
    call.end();
  });
}

describe('an app that people have already', { timeout: 300_000 }, () => {
  before(async () => {
    project.down();
    project.compose('up', '--detach', '--no-build');
    await eventually('the gateway is healthy', () => inspect(project.containers('gateway')[0]).State.Health.Status === 'healthy');
  });
  after(() => project.down());

  test('a person is sent to sign in, and the app greets them by the name that the provider gave', async () => {
    const alice = new Person();
    const page = await alice.enter(`${SITE}/d/first`, ALICE);
    assert.equal(page.url, `${SITE}/d/first`);
    assert.match(page.body, /Welcome, alice@example\.com/);
  });

  test('a form of the app is posted from its own page and from nowhere else', async () => {
    const alice = await Person.signedIn(ALICE, '/');
    const page = await alice.visitor.open(`${SITE}/`, { headers: NAVIGATION });
    const saved = await alice.visitor.submit(page, { title: 'Power' });
    assert.match(saved.body, /Power by alice@example\.com/);
    const forged = await alice.visitor.submit(page, { title: 'Forged' }, { headers: { origin: 'https://evil.example' } });
    assert.equal(forged.status, 403);
    assert.doesNotMatch((await alice.visitor.open(`${SITE}/`, { headers: NAVIGATION })).body, /Forged/);
  });

  test('nobody chooses who they are', async () => {
    const bob = await Person.signedIn(BOB, '/');
    for (const name of ['X-WEBAUTH-USER', 'x-webauth-user', 'X_WEBAUTH_USER', 'X-WebAuth_User']) {
      const { body } = await bob.visitor.send(`${SITE}/api/user`, { headers: { [name]: 'alice@example.com' } });
      const { login, headers } = JSON.parse(body);
      assert.equal(login, 'bob@example.com', name);
      assert.deepEqual(headers.filter((header) => /^x.webauth.user$/i.test(header)).length, 1, name);
    }
    const stranger = await new Visitor().send(`${SITE}/api/user`, { headers: { 'X-WEBAUTH-USER': 'alice@example.com' } });
    assert.ok([303, 401].includes(stranger.status), `${stranger.status}`);
    assert.doesNotMatch(stranger.body, /alice/);
  });

  test('the WebSocket knows the same person, and opens from pages of this site only', async () => {
    const bob = await Person.signedIn(BOB, '/');
    const { status, frames } = await live(bob.visitor, { headers: { 'X-WEBAUTH-USER': 'alice@example.com' } });
    assert.equal(status, 101);
    assert.deepEqual(frames, ['{"connect": "bob@example.com"}', 'hello']);
    assert.equal((await live(bob.visitor, { origin: 'https://evil.example' })).status, 403);
    assert.equal((await live(new Visitor())).status, 401);
  });

  test('the app is reached through the gateway alone', () => {
    const { HostConfig, NetworkSettings } = inspect(project.containers('grafana')[0]);
    assert.deepEqual(Object.keys(HostConfig.PortBindings ?? {}), []);
    assert.deepEqual(Object.keys(NetworkSettings.Networks), [`${project.name}_app`]);
    const network = inspect(`${project.name}_app`);
    assert.equal(network.Internal, true);
    assert.equal(Object.keys(network.Containers).length, 2);
  });

  test('the app and the gateway may die; sessions and dashboards stay', async () => {
    const alice = await Person.signedIn(ALICE, '/');
    for (const service of ['grafana', 'gateway']) {
      const [name] = project.containers(service);
      const since = crash(name);
      await eventually(`${service} is back`, () => isUp(name, since));
      await eventually('Alice is known', async () => /Welcome, alice[^]*Power by alice/.test((await alice.visitor.open(`${SITE}/`, { headers: NAVIGATION })).body));
    }
  });
});
