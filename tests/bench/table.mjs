/**
 * The table: what each part of the bench measured, beside what is promised. Parts keep their rows in target/bench, so that
 * one can be measured again without the others; run as a program it prints them all, and `--write` puts them into
 * gateway/docs/performance.md between its markers.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { ROOT } from '../browser/lib/processes.mjs';

const PARTS = ['requests', 'tls', 'files', 'routes', 'idle', 'bodies', 'peers', 'sessions', 'instructions'];
const FOLDER = join(ROOT, 'target/bench');
const DOCUMENT = join(ROOT, 'gateway/docs/performance.md');
const [BEGIN, END] = ['<!-- begin: tests/bench/run --write -->', '<!-- end -->'];

/** @typedef {{what: string, measured: number, spread?: [number, number], bound?: number, unit?: string}} Row */

/** Keeps what a part measured and shows it. A row without a bound is for information. @param {string} part @param {Row[]} rows */
export function report(part, rows) {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, `${part}.json`), `${JSON.stringify({ when: new Date().toISOString().slice(0, 10), rows }, null, 2)}\n`);
  console.log(`\n${part}`);
  for (const row of rows) console.log(`  ${verdict(row).padEnd(6)}  ${row.what.padEnd(72)} ${shown(row).padStart(24)}  ${promised(row)}`);
  if (rows.some((row) => verdict(row) === 'MISSED')) process.exitCode = 1;
}

function verdict({ measured, bound }) {
  if (bound === undefined) return '';
  return measured <= bound ? 'ok' : 'MISSED';
}

function shown({ measured, spread, unit = '' }) {
  const around = spread ? ` (${number(spread[0])} to ${number(spread[1])})` : '';
  return `${number(measured)}${around}${unit && ` ${unit}`}`;
}

function promised({ bound, unit = '' }) {
  return bound === undefined ? '' : `at most ${number(bound)}${unit && ` ${unit}`}`;
}

function number(value) {
  return Math.abs(value) < 10 ? value.toFixed(2) : Math.round(value).toLocaleString('en');
}

function kept(part) {
  try {
    return JSON.parse(readFileSync(join(FOLDER, `${part}.json`), 'utf8'));
  } catch {
    return undefined; // it was not measured
  }
}

function markdown() {
  const lines = ['| part | | measured | promised | |', '|---|---|---|---|---|'];
  for (const part of PARTS) {
    const found = kept(part);
    for (const row of found?.rows ?? []) {
      lines.push(`| ${part}, ${found.when} | ${row.what} | ${shown(row)} | ${promised(row)} | ${verdict(row)} |`);
    }
  }
  return lines.join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values: flags } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
  console.log(`\n${markdown()}`);
  if (flags.write) {
    const text = readFileSync(DOCUMENT, 'utf8');
    const [before, rest] = text.split(BEGIN);
    if (rest === undefined) throw new Error(`${DOCUMENT} has no line ${BEGIN}`);
    writeFileSync(DOCUMENT, `${before}${BEGIN}\n\n${markdown()}\n\n${END}${rest.split(END).slice(1).join(END)}`);
  }
}
