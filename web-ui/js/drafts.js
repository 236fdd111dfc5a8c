/**
 * Text that is typed but not saved, kept for this tab so that a sign-in on the way does not cost anybody their words.
 * It belongs to one person: whoever signs in next in this tab does not get to read it.
 *
 * @typedef {{id: string, text: string}} Edit
 * @typedef {{add: string, edit: Edit|null, unsaved: string[]}} Kept
 */
const KEY = 'unsaved-text';

export class Drafts {
  /** @type {Kept} */
  #kept = nothing();
  /** @type {string|null} */
  #owner = null;

  /** While the page goes away its requests are cut off; that is no sign that the service did not take them. */
  #leaving = false;

  constructor() {
    addEventListener('pagehide', () => {
      this.#leaving = true;
    });
    addEventListener('pageshow', () => {
      this.#leaving = false;
    });
  }

  /** Takes up what an earlier page of this tab left, if it is this person's. @param {string} owner */
  claim(owner) {
    if (this.#owner === owner) return;
    const left = this.#read();
    this.#owner = owner;
    this.#kept = left?.owner === owner ? { ...nothing(), ...left.kept } : nothing();
    this.#write();
  }

  /** What the add field holds. */
  get add() {
    return this.#kept.add;
  }

  set add(text) {
    this.#keep({ add: text });
  }

  /** The item being edited and the text so far. */
  get edit() {
    return this.#kept.edit;
  }

  set edit(edit) {
    this.#keep({ edit });
  }

  /** New items that the service has not taken yet. */
  get unsaved() {
    return this.#kept.unsaved;
  }

  set unsaved(unsaved) {
    this.#keep({ unsaved });
  }

  get any() {
    return Boolean(this.#kept.add.trim() || this.#kept.edit || this.#kept.unsaved.length);
  }

  /** On purpose and for good: signing out leaves nothing behind. */
  forget() {
    this.#kept = nothing();
    this.#write();
  }

  /** @param {Partial<Kept>} part */
  #keep(part) {
    this.#kept = { ...this.#kept, ...part };
    this.#write();
  }

  #write() {
    if (this.#leaving) return;
    try {
      if (this.any) sessionStorage.setItem(KEY, JSON.stringify({ owner: this.#owner, kept: this.#kept }));
      else sessionStorage.removeItem(KEY);
    } catch {
      // Storage switched off or full: the page still works, it only cannot outlive itself.
    }
  }

  /** @returns {{owner: string, kept: Partial<Kept>}|null} */
  #read() {
    try {
      return JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
    } catch {
      return null;
    }
  }
}

/** @returns {Kept} */
function nothing() {
  return { add: '', edit: null, unsaved: [] };
}
