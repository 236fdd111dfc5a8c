/**
 * The list as this page believes it to be: loading, paging and removing. Changing items is `changes.js`. Knows nothing of
 * the document.
 *
 * Events: `change` (draw again), `notice` (detail: a sentence), `rejected` (detail: {text, message}: a new item that the
 * service found wrong), `refused` (a request was not let through: the session may have ended).
 *
 * @typedef {import('./entry.js').Entry} Entry
 * @typedef {import('./todos.js').Item} Item
 */
import { entryOf, take } from './entry.js';
import { asProblem } from './problem.js';
import * as todos from './todos.js';

/** A list this young is not loaded again just because somebody looks at it. */
const FRESH_MS = 5000;

export class List extends EventTarget {
  /** @type {Entry[]} in the service's order, oldest first; what is not there yet stands at the end */
  entries = [];
  /** @type {'new'|'loading'|'ready'|'failed'} */
  state = 'new';
  /** @type {import('./problem.js').Problem|null} */
  problem = null;
  /** @type {string|null} where the next page starts */
  next = null;
  /** @type {{entry: Entry, index: number}|null} taken off the screen, not yet off the list */
  removal = null;

  #loadedAt = 0;
  /** Rises with every person: an answer to a question of the person before is thrown away. */
  #era = 0;
  /** Ids on their way out: a page loaded meanwhile may still name them. @type {Set<string>} */
  #gone = new Set();

  /** Forgets everything: another person, or nobody. */
  reset() {
    this.#era += 1;
    this.entries = [];
    this.state = 'new';
    this.problem = null;
    this.next = null;
    this.removal = null;
    this.changed();
  }

  /** Loads the beginning of the list, or everything shown so far once more. */
  async load() {
    if (this.state === 'loading') return;
    const era = this.#era;
    const shown = this.entries.filter((entry) => entry.id).length;
    if (this.state !== 'ready') this.state = 'loading';
    this.problem = null;
    this.changed();
    try {
      let { items, next } = await todos.page();
      while (next && items.length < shown) {
        const more = await todos.page(next);
        items = items.concat(more.items);
        next = more.next;
      }
      if (era !== this.#era) return;
      this.#place(items, [], next);
      this.state = 'ready';
      this.#loadedAt = Date.now();
      this.changed();
    } catch (error) {
      if (era === this.#era) this.#failed(error);
    }
  }

  /** Looks again without a fuss when the person comes back; never under unfinished work. */
  async refresh() {
    const busy = this.entries.some((entry) => entry.waiting || entry.trouble);
    if (this.state === 'ready' && !busy && Date.now() - this.#loadedAt > FRESH_MS) await this.load();
  }

  async more() {
    if (!this.next) return;
    const era = this.#era;
    try {
      const { items, next } = await todos.page(this.next);
      if (era !== this.#era) return;
      this.#place(items, this.entries.filter((entry) => entry.id && !entry.here), next);
      this.problem = null;
      this.changed();
    } catch (error) {
      if (era === this.#era) this.#failed(error);
    }
  }

  /** New items that the service does not have, as far as we know. */
  get unsaved() {
    return this.entries.filter((entry) => !entry.id);
  }

  /** New words for an item that the service did not take. @returns {import('./drafts.js').Edit|null} */
  get unsavedEdit() {
    const entry = this.entries.find((each) => each.id && each.trouble?.text !== undefined);
    return entry?.id && entry.trouble?.text ? { id: entry.id, text: entry.trouble.text } : null;
  }

  /** Resolves when everything already sent has been answered. */
  async settled() {
    await Promise.all(this.entries.map((entry) => entry.queue));
  }

  /** Takes an entry off the screen; `commitRemoval` makes it true, `undoRemoval` brings it back. @param {Entry} entry */
  remove(entry) {
    this.commitRemoval();
    const index = this.entries.indexOf(entry);
    if (index < 0) return;
    this.entries.splice(index, 1);
    if (entry.id) entry.trouble = null;
    this.removal = { entry, index };
    this.changed();
  }

  /** @returns {Entry|null} what came back */
  undoRemoval() {
    const removal = this.removal;
    if (!removal) return null;
    this.removal = null;
    this.#putBack(removal.entry, removal.index);
    this.changed();
    return removal.entry;
  }

  /** Carries out the removal that is still waiting, if any; resolves when the service has answered. */
  async commitRemoval() {
    const removal = this.removal;
    if (!removal) return;
    const era = this.#era;
    this.removal = null;
    const { entry, index } = removal;
    // An item that is still being created can only be removed once it exists; a failed one needs no removing.
    if (entry.waiting) await entry.queue;
    if (!entry.id) return;
    this.#gone.add(entry.id);
    try {
      await todos.remove(entry.id);
    } catch (error) {
      const problem = asProblem(error);
      if (problem.kind === 'gone' || era !== this.#era) return;
      this.#gone.delete(entry.id);
      this.#putBack(entry, index);
      entry.trouble = {
        message: `It could not be removed. ${problem.sentence}`,
        tryAgain: () => {
          this.remove(entry);
          this.commitRemoval();
        },
        keepLabel: 'Keep it',
        keep: () => this.calm(entry),
        signIn: problem.kind === 'consent' ? problem.signIn : null,
      };
      this.refusedBy(problem);
      this.changed();
    }
  }

  /** Tells whoever draws. */
  changed() {
    this.dispatchEvent(new Event('change'));
  }

  /** Takes an entry off the list for good, without asking the service. @param {Entry} entry */
  drop(entry) {
    this.entries = this.entries.filter((each) => each !== entry);
    this.changed();
  }

  /** Lets what went wrong with an entry rest. @param {Entry} entry */
  calm(entry) {
    entry.trouble = null;
    this.changed();
  }

  /** @param {import('./problem.js').Problem} problem */
  refusedBy(problem) {
    if (problem.status === 401 && problem.kind !== 'consent') this.dispatchEvent(new Event('refused'));
  }

  /**
   * Puts what the service listed after `before`, keeping the entries we have, and what it has not listed yet at the end.
   * @param {Item[]} items @param {Entry[]} before @param {string|null} next
   */
  #place(items, before, next) {
    const known = new Map(this.entries.filter((entry) => entry.id).map((entry) => [entry.id, entry]));
    const leaving = this.removal?.entry.id;
    const listed = items.filter((item) => item.id !== leaving && !this.#gone.has(item.id)).map((item) => {
      const entry = known.get(item.id) ?? entryOf(item);
      if (!entry.waiting && !entry.trouble) take(entry, item);
      entry.here = false;
      return entry;
    });
    const placed = new Set([...before, ...listed]);
    // Once the last page is here, an item that is on none of them is gone; before that it may still come. What was
    // created while the pages were on their way may have missed them.
    const rest = this.entries.filter((entry) => !placed.has(entry) && (!entry.id || entry.waiting || (entry.here && next)));
    this.entries = [...placed, ...rest];
    this.next = next;
  }

  /** @param {Entry} entry @param {number} index */
  #putBack(entry, index) {
    this.entries.splice(Math.min(index, this.entries.length), 0, entry);
  }

  /** @param {unknown} error */
  #failed(error) {
    this.problem = asProblem(error);
    if (this.state !== 'ready') this.state = 'failed';
    this.refusedBy(this.problem);
    this.changed();
  }
}
