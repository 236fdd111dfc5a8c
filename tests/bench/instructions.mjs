/**
 * Instructions of the gateway's worker for one request, counted by valgrind: the same in every run of the same build, on
 * a busy machine too. `instructions.json` keeps what was counted last; more than a few per cent above it fails, and
 * `--write` keeps what is counted now.
 *
 * A part's figure is what its lines do and what the libraries do for them, down to the last call: `identity` has the
 * look-up in the map of sessions. What no line of the gateway asked for is under the name of its library.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { ROOT, built, scratch } from '../browser/lib/processes.mjs';
import { charge, read } from './profile.mjs';
import { report } from './table.mjs';

const { values: flags } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000' },
    profile: { type: 'string', default: 'measured' },
    case: { type: 'string', multiple: true },
    write: { type: 'boolean', default: false },
    routines: { type: 'string' }, // so many of the dearest of each case, for whoever wants to make them cheaper
  },
});
const REQUESTS = Number(flags.requests);
/** Another compiler or allocator moves a count by a little; what is worth a look moves it by more. */
const TOLERANCE = 0.03;
const RECORD = join(ROOT, 'tests/bench/instructions.json');

const CASES = {
  proxied: 'signed in, proxied with its token',
  logged: 'the same with an access line',
  routes: 'the same among 10,000 routes',
  file: 'a static file of 1 KiB',
};

const BESIDE = 'client and upstream';
/** Where a line belongs, by its file. The first that fits. */
const PARTS = [
  [/tests\/bench\//, BESIDE],
  [/gateway\/src\/(intake|path|origin)/, 'admit'],
  [/gateway\/src\/routing/, 'routing'],
  [/gateway\/src\/(identity|session|caller)/, 'identity'],
  [/gateway\/src\/(csrf|websocket)/, 'csrf'],
  [/gateway\/src\/(policy|rule|tokens)/, 'policy and token'],
  [/gateway\/src\/upstream\/headers/, 'headers'],
  [/gateway\/src\/(upstream|body)/, 'upstream'],
  [/gateway\/src\/(respond|access|request_id|hex)/, 'respond and access'],
  [/gateway\/src\/files/, 'files'],
  [/gateway\/src\/server/, 'connection'],
  [/gateway\/src\//, 'the story'],
];
const LIBRARIES = [
  [/hyper-\d.*\/src\/(client|proto)|hyper-\d/, 'hyper'],
  [/httparse-/, 'httparse'],
  [/\/http-\d/, 'http'],
  [/bytes-\d/, 'bytes'],
  [/tokio-\d|mio-\d|hyper-util-/, 'tokio'],
  [/mimalloc|alloc\.c|page\.c|segment\.c|free\.c/, 'mimalloc'],
  [/library\/(core|alloc|std)/, 'Rust library'],
];

const recorded = JSON.parse(readFileSync(RECORD, { encoding: 'utf8', flag: 'a+' }) || '{}');
const counted = {};
for (const name of flags.case ?? Object.keys(CASES)) {
  const found = count(name);
  counted[name] = found.total;
  show(name, found);
}
if (flags.write) writeFileSync(RECORD, `${JSON.stringify({ ...recorded, ...counted }, null, 2)}\n`);
report('instructions', Object.entries(counted).map(([name, total]) => {
  const before = flags.write ? total : (recorded[name] ?? total);
  return { what: CASES[name], measured: total, bound: Math.round(before * (1 + TOLERANCE)), unit: 'instructions' };
}));

function show(name, { total, parts, routines }) {
  console.log(`\n${CASES[name]}: ${total} instructions a request`);
  for (const [what, instructions] of [...parts, ...routines]) console.log(`  ${String(Math.round(instructions)).padStart(7)}  ${what}`);
}

/** Runs one case under valgrind. @returns instructions per request: all, by part, and of the dearest lines */
function count(name) {
  const folder = scratch('instructions');
  const valgrind = spawnSync('valgrind', [
    '--tool=callgrind', '--fair-sched=yes', '--zero-before=*begin_counting*', '--dump-before=*end_counting*',
    `--callgrind-out-file=${folder}/out`, built('examples/bench-instructions', flags.profile), name, String(REQUESTS), folder,
  ], { encoding: 'utf8', timeout: 300_000 });
  if (valgrind.status !== 0) throw new Error(`valgrind ended with ${valgrind.status ?? valgrind.signal}\n${valgrind.stderr}`);
  const profile = read(readFileSync(join(folder, 'out.1'), 'utf8'));
  const parts = charge(profile, partOf, libraryOf).map(([part, cost]) => [part, cost / REQUESTS]);
  // The client and the upstream run in the same process.
  const ours = parts.filter(([part]) => part !== BESIDE);
  return {
    total: Math.round(ours.reduce((sum, [, cost]) => sum + cost, 0)),
    parts: ours,
    routines: dearest(profile, Number(flags.routines ?? 0)),
  };
}

function dearest(routines, count) {
  const own = [...routines].map(([name, { own }]) => [name, [...own.values()].reduce((sum, cost) => sum + cost, 0) / REQUESTS]);
  return own.sort((one, other) => other[1] - one[1]).slice(0, count);
}

function partOf(file) {
  return PARTS.find(([pattern]) => pattern.test(file))?.[1];
}

function libraryOf(file, home) {
  const of = (path) => LIBRARIES.find(([pattern]) => pattern.test(path))?.[1];
  return of(home) ?? of(file) ?? 'system library';
}
