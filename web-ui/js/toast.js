/**
 * One short notice at a time, with at most one action. It waits while somebody points at it or has focus inside, so a
 * slow reader is not raced.
 */
import { button, need } from './dom.js';

/**
 * @typedef {{label: string, hint?: string, run: () => void}} Action
 * @typedef {{action?: Action, onEnd?: () => void, milliseconds?: number}} Options
 */
const SECONDS_8 = 8000;

export class Toast {
  #place = /** @type {HTMLElement} */ (need(document, '#toast'));
  /** @type {(() => void)|undefined} */
  #onEnd;
  #left = 0;
  #since = 0;
  /** @type {number|undefined} */
  #timer;
  #holds = new Set();

  constructor() {
    for (const [hold, release] of [['pointerenter', 'pointerleave'], ['focusin', 'focusout']]) {
      this.#place.addEventListener(hold, () => this.#hold(hold));
      this.#place.addEventListener(release, () => this.#release(hold));
    }
  }

  /** @param {string} message @param {Options} [options] */
  show(message, { action, onEnd, milliseconds = SECONDS_8 } = {}) {
    this.end();
    const text = document.createElement('p');
    text.textContent = message;
    this.#place.replaceChildren(text);
    if (action) {
      const act = button(action.label, () => {
        // The action takes the place of the end: an undone removal must not be carried out after all.
        this.#onEnd = undefined;
        this.end();
        action.run();
      }, 'toast-action');
      if (action.hint) act.setAttribute('aria-keyshortcuts', action.hint);
      this.#place.append(act);
    }
    this.#place.classList.add('on');
    this.#onEnd = onEnd;
    this.#left = milliseconds;
    this.#holds.clear();
    this.#run();
  }

  /** Takes the notice away now and lets its owner finish what it was waiting for. */
  end() {
    clearTimeout(this.#timer);
    this.#place.classList.remove('on');
    this.#place.replaceChildren();
    const onEnd = this.#onEnd;
    this.#onEnd = undefined;
    onEnd?.();
  }

  /** Takes the notice away; what it was about has been settled elsewhere. */
  dismiss() {
    this.#onEnd = undefined;
    this.end();
  }

  #run() {
    this.#since = performance.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end(), this.#left);
  }

  /** @param {string} reason */
  #hold(reason) {
    if (this.#holds.size === 0) {
      clearTimeout(this.#timer);
      this.#left -= performance.now() - this.#since;
    }
    this.#holds.add(reason);
  }

  /** @param {string} reason */
  #release(reason) {
    this.#holds.delete(reason);
    if (this.#holds.size > 0 || !this.#place.hasChildNodes()) return;
    this.#left = Math.max(this.#left, 2000);
    this.#run();
  }
}
