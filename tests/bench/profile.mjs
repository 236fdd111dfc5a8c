/**
 * What callgrind wrote of one thread, charged to whoever caused it: a line's own instructions, those of the libraries that
 * it called, and of what these called. Knows nothing of what is measured.
 */

/**
 * @typedef {{file: string, own: Map<string, number>, calls: {file: string, callee: string, cost: number}[]}} Routine
 * `file` is where it is defined, `own` its instructions by file (other files were inlined), `calls` all with their costs
 */

/** Reads callgrind's format, in which a name is given a number where it comes first. @returns {Map<string, Routine>} */
export function read(text) {
  const names = { file: new Map(), routine: new Map() };
  const name = (kind, value) => {
    const [, number, given] = value.match(/^\((\d+)\)(?: (.*))?$/) ?? [null, value, value];
    if (given !== undefined) names[kind].set(number, given);
    return names[kind].get(number) ?? '';
  };
  const routines = new Map();
  const routine = (called) => {
    if (!routines.has(called)) routines.set(called, { file: '', own: new Map(), calls: [] });
    return routines.get(called);
  };
  let [file, callee, calledFile] = ['', '', ''];
  let current = routine('');
  let isCall = false;
  for (const line of text.split('\n')) {
    const [, key, value] = line.match(/^(fl|fi|fe|fn|cfi|cfl|cfn)=(.*)$/) ?? [];
    if (key === 'fn') {
      current = routine(name('routine', value));
      current.file ||= file;
    } else if (key === 'cfn') callee = name('routine', value);
    else if (key === 'cfi' || key === 'cfl') calledFile = name('file', value);
    else if (key) file = name('file', value);
    else if (line.startsWith('calls=')) isCall = true;
    else {
      const cost = Number(line.match(/^(?:[+-]?\d+|\*) (\d+)$/)?.[1] ?? NaN);
      if (Number.isNaN(cost)) continue;
      if (isCall) {
        routine(callee).file ||= calledFile || file;
        current.calls.push({ file, callee, cost });
      } else {
        current.own.set(file, (current.own.get(file) ?? 0) + cost);
      }
      [isCall, calledFile] = [false, ''];
    }
  }
  return routines;
}

/**
 * Charges every instruction to a part. `partOf(file)` names the part of a file of ours and nothing for a library's;
 * `libraryOf(file)` names the library for what nobody of ours asked for.
 * @param {Map<string, Routine>} routines @returns {[string, number][]} the dearest first
 */
export function charge(routines, partOf, libraryOf) {
  const leadsHome = carriers(routines, partOf);
  // How much of a library's routine was done for each part; the rest was done for the library that called it.
  const shares = new Map([...routines.keys()].map((called) => [called, new Map()]));
  const isOurs = (called) => Boolean(partOf(routines.get(called).file)) || leadsHome.has(called);
  for (let round = 0; round < 24; round++) {
    const asked = new Map([...routines.keys()].map((called) => [called, new Map()]));
    for (const [caller, { file: home, calls }] of routines) {
      for (const { file, callee, cost } of calls) {
        const part = partOf(file) ?? partOf(home);
        const by = part ? new Map([[part, 1]]) : shares.get(caller).size > 0 && !isOurs(caller) ? shares.get(caller) : new Map([['', 1]]);
        for (const [who, share] of by) add(asked.get(callee), who, share * cost);
      }
    }
    for (const [called, by] of asked) {
      const all = [...by.values()].reduce((sum, cost) => sum + cost, 0);
      shares.set(called, new Map([...by].map(([who, cost]) => [who, all > 0 ? cost / all : 0])));
    }
  }
  const costs = new Map();
  for (const [called, { file: home, own }] of routines) {
    for (const [file, cost] of own) {
      const part = partOf(file) ?? partOf(home);
      const by = !part && !isOurs(called) ? shares.get(called) : new Map([[part ?? '', 1]]);
      for (const [who, share] of by.size > 0 ? by : new Map([['', 1]])) add(costs, who || libraryOf(file, home), share * cost);
    }
  }
  return [...costs].sort((one, other) => other[1] - one[1]);
}

/** Library routines below which there is something of ours: a runtime that polls is not a part's expense. */
function carriers(routines, partOf) {
  const found = new Set();
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const [caller, { calls }] of routines) {
      const leads = ({ callee }) => found.has(callee) || Boolean(partOf(routines.get(callee)?.file ?? ''));
      if (!found.has(caller) && calls.some(leads)) found.add(caller);
    }
  }
  return found;
}

function add(map, key, cost) {
  map.set(key, (map.get(key) ?? 0) + cost);
}
