/**
 * Removing with second thoughts: the item leaves the screen at once and the list when the notice ends. Leaving the page
 * or signing out carries it out too, because the person was told it is removed.
 */
import { announce } from './dom.js';

export class Removals {
  #list;
  #toast;
  /** Called with the entry that came back, so that focus can follow it. @type {(entry: import('./entry.js').Entry) => void} */
  onReturn = () => {};

  /** @param {import('./list.js').List} list @param {import('./toast.js').Toast} toast */
  constructor(list, toast) {
    this.#list = list;
    this.#toast = toast;
    document.addEventListener('keydown', (event) => this.#key(event));
    addEventListener('pagehide', () => this.#finish());
  }

  /** @param {import('./entry.js').Entry} entry */
  remove(entry) {
    // One at a time: what was removed before this is settled first.
    this.#toast.end();
    this.#list.remove(entry);
    this.#toast.show(`Removed “${short(entry.description)}”.`, {
      action: { label: 'Undo', hint: 'Control+Z', run: () => this.undo() },
      onEnd: () => this.#list.commitRemoval(),
    });
  }

  undo() {
    const entry = this.#list.undoRemoval();
    this.#toast.dismiss();
    if (!entry) return;
    announce(`“${short(entry.description)}” is back on the list.`);
    this.onReturn(entry);
  }

  /** Carries out what is waiting and resolves when the service has answered. */
  async #finish() {
    const done = this.#list.commitRemoval();
    this.#toast.end();
    await done;
  }

  /** Everything sent and answered: then nothing is lost by ending the session. */
  async settle() {
    await Promise.all([this.#finish(), this.#list.settled()]);
  }

  /** The session is gone, and with it the right to remove: the item stays on the list. */
  abandon() {
    if (!this.#list.removal) return;
    this.#list.undoRemoval();
    this.#toast.dismiss();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key.toLowerCase() !== 'z' || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    // In a text field the same keys undo typing.
    const field = event.target instanceof HTMLInputElement && event.target.type === 'text' && event.target.value !== '';
    if (field || !this.#list.removal) return;
    event.preventDefault();
    this.undo();
  }
}

/** @param {string} text */
function short(text) {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
