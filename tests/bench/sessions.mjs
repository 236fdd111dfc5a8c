/**
 * What sessions cost when there are many, each bound that the project promises in one run:
 * a request at one live session and at a million; memory for each; a sweep of what is over; and, with Redis, round trips
 * of warm sessions and the time until a revocation shows at the other gateway. Ends with a table, and with an error when
 * a bound is missed.
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';

import { built, eventually, freePort, start } from '../browser/lib/processes.mjs';
import { Visitor } from '../browser/lib/visitor.mjs';
import { CONNECTIONS, PROXY_CORE, ends, folder, load, median, pinned, reachable, run, writeScript } from './machine.mjs';
import { PATH, configure, signIn, startGateway, startProvider, startUpstream } from './site.mjs';
import { report } from './table.mjs';

const { values: flags } = parseArgs({
  options: {
    pairs: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    live: { type: 'string', default: '1000000' },
    expired: { type: 'string', default: '100000' },
    profile: { type: 'string', default: 'release' },
  },
});
const [PAIRS, SECONDS] = [Number(flags.pairs), Number(flags.seconds)];
const [LIVE, EXPIRED] = [Number(flags.live), Number(flags.expired)];
const HEADERS = { 'x-csrf': '1', accept: 'application/json', 'sec-fetch-site': 'same-origin' };
/** Different sessions that the load shows: more than any cache of the processor holds. */
const SHOWN = 20_000;
const IDLE = 2 * 60 * 60;
/** A disturbed machine makes requests wait too, so a sweep may be tried again. */
const SWEEPS = 3;
/** Seconds between the lots that are swept. */
const APART = 600;
/** Filling the store and comparing must take less than this many seconds, or the first lot is swept beside it. */
const HEAD_START = 400;

const MOST_WAIT = 20; // ms

const rows = [];
await run(main);
report('sessions', rows);

async function main() {
  const upstream = await startUpstream();
  const provider = await startProvider();
  await inMemory(provider, upstream);
  await inRedis(provider, upstream);
}

async function inMemory(provider, upstream) {
  const session = `store = "memory"\nidle = "${IDLE}s"`;
  const few = await startFilled('few', provider, upstream, session);
  const many = await startFilled('many', provider, upstream, session, true);
  // These are over one lot after the other, when all others are not: they are the ones that are swept in the end.
  for (let lot = 0; lot < SWEEPS; lot++) {
    await many.do(`fill ${EXPIRED}`);
    await many.do(`advance ${APART}`);
  }
  await many.do(`advance ${IDLE - SWEEPS * APART - HEAD_START}`);
  await few.do('fill 1');

  const before = await many.do('status');
  console.log(`\nfilling a store with ${LIVE} sessions`);
  const filled = await many.do(`fill ${LIVE}`);
  const after = await many.do('status');
  const each = (after.resident - before.resident) / LIVE - filled.tokens;
  console.log(`  ${Math.round((after.resident - before.resident) / LIVE)} bytes each, ${filled.tokens} of them tokens; ${after.count} sessions`);
  row('memory for a live session, without its tokens', each, 2048, 'bytes');

  await compare(few, many);
  await sweep(many);
  await Promise.all([few, many].map(({ process }) => process.stop('SIGTERM')));
}

async function compare(few, many) {
  const faithful = { threads: CONNECTIONS, isFaithful: true };
  const [one, own] = [await target(few, 'few', 1, faithful), await target(many, 'many', CONNECTIONS, faithful)];
  const faithfully = await pairs({ few: one, many: own }, `1 live session, and ${LIVE} of which each connection shows one, as browsers do`);
  row(`CPU per request at ${LIVE} sessions, at one = 1`, faithfully, 1.1, '');
  const [again, any] = [await target(few, 'few-any', 1), await target(many, 'many-any', SHOWN)];
  const mixed = await pairs({ few: again, many: any }, `1 live session, and ${SHOWN} of ${LIVE} that take turns on each connection, as behind a balancer`);
  console.log(`  for information: ${mixed.toFixed(2)}; what is in no cache must be fetched, and nothing is remembered of a connection`);
}

async function pairs(sides, what) {
  console.log(`\n${PAIRS} pairs of ${SECONDS} s, ${CONNECTIONS} connections, 200 bytes: ${what}`);
  for (const side of Object.values(sides)) await load(side, side.script, 1);
  const ratios = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const result = {};
    const order = pair % 2 ? ['many', 'few'] : ['few', 'many'];
    for (const name of order) result[name] = await load(sides[name], sides[name].script, SECONDS);
    ratios.push(result.many.cpu / result.few.cpu);
    const shown = ['few', 'many'].map((name) => `${name} ${result[name].cpu.toFixed(2).padStart(6)} µs (own ${result[name].own.toFixed(1)})`);
    console.log(`  pair ${pair + 1}   ${shown.join('     ')}     ratio ${ratios.at(-1).toFixed(3)}`);
  }
  return median(ratios);
}

/** One request after the other, while the gateway finds out by itself that many sessions are over. */
async function sweep(many) {
  const probe = await target(many, 'probe', 1);
  const quiet = await load(probe, probe.script, 10, 1);
  console.log(`\nthe slowest of ${quiet.requests} requests, one after the other, without a sweep: ${quiet.max.toFixed(1)} ms`);
  let best = Infinity;
  for (let lot = 0; lot < SWEEPS && best > MOST_WAIT; lot++) {
    const { count } = await many.do('status');
    await many.do(`advance ${lot === 0 ? HEAD_START + 60 : APART}`);
    const swept = eventually(async () => (await many.do('status')).count <= count - EXPIRED, { seconds: 60, what: 'the sweep' });
    // The gateway sweeps every half minute.
    const during = await load(probe, probe.script, 40, 1);
    await swept;
    best = Math.min(best, during.max);
    console.log(`the slowest of ${during.requests} while ${EXPIRED} sessions are swept: ${during.max.toFixed(1)} ms`);
  }
  row(`slowest request while ${EXPIRED} sessions are swept`, best, MOST_WAIT, 'ms');
}

async function target(filled, name, count, { threads = 1, isFaithful = false } = {}) {
  const sample = join(folder, `${name}.sample`);
  await filled.do(`sample ${count} ${sample}`);
  const cookies = (await readFile(sample, 'utf8')).trim().split('\n');
  const script = await writeScript(name, HEADERS, cookies, isFaithful);
  return { pid: filled.process.pid, url: `http://localhost:${filled.port}${PATH}`, script, threads };
}

/** A gateway whose store is filled from outside: nobody signs a million people in. */
async function startFilled(name, provider, upstream, session, beside = false) {
  const config = await configure(name, beside ? { ...provider, site: await freePort() } : provider, upstream, { session });
  const process_ = pinned(PROXY_CORE, built('examples/bench-sessions', flags.profile), [config.path], { listens: true });
  await process_.said(/^READY$/m);
  let asked = 0;
  const act = async (line) => {
    const number = ++asked;
    process_.tell(`${number} ${line}`);
    const [, json] = await process_.said(new RegExp(`^DONE ${number} (.*)$`, 'm'));
    return JSON.parse(json);
  };
  return { ...config, process: process_, do: act };
}

async function inRedis(provider, upstream) {
  const port = await startRedis();
  const key = join(folder, 'server.key');
  await writeFile(key, randomBytes(32).toString('base64url'), { mode: 0o600 });
  const session = `store = { redis = "redis://127.0.0.1:${port}" }\nkeys = [{ file = "${key}" }]`;
  const here = await startGateway('here', provider, upstream, { profile: flags.profile, session });
  const there = await startGateway('there', provider, upstream, { profile: flags.profile, session, beside: true });
  await roundTrips(here, port);
  await revocations(here, there);
}

async function startRedis() {
  const port = await freePort();
  const dir = join(folder, 'redis');
  await mkdir(dir);
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', dir, '--save', '', '--appendonly', 'no'];
  const redis = ends(start('redis-server', args));
  await redis.said(/Ready to accept connections/);
  return port;
}

/** How often commands were called so far, all together. */
function commandsOf(port) {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write('INFO stats\r\nQUIT\r\n'));
    socket.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('error', reject);
    socket.on('close', () => resolve(Number(text.match(/total_commands_processed:(\d+)/)[1])));
  });
}

/** What Redis hears while a warm session is used a lot, and while it is not used at all. */
async function roundTrips(gateway, port) {
  const { cookie, ...headers } = await signIn(gateway);
  const script = await writeScript('warm', headers, [cookie]);
  const side = { pid: gateway.process.pid, url: `http://localhost:${gateway.port}${PATH}` };
  await load(side, script, 1);
  const count = async (work) => {
    const before = await commandsOf(port);
    const result = await work();
    return [(await commandsOf(port)) - before, result];
  };
  const [idle] = await count(() => new Promise((resolve) => setTimeout(resolve, 10_000)));
  const [busy, { requests }] = await count(() => load(side, script, 10));
  console.log(`\nRedis: ${busy} commands in 10 s with ${requests} requests of a warm session, ${idle} in 10 s without`);
  row('commands to Redis for 10,000 requests of a warm session', (Math.max(0, busy - idle) / requests) * 10_000, 10, '');
}

/** Signs out at one gateway, and asks the other until it knows. */
async function revocations(here, there) {
  const site = `http://localhost:${here.site}`;
  const elsewhere = new Visitor({ [site]: `http://127.0.0.1:${there.port}` });
  const times = [];
  for (let round = 0; round < 20; round++) {
    const headers = await signIn(here);
    const ask = async () => (await elsewhere.send(`${site}${PATH}`, { headers })).status;
    if ((await ask()) !== 200) throw new Error('the other gateway does not know the session');
    const signOut = { ...headers, origin: site };
    const out = await new Visitor().send(`${site}/auth/sign-out`, { method: 'POST', headers: signOut });
    if (out.status !== 200) throw new Error(`signing out was answered ${out.status}`);
    const since = performance.now();
    while ((await ask()) !== 401) if (performance.now() - since > 10_000) break;
    times.push(performance.now() - since);
  }
  console.log(`\nsigned out at one gateway, known at the other: median ${median(times).toFixed(1)} ms of ${times.length}`);
  row('slowest revocation at the other gateway', Math.max(...times), 1_000, 'ms');
}

function row(what, measured, bound, unit) {
  rows.push({ what, measured, bound, unit });
}
