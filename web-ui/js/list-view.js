/** The page of the list: draws what `List` believes, passes on what the person wants, and keeps focus where it was. */
import { announce, focusOn, fromTemplate, need, part } from './dom.js';
import { Row } from './row.js';
import { signInAddress } from './router.js';
import { objection } from './todos.js';

/** @param {import('./main.js').App} app @param {AbortSignal} signal ends with the view */
export function listView(app, signal) {
  const view = new ListView(app, signal);
  return { title: 'Your list', content: view.content };
}

class ListView {
  /** @type {Map<import('./entry.js').Entry, Row>} */
  #rows = new Map();
  #app;
  /** An edit begun on an earlier page is taken up once, when its item appears. */
  #restored = false;

  /** @param {import('./main.js').App} app @param {AbortSignal} signal */
  constructor(app, signal) {
    this.#app = app;
    this.content = fromTemplate('v-list');
    this.head = need(this.content, 'h1');
    this.count = part(this.content, 'count');
    this.bar = need(this.content, '.progress');
    this.rows = part(this.content, 'rows');
    this.empty = part(this.content, 'empty');
    this.loading = part(this.content, 'loading');
    this.more = part(this.content, 'more');
    this.hint = part(this.content, 'hint');
    this.problem = part(this.content, 'problem');
    this.problemText = part(this.content, 'problem-text');
    this.problemLink = part(this.content, 'problem-link');
    this.problemAgain = part(this.content, 'problem-again');
    this.form = part(this.content, 'add');
    this.field = need(this.form, 'input');
    this.fieldError = need(this.form, '.field-error');
    this.#listen(signal);
    this.field.value = app.drafts.add;
    this.#draw();
    if (app.list.state === 'new' || app.list.state === 'failed') app.list.load();
    else app.list.refresh();
  }

  /** @param {AbortSignal} signal */
  #listen(signal) {
    const { list, drafts, removals, toast } = this.#app;
    list.addEventListener('change', () => this.#draw(), { signal });
    list.addEventListener('notice', (event) => toast.show(/** @type {CustomEvent} */ (event).detail), { signal });
    list.addEventListener('rejected', (event) => this.#rejected(/** @type {CustomEvent} */ (event).detail), { signal });
    this.form.addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#add();
    });
    this.field.addEventListener('input', () => {
      this.#complain(null);
      drafts.add = this.field.value;
    });
    this.rows.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => this.#arrows(event));
    this.problemAgain.addEventListener('click', () => (list.state === 'ready' && list.next ? list.more() : list.load()));
    this.more.addEventListener('click', () => this.#more());
    removals.onReturn = (entry) => focusOn(this.#rows.get(entry)?.removeButton);
    signal.addEventListener('abort', () => {
      removals.onReturn = () => {};
    });
  }

  #draw() {
    const { list } = this.#app;
    this.#drawRows();
    this.rows.hidden = list.entries.length === 0;
    this.loading.hidden = list.state !== 'loading' || list.entries.length > 0;
    this.empty.hidden = list.state !== 'ready' || list.entries.length > 0;
    this.hint.hidden = list.entries.length === 0;
    this.more.hidden = !list.next;
    this.#drawCount();
    this.#drawProblem();
    this.#keepDrafts();
    if (list.state === 'ready') this.#restoreEdit();
  }

  #drawRows() {
    const { entries } = this.#app.list;
    const wanted = new Set(entries);
    for (const [entry, row] of this.#rows) {
      if (wanted.has(entry)) continue;
      if (row.element.contains(document.activeElement)) focusOn(this.head);
      row.element.remove();
      this.#rows.delete(entry);
    }
    let place = this.rows.firstElementChild;
    for (const entry of entries) {
      let row = this.#rows.get(entry);
      if (row) row.update();
      else this.#rows.set(entry, (row = this.#row(entry)));
      // Moving an element takes its focus away, so only what stands in the wrong place moves.
      if (row.element === place) place = place.nextElementSibling;
      else this.rows.insertBefore(row.element, place);
    }
  }

  /** @param {import('./entry.js').Entry} entry */
  #row(entry) {
    const { changes, drafts } = this.#app;
    return new Row(entry, {
      done: (which, done) => changes.setDone(which, done),
      rename: (which, text) => changes.rename(which, text),
      remove: (row) => this.#remove(row),
      draft: (which, text) => {
        drafts.edit = text === null || !which.id ? null : { id: which.id, text };
      },
      editing: (row) => this.#onlyOneEditor(row),
    });
  }

  #drawCount() {
    const { entries, state, next } = this.#app.list;
    const done = entries.filter((entry) => entry.done).length;
    const open = entries.length - done;
    this.bar.hidden = entries.length === 0;
    this.bar.style.setProperty('--done', String(entries.length ? done / entries.length : 0));
    if (state !== 'ready' || entries.length === 0) this.count.textContent = '';
    else if (open === 0 && !next) this.count.textContent = entries.length === 1 ? 'Done' : `All ${entries.length} done`;
    else this.count.textContent = `${open} to do, ${done} done${next ? ' so far' : ''}`;
  }

  #drawProblem() {
    const { problem } = this.#app.list;
    this.problem.hidden = !problem || problem.kind === 'signed-out';
    if (!problem) return;
    const text = problem.kind === 'consent'
      ? 'To show your list, the to-do service needs your permission once more.'
      : `Your list could not be loaded. ${problem.sentence}`;
    if (this.problemText.textContent !== text) announce(text);
    this.problemText.textContent = text;
    this.problemLink.hidden = problem.kind !== 'consent';
    this.problemAgain.hidden = problem.kind === 'consent';
    if (problem.kind === 'consent') this.problemLink.href = signInAddress('/auth/sign-in', problem.signIn);
  }

  #add() {
    const { changes, drafts } = this.#app;
    const text = this.field.value.trim();
    const wrong = objection(text);
    if (wrong) {
      this.#complain(wrong);
      focusOn(this.field);
      return;
    }
    this.field.value = '';
    drafts.add = '';
    this.#complain(null);
    const entry = changes.add(text);
    announce(`Added “${text}”.`);
    focusOn(this.field);
    this.#rows.get(entry)?.element.scrollIntoView({ block: 'nearest' });
  }

  /** The service found a new item wrong: its words go back where they were typed. @param {{text: string, message: string}} detail */
  #rejected({ text, message }) {
    const { changes, drafts } = this.#app;
    if (this.field.value.trim()) return changes.addUnsaved(text, message);
    this.field.value = text;
    drafts.add = text;
    this.#complain(message);
    focusOn(this.field);
  }

  /** @param {Row} row */
  #remove(row) {
    const { list, removals } = this.#app;
    const index = list.entries.indexOf(row.entry);
    // Chosen before the row goes, used after: the item that moves up, else the one above, else the add field.
    const heir = list.entries[index + 1] ?? list.entries[index - 1];
    if (row.isEditing) row.close({ keepFocus: false });
    removals.remove(row.entry);
    focusOn(heir ? this.#rows.get(heir)?.removeButton : this.field);
  }

  /** Opening a second editor saves the first, as clicking elsewhere does in a spreadsheet. @param {Row} opening */
  #onlyOneEditor(opening) {
    for (const row of this.#rows.values()) {
      if (row === opening || !row.isEditing) continue;
      if (!row.field.value.trim()) row.close({ keepFocus: false });
      else row.save({ keepFocus: false });
    }
  }

  async #more() {
    const { list } = this.#app;
    const before = list.entries.length;
    this.more.setAttribute('aria-busy', 'true');
    await list.more();
    this.more.removeAttribute('aria-busy');
    const first = list.entries[before];
    if (first) {
      announce(`${list.entries.length - before} more.`);
      focusOn(this.#rows.get(first)?.box);
    }
  }

  /** Up and down go to the same control of the neighbouring item. @param {KeyboardEvent} event */
  #arrows(event) {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const rows = this.#app.list.entries.map((entry) => this.#rows.get(entry));
    const at = rows.findIndex((row) => row?.element.contains(document.activeElement));
    const from = rows[at];
    const to = rows[at + step];
    if (!from || from.isEditing) return;
    event.preventDefault();
    if (!to) return;
    if (to.isEditing) focusOn(to.field);
    else if (document.activeElement === from.editButton) focusOn(to.editButton);
    else if (document.activeElement === from.removeButton) focusOn(to.removeButton);
    else focusOn(to.box.disabled ? to.removeButton : to.box);
  }

  /** Whatever is typed or sent but not saved is also in the drafts, at every moment. */
  #keepDrafts() {
    const { list, drafts } = this.#app;
    // What is under way finishes even when the page goes; keeping it too would make it twice.
    drafts.unsaved = list.unsaved.filter((entry) => !entry.waiting).map((entry) => entry.description);
    const editing = [...this.#rows.values()].some((row) => row.isEditing);
    if (!editing && this.#restored) drafts.edit = list.unsavedEdit;
  }

  #restoreEdit() {
    if (this.#restored) return;
    this.#restored = true;
    const { list, changes, drafts } = this.#app;
    const edit = drafts.edit;
    if (!edit) {
      if (drafts.add) announce('What you had typed is back in the field.');
      return;
    }
    const entry = list.entries.find((each) => each.id === edit.id);
    // Drawn first, focused after: the view may not be in the document yet.
    queueMicrotask(() => {
      if (entry) this.#rows.get(entry)?.edit(edit.text);
      else {
        drafts.edit = null;
        changes.addUnsaved(edit.text, 'The item you were editing is not here any more; this is the text you had.');
      }
      announce('The change you had begun is back.');
    });
  }

  /** @param {string|null} message */
  #complain(message) {
    this.fieldError.hidden = !message;
    this.fieldError.textContent = message ?? '';
    if (message) {
      this.field.setAttribute('aria-invalid', 'true');
      this.field.setAttribute('aria-describedby', this.fieldError.id);
      announce(message);
    } else {
      this.field.removeAttribute('aria-invalid');
      this.field.removeAttribute('aria-describedby');
    }
  }
}
