/** One line of the list: what it shows, how it is edited in place, what it says when a change did not go through. */
import { announce, button, focusOn, fromTemplate, need } from './dom.js';
import { signInAddress } from './router.js';
import { objection } from './todos.js';

/**
 * @typedef {import('./entry.js').Entry} Entry
 * @typedef {{done: (entry: Entry, done: boolean) => void, rename: (entry: Entry, text: string) => void,
 *            remove: (row: Row) => void, draft: (entry: Entry, text: string|null) => void,
 *            editing: (row: Row) => void}} Wishes
 */
export class Row {
  /** @type {import('./entry.js').Trouble|null} */
  #shown = null;
  #wishes;

  /** @param {Entry} entry @param {Wishes} wishes */
  constructor(entry, wishes) {
    this.entry = entry;
    this.#wishes = wishes;
    const copy = fromTemplate('row');
    /** @type {HTMLLIElement} */
    this.element = need(copy, '.row');
    /** @type {HTMLInputElement} */
    this.box = need(copy, 'input[type=checkbox]');
    this.text = need(copy, '.text');
    this.main = need(copy, '.row-main');
    this.saving = need(copy, '.saving');
    /** @type {HTMLButtonElement} */
    this.editButton = need(copy, '[data-do=edit]');
    /** @type {HTMLButtonElement} */
    this.removeButton = need(copy, '[data-do=remove]');
    /** @type {HTMLFormElement} */
    this.editor = need(copy, '.editor');
    /** @type {HTMLInputElement} */
    this.field = need(this.editor, 'input');
    this.fieldError = need(this.editor, '.field-error');
    this.trouble = need(copy, '.trouble');
    this.#listen();
    this.update();
  }

  get isEditing() {
    return !this.editor.hidden;
  }

  /** Draws the entry as it now is. An open editor is never touched. */
  update() {
    const { description, done, id, waiting } = this.entry;
    this.text.textContent = description;
    this.box.checked = done;
    this.box.disabled = !id && !waiting;
    this.element.classList.toggle('done', done);
    this.saving.hidden = !waiting;
    this.editButton.setAttribute('aria-label', `Edit ${description}`);
    this.removeButton.setAttribute('aria-label', `Remove ${description}`);
    this.#showTrouble();
  }

  /** @param {string} [text] what to start from, when it is not what the item says */
  edit(text = this.entry.description) {
    this.#wishes.editing(this);
    this.field.value = text;
    this.field.setAttribute('aria-label', `Edit ${this.entry.description}`);
    this.#complain(null);
    this.editor.hidden = false;
    this.main.hidden = true;
    this.trouble.hidden = true;
    this.#wishes.draft(this.entry, text);
    focusOn(this.field);
    this.field.setSelectionRange(text.length, text.length);
  }

  /** Closes the editor; the text in it is dropped unless it was saved before. @param {{keepFocus?: boolean}} [options] */
  close({ keepFocus = true } = {}) {
    if (!this.isEditing) return;
    this.editor.hidden = true;
    this.main.hidden = false;
    this.trouble.hidden = !this.#shown;
    this.#wishes.draft(this.entry, null);
    if (keepFocus) focusOn(this.editButton);
  }

  /** Saves what the editor holds, when it can be saved. @param {{keepFocus?: boolean}} [options] @returns {boolean} */
  save(options) {
    const text = this.field.value.trim();
    const wrong = objection(text);
    if (wrong) {
      this.#complain(wrong);
      focusOn(this.field);
      return false;
    }
    this.close(options);
    if (text !== this.entry.description || this.#shown) this.#wishes.rename(this.entry, text);
    return true;
  }

  #listen() {
    this.box.addEventListener('change', () => this.#wishes.done(this.entry, this.box.checked));
    this.editButton.addEventListener('click', () => this.edit());
    this.removeButton.addEventListener('click', () => this.#wishes.remove(this));
    this.editor.addEventListener('submit', (event) => {
      event.preventDefault();
      this.save();
    });
    this.editor.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.isComposing) return;
      event.preventDefault();
      this.close();
    });
    this.field.addEventListener('input', () => {
      this.#complain(null);
      this.#wishes.draft(this.entry, this.field.value);
    });
    need(this.editor, '[data-do=cancel]').addEventListener('click', () => this.close());
  }

  /** @param {string|null} message */
  #complain(message) {
    this.fieldError.hidden = !message;
    this.fieldError.textContent = message ?? '';
    this.fieldError.id = `error-${this.entry.key}`;
    if (message) {
      this.field.setAttribute('aria-invalid', 'true');
      this.field.setAttribute('aria-describedby', this.fieldError.id);
      announce(message);
    } else {
      this.field.removeAttribute('aria-invalid');
      this.field.removeAttribute('aria-describedby');
    }
  }

  #showTrouble() {
    const trouble = this.entry.trouble;
    if (trouble === this.#shown) return;
    const hadFocus = this.trouble.contains(document.activeElement);
    this.#shown = trouble;
    this.trouble.hidden = !trouble || this.isEditing;
    this.element.classList.toggle('troubled', Boolean(trouble));
    if (trouble) {
      this.trouble.setAttribute('aria-label', `Problem with ${this.entry.description}`);
      need(this.trouble, 'p').textContent = trouble.message;
      need(this.trouble, '.trouble-actions').replaceChildren(...this.#ways(trouble));
      announce(trouble.message);
      // Words that exist nowhere else must not be overlooked below the edge of the screen.
      if (!this.entry.id) this.element.scrollIntoView({ block: 'nearest' });
    }
    // The button just used is gone; what it was about is the next best place.
    if (hadFocus) focusOn(this.box.disabled ? this.removeButton : this.box);
  }

  /** @param {import('./entry.js').Trouble} trouble @returns {HTMLElement[]} */
  #ways(trouble) {
    const ways = [];
    if (trouble.signIn) {
      const link = document.createElement('a');
      link.className = 'button small';
      link.href = signInAddress('/auth/sign-in', trouble.signIn);
      link.textContent = 'Give permission';
      ways.push(link);
    }
    const { edit, tryAgain } = trouble;
    if (edit !== undefined) ways.push(button('Edit again', () => this.edit(edit), 'button small'));
    if (tryAgain) ways.push(button(trouble.tryLabel ?? 'Try again', tryAgain, 'button small'));
    ways.push(button(trouble.keepLabel, trouble.keep));
    return ways;
  }
}
