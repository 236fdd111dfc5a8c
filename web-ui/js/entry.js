/**
 * One item as this page holds it: what is shown, what the service is known to hold, and what went wrong in between.
 *
 * @typedef {import('./todos.js').Item} Item
 * @typedef {object} Trouble a change that did not go through, and the ways on
 * @property {string} message
 * @property {string} [tryLabel]
 * @property {() => void} [tryAgain]
 * @property {string} [edit] words to go on editing with
 * @property {string} [text] words that would be lost with this entry
 * @property {string} keepLabel
 * @property {() => void} keep
 * @property {string|null} [signIn] where to give a missing permission
 *
 * @typedef {object} Entry
 * @property {string} key tells entries apart before the service has named them
 * @property {string|null} id
 * @property {string|undefined} etag
 * @property {string} description
 * @property {boolean} done
 * @property {Item|null} saved what the service last said
 * @property {number} waiting changes not yet answered
 * @property {Promise<void>} queue they are sent one after the other
 * @property {Trouble|null} trouble
 * @property {boolean} here made on this page: the service has not yet shown us its place in the list
 */

let keys = 0;

/** A new item, not sent yet. @param {string} description @returns {Entry} */
export function blank(description) {
  keys += 1;
  return {
    key: `k${keys}`, id: null, etag: undefined, description, done: false, saved: null, waiting: 0, queue: Promise.resolve(),
    trouble: null, here: true,
  };
}

/** @param {Item} item @returns {Entry} */
export function entryOf(item) {
  const entry = blank(item.description);
  entry.id = item.id;
  entry.here = false;
  take(entry, item);
  return entry;
}

/** Shows what the service holds. @param {Entry} entry @param {Item} item */
export function take(entry, item) {
  settle(entry, item);
  entry.description = item.description;
  entry.done = item.done;
}

/** Remembers what the service holds, and leaves what is shown, which may be newer. @param {Entry} entry @param {Item} item */
export function settle(entry, item) {
  entry.saved = item;
  entry.etag = item.etag;
}
