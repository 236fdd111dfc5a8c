/** What ends with the tests: child processes and folders. Knows nothing of what they are for. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the checkout. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..');

const running = new Set();
const folders = new Set();
// However this process ends, its children are told to. Told, not killed: a killed nginx would leave its worker behind.
process.on('exit', () => {
  running.forEach((child) => child.kill('SIGTERM'));
  folders.forEach((folder) => rmSync(folder, { recursive: true, force: true }));
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

/** A folder of one's own, gone when this process ends. @param {string} name */
export function scratch(name) {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  folders.add(folder);
  return folder;
}

/** The program that cargo built. @param {string} name @param {'debug'|'release'} [profile] */
export function built(name, profile = 'debug') {
  const path = join(ROOT, 'target', profile, name);
  if (!existsSync(path)) throw new Error(`target/${profile}/${name} is missing; cargo build --workspace makes it`);
  return path;
}

/**
 * Starts a program. `said(pattern)` resolves with the match once a line of its output fits, and fails when the program
 * ends before.
 * @param {string} program @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, listens?: boolean, stdio?: import('node:child_process').StdioOptions}} [options]
 * `listens`: it reads what `tell` says; `stdio`: elsewhere than here, as `spawn` has it
 */
export function start(program, args, { cwd = ROOT, env = process.env, listens = false, stdio } = {}) {
  const child = spawn(program, args, { cwd, env, stdio: stdio ?? [listens ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  const listeners = new Set();
  const hear = (chunk) => {
    output += chunk;
    listeners.forEach((look) => look());
  };
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', hear);
  let over = null;
  const ended = new Promise((resolve) => {
    const end = (why) => {
      over ??= why;
      running.delete(child);
      listeners.forEach((look) => look());
      resolve(over);
    };
    child.on('error', (error) => end(String(error)));
    child.on('close', (code, signal) => end(signal ?? `exit status ${code}`));
  });
  return {
    pid: child.pid,
    /** Everything it printed so far. */
    get output() {
      return output;
    },
    /** @param {RegExp} pattern @returns {Promise<RegExpMatchArray>} */
    said(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const match = output.match(pattern);
          if (!match && over === null) return;
          listeners.delete(look);
          if (match) resolve(match);
          else reject(new Error(`${program} ended (${over}) before it said ${pattern}:\n${output}`));
        };
        listeners.add(look);
        look();
      });
    },
    /** Gives it a line to read. @param {string} line */
    tell(line) {
      child.stdin.write(`${line}\n`);
    },
    /** Asks it to end, and waits until it has. */
    async stop(signal = 'SIGINT') {
      if (over === null) child.kill(signal);
      return ended;
    },
  };
}

/** A port that nobody listens on. It is free, not reserved: somebody else could still take it. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Calls `look` until it gives something; for programs that tell nobody when they are ready. */
export async function eventually(look, { seconds = 20, what = 'it' } = {}) {
  const until = performance.now() + seconds * 1000;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    if (performance.now() > until) throw new Error(`${what} did not happen within ${seconds} seconds`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
