/**
 * Changing items with optimism: every change shows at once, is sent in order, and is taken back with an explanation and a
 * way on when the service says no.
 *
 * @typedef {import('./entry.js').Entry} Entry
 * @typedef {import('./entry.js').Trouble} Trouble
 */
import { blank, settle, take } from './entry.js';
import { asProblem, Problem } from './problem.js';
import * as todos from './todos.js';

/** Creating an item failed and says so itself; what was queued behind it has nothing to change and nothing to add. */
const NOT_CREATED = new Problem('gone');

export class Changes {
  #list;

  /** @param {import('./list.js').List} list */
  constructor(list) {
    this.#list = list;
  }

  /** @param {string} description @returns {Entry} */
  add(description) {
    const entry = blank(description);
    this.#list.entries.push(entry);
    this.#create(entry);
    return entry;
  }

  /** Shows words that the service does not have, as not saved. @param {string} description @param {string} [why] */
  addUnsaved(description, why = 'Not saved yet.') {
    const entry = blank(description);
    this.#list.entries.push(entry);
    this.#notCreated(entry, why);
    this.#list.changed();
  }

  /** @param {Entry} entry @param {boolean} done */
  setDone(entry, done) {
    entry.done = done;
    entry.trouble = null;
    this.#enqueue(entry, async () => {
      try {
        settle(entry, await todos.change(idOf(entry), entry.etag, { done }));
      } catch (error) {
        if (asProblem(error).kind !== 'conflict') throw error;
        // Ticking off does not overwrite anybody's words: take the newer text and tick that.
        const newer = await todos.one(idOf(entry));
        settle(entry, await todos.change(newer.id, newer.etag, { done }));
      }
    }, (problem) => {
      entry.done = entry.saved?.done ?? !done;
      if (problem.kind === 'gone') return this.#vanished(entry);
      entry.trouble = this.#trouble(entry, problem, done ? 'It could not be ticked off.' : 'It could not be unticked.', {
        tryAgain: () => this.setDone(entry, done),
      });
    });
  }

  /** @param {Entry} entry @param {string} description */
  rename(entry, description) {
    entry.description = description;
    entry.trouble = null;
    if (!entry.id && !entry.waiting) return this.#create(entry);
    this.#enqueue(entry, async () => {
      settle(entry, await todos.change(idOf(entry), entry.etag, { description }));
    }, async (problem) => {
      entry.description = entry.saved?.description ?? description;
      if (problem.kind === 'conflict') return this.#renameConflict(entry, description);
      entry.trouble = this.#trouble(entry, problem, `Your change to “${description}” was not saved.`, {
        text: description,
        ...this.#renameWays(entry, problem, description),
      });
    });
  }

  /** @param {Entry} entry @param {Problem} problem @param {string} description @returns {Partial<Trouble>} */
  #renameWays(entry, problem, description) {
    if (problem.kind === 'invalid') return { edit: description };
    if (problem.kind !== 'gone') return { tryAgain: () => this.rename(entry, description) };
    return {
      tryLabel: 'Add it as a new item',
      tryAgain: () => {
        this.#list.drop(entry);
        this.add(description);
      },
      keepLabel: 'Let it go',
      keep: () => this.#list.drop(entry),
    };
  }

  /** Two people, or two tabs, changed the same words: the person decides, with both in view. @param {Entry} entry @param {string} mine */
  async #renameConflict(entry, mine) {
    try {
      take(entry, await todos.one(idOf(entry)));
    } catch (error) {
      const problem = asProblem(error);
      entry.trouble = this.#trouble(entry, problem, `Your change to “${mine}” was not saved.`, {
        text: mine,
        ...this.#renameWays(entry, problem, mine),
      });
      return;
    }
    entry.trouble = {
      message: `This item was changed elsewhere while you were editing. Your text was “${mine}”.`,
      text: mine,
      tryLabel: 'Use my text',
      tryAgain: () => this.rename(entry, mine),
      keepLabel: 'Keep what it says now',
      keep: () => this.#list.calm(entry),
    };
  }

  /** @param {Entry} entry */
  #create(entry) {
    this.#enqueue(entry, async () => {
      const item = await todos.create(entry.description);
      entry.id = item.id;
      settle(entry, item);
    }, (problem) => {
      entry.done = false;
      if (problem.kind === 'invalid') {
        this.#list.drop(entry);
        const detail = { text: entry.description, message: problem.sentence };
        this.#list.dispatchEvent(new CustomEvent('rejected', { detail }));
        return;
      }
      this.#notCreated(entry, `Not saved. ${problem.sentence}`, problem.kind === 'consent' ? problem.signIn : null);
    });
  }

  /** @param {Entry} entry @param {string} message @param {string|null} [signIn] */
  #notCreated(entry, message, signIn = null) {
    entry.trouble = {
      message,
      tryAgain: () => {
        entry.trouble = null;
        this.#create(entry);
      },
      keepLabel: 'Discard',
      keep: () => this.#list.drop(entry),
      signIn,
    };
  }

  /**
   * Sends changes of one entry one after the other, each with the mark the one before left.
   * @param {Entry} entry @param {() => Promise<void>} send @param {(problem: Problem) => void|Promise<void>} rollBack
   */
  #enqueue(entry, send, rollBack) {
    entry.waiting += 1;
    entry.queue = entry.queue.then(async () => {
      try {
        await send();
      } catch (error) {
        const problem = asProblem(error);
        if (problem === NOT_CREATED) return;
        await rollBack(problem);
        this.#list.refusedBy(problem);
      } finally {
        entry.waiting -= 1;
        if (!entry.waiting && entry.saved && !entry.trouble) take(entry, entry.saved);
        this.#list.changed();
      }
    });
    this.#list.changed();
  }

  /**
   * @param {Entry} entry @param {Problem} problem @param {string} what
   * @param {Partial<Trouble>} ways @returns {Trouble}
   */
  #trouble(entry, problem, what, ways) {
    return {
      message: `${what} ${problem.sentence}`,
      keepLabel: 'Leave it',
      keep: () => this.#list.calm(entry),
      signIn: problem.kind === 'consent' ? problem.signIn : null,
      ...ways,
    };
  }

  /** @param {Entry} entry */
  #vanished(entry) {
    this.#list.drop(entry);
    const detail = `“${entry.description}” had already been removed elsewhere.`;
    this.#list.dispatchEvent(new CustomEvent('notice', { detail }));
  }
}

/** @param {Entry} entry */
function idOf(entry) {
  if (!entry.id) throw NOT_CREATED;
  return entry.id;
}
