/** What every measurement stands on: programs on cores of their own, load, and what the kernel says that it cost. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { availableParallelism, setPriority } from 'node:os';
import { join } from 'node:path';

import { eventually, freePort, scratch, start } from '../browser/lib/processes.mjs';

export const CONNECTIONS = 64;
const TICKS_PER_SECOND = 100; // USER_HZ: what /proc counts in, on every Linux there is

const cores = availableParallelism();
export const [PROXY_CORE, LOAD_CORE] = cores > 1 ? [0, 1] : [0, 0];
if (cores === 1) console.log('only one core: the load shares it with the proxy, so latencies mean little');

export const folder = scratch('bench');
const children = [];

/** Runs a measurement, and ends what it started. @param {() => Promise<void>} measure */
export async function run(measure) {
  try {
    await measure();
  } finally {
    await Promise.all(children.map((child) => child.stop('SIGTERM')));
  }
}

/** Ends a program with the measurement. */
export function ends(child) {
  children.push(child);
  return child;
}

/**
 * Load for some seconds: CPU microseconds per request (all, and outside the kernel), requests per second, p99 and maximum
 * in ms. `pid` may be several, and `cores` where the load runs.
 */
export async function load({ pid, url, threads = 1, cores = LOAD_CORE }, script, seconds, connections = CONNECTIONS) {
  const before = cpuSeconds(pid);
  const wrk = pinned(cores, 'wrk', [`-t${Math.min(threads, connections)}`, `-c${connections}`, `-d${seconds}s`, '-s', script, url]);
  const [, json] = await wrk.said(/^RESULT (\{.*\})$/m);
  const after = cpuSeconds(pid);
  const { requests, microseconds, errors, p99, max } = JSON.parse(json);
  if (errors > 0 || requests === 0) throw new Error(`${url}: ${errors} errors in ${requests} requests\n${wrk.output}`);
  const each = (seconds) => (seconds * 1e6) / requests;
  return { cpu: each(after.all - before.all), own: each(after.own - before.own), rate: (requests * 1e6) / microseconds, requests, p99: p99 / 1000, max: max / 1000 };
}

/** The same over HTTP/2, where each connection carries several requests at a time. */
export async function loadHttp2({ pid, url, headers }, seconds, { connections = 16, streams = 4 } = {}) {
  const before = cpuSeconds(pid);
  const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const h2load = pinned(LOAD_CORE, 'h2load', [`-c${connections}`, `-m${streams}`, `-D${seconds}`, ...fields, url]);
  const [, failed, errored] = await h2load.said(/(\d+) failed, (\d+) errored/);
  const [, good, , bad, worse] = await h2load.said(/status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/);
  const after = cpuSeconds(pid);
  if (Number(failed) + Number(errored) + Number(bad) + Number(worse) > 0) throw new Error(`${url}\n${h2load.output}`);
  return { cpu: ((after.all - before.all) * 1e6) / Number(good), own: ((after.own - before.own) * 1e6) / Number(good), requests: Number(good) };
}

/**
 * Two or more sides in turns, so that what disturbs the machine disturbs all: a pair's ratio is what counts. The first is 1.
 * @param {Record<string, () => Promise<{cpu: number, own: number, p99?: number}>>} sides
 * @returns {Promise<Record<string, {cpu: number[], p99: number[], own: number[]}>>} each side's ratios to the first, by pair
 */
export async function turns(sides, pairs) {
  const names = Object.keys(sides);
  const ratios = Object.fromEntries(names.map((name) => [name, { cpu: [], own: [], p99: [] }]));
  for (let pair = 0; pair < pairs; pair++) {
    const found = {};
    // Who goes first changes, so that a machine that slows down favours nobody.
    for (const name of pair % 2 ? [...names].reverse() : names) found[name] = await sides[name]();
    for (const name of names) {
      for (const of of ['cpu', 'own', 'p99']) ratios[name][of].push(found[name][of] / found[names[0]][of]);
    }
    const shown = names.map((name) => {
      const { cpu, own, p99 } = found[name];
      return `${name} ${cpu.toFixed(2)} µs (own ${own.toFixed(1)}${p99 === undefined ? '' : `, p99 ${p99.toFixed(2)} ms`}) ${ratios[name].cpu.at(-1).toFixed(2)}`;
    });
    console.log(`  pair ${pair + 1}   ${shown.join('   ')}`);
  }
  return ratios;
}

/** A row of the table from a side's ratios. */
export function ratio(what, ratios, bound) {
  return { what, measured: median(ratios), spread: [Math.min(...ratios), Math.max(...ratios)], bound };
}

/** Starts a program on one core (or several, as `0,1`) and, where that is allowed, ahead of whatever else this machine does. */
export function pinned(core, program, args, options = {}) {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const child = ends(start('taskset', ['-c', String(core), program, ...args], { env, ...options }));
  try {
    setPriority(child.pid, -15);
  } catch {
    // Only root may. The pairs are compared with each other, so the ratio holds all the same, with more spread.
  }
  return child;
}

/** Seconds of processor that processes with all their threads have used: in all, and of those in their own code. */
function cpuSeconds(pids) {
  const each = [pids].flat().map(cpuOf);
  return { all: each.reduce((sum, { all }) => sum + all, 0), own: each.reduce((sum, { own }) => sum + own, 0) };
}

function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, kernel] = [Number(fields[11]), Number(fields[12])];
  return { all: (user + kernel) / TICKS_PER_SECOND, own: user / TICKS_PER_SECOND };
}

export async function startNginx(name, core, http, { scheme = 'http', log = 'off' } = {}) {
  const port = await freePort();
  const conf = join(folder, `${name}.conf`);
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${name}-${kind};`);
  await writeFile(conf, `
    ${process.getuid() === 0 ? 'user root;' : ''}
    daemon off; worker_processes 1; pid ${folder}/${name}.pid; error_log stderr warn;
    events { worker_connections 1024; }
    http {
      access_log ${log}; keepalive_requests 1000000000; ${temps.join(' ')}
      ${http(port)}
    }`);
  const process_ = pinned(core, 'nginx', ['-e', 'stderr', '-c', conf]);
  await reachable(`${scheme}://127.0.0.1:${port}/`, process_);
  return { port, process: process_, pid: childrenOf(process_.pid)[0] };
}

/** The processes that one started: nginx's worker, Apache's. */
export function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}

/** Bytes of memory that are a process's own: what it shares with its binary on disk does not count. */
export function memoryOf(pid) {
  return Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^RssAnon:\s+(\d+) kB$/m)[1]) * 1024;
}

/** Waits until an address answers, or its program has ended. */
export async function reachable(url, process_) {
  const up = eventually(async () => (await fetch(url)).ok, { what: url });
  await Promise.race([up, process_.said(/(?!)/)]);
}

/**
 * What wrk sends: one of these cookies with each request, at random; or always the same one from each of its threads, as
 * a browser does that has a connection of its own.
 * @param {string} name @param {Record<string, string>} headers @param {string[]} cookies
 */
export async function writeScript(name, headers, cookies, isFaithful = false) {
  const [path, list] = [join(folder, `${name}.lua`), join(folder, `${name}.cookies`)];
  await writeFile(list, cookies.join('\n'), { mode: 0o600 });
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`);
  await writeFile(path, `${lines.join('\n')}
local requests = {}
init = function()
  for cookie in io.lines(${JSON.stringify(list)}) do
    wrk.headers['cookie'] = cookie
    requests[#requests + 1] = wrk.format()
  end
end
local threads = 0
setup = function(thread)
  thread:set('number', threads)
  threads = threads + 1
end
request = function()
  return requests[${isFaithful ? 'number % #requests + 1' : 'math.random(#requests)'}]
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"microseconds":%d,"errors":%d,"p99":%d,"max":%d}\\n', summary.requests,
    summary.duration, e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(99), latency.max))
end
`, { mode: 0o600 });
  return path;
}

export function median(numbers) {
  const sorted = [...numbers].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
