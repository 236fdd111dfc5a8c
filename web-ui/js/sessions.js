/**
 * Where a person is signed in, and ending what should not be. The gateway decides whose sessions these are; ending one
 * takes effect at once, and its browser notices with its next call.
 *
 * @typedef {{id: string, current: boolean, started: string, last_used: string, expires: string, address: string, browser: string}} Place
 */
import { request } from './api.js';
import { confirmed } from './confirm.js';
import { focusOn, fromTemplate, need, part, setTime } from './dom.js';
import { asProblem } from './problem.js';
import { ago, clockTime, count } from './time.js';

export class Sessions {
  #app;
  #signal;
  #places;
  #heading;
  #note;
  #problem;
  #foot;
  #loading = false;

  /** @param {import('./main.js').App} app @param {DocumentFragment} content @param {AbortSignal} signal */
  constructor(app, content, signal) {
    this.#app = app;
    this.#signal = signal;
    this.#places = part(content, 'places');
    this.#heading = need(content, '#places-title');
    this.#note = part(content, 'places-note');
    this.#problem = part(content, 'places-problem');
    this.#foot = part(content, 'places-foot');
    need(this.#foot, 'button').addEventListener('click', () => this.#endOthers());
    part(content, 'places-again').addEventListener('click', () => this.load({ focus: true }));
    // Whatever makes the page ask about the session may have ended another one too.
    app.session.addEventListener('times', () => this.load(), { signal });
  }

  /** Looking must not keep a forgotten session alive. @param {{focus?: boolean}} [options] */
  async load({ focus = false } = {}) {
    if (this.#loading || this.#signal.aborted) return;
    this.#loading = true;
    try {
      const { body } = await request('GET', '/auth/sessions?slide=false');
      if (!this.#signal.aborted) this.#draw(body.sessions);
    } catch (error) {
      this.#failed(error, 'The list of your sessions could not be loaded.');
    } finally {
      this.#loading = false;
    }
    if (focus) focusOn(this.#heading);
  }

  /** @param {Place[]} places */
  #draw(places) {
    const others = places.filter((place) => !place.current).length;
    const focused = document.activeElement?.getAttribute('data-end');
    const now = this.#app.session.now();
    this.#places.replaceChildren(...places.map((place) => this.#line(place, now)));
    this.#note.textContent = others ? '' : 'Only this one: you are signed in nowhere else.';
    this.#note.hidden = others > 0;
    this.#problem.hidden = true;
    this.#foot.hidden = others === 0;
    if (!focused) return;
    const same = [...this.#places.querySelectorAll('[data-end]')].find((each) => each.getAttribute('data-end') === focused);
    focusOn(same ?? this.#heading);
  }

  /** @param {Place} place @param {number} now */
  #line(place, now) {
    const line = fromTemplate('place');
    const started = Date.parse(place.started);
    const used = Date.parse(place.last_used);
    part(line, 'browser').textContent = place.browser;
    part(line, 'address').textContent = place.address;
    for (const [name, when] of /** @type {[string, number][]} */ ([['started', started], ['used', used]])) {
      const time = part(line, name);
      setTime(time, when, ago(now - when));
      time.title = clockTime(when, now);
    }
    const end = need(line, 'button');
    // What ends the session in use is signing out.
    if (place.current) end.remove();
    else part(line, 'current').remove();
    end.setAttribute('data-end', place.id);
    // Begins with the words on the button, for people who speak to their computer.
    end.setAttribute('aria-label', `Sign out ${place.browser} at ${place.address}, last used ${ago(now - used)}`);
    end.addEventListener('click', () => this.#endOne(place));
    return line;
  }

  /** @param {Place} place */
  async #endOne(place) {
    const words = {
      title: `Sign out ${place.browser}?`,
      text: `Whoever uses it at ${place.address} has to sign in again. What they typed there and did not save may be lost.`,
      yes: 'Sign it out',
    };
    if (await confirmed(words, this.#signal)) await this.#end(place.id, () => `${place.browser} is signed out.`);
  }

  async #endOthers() {
    const words = {
      title: 'Sign out everywhere else?',
      text: 'All your other browsers and devices have to sign in again. This one stays signed in.',
      yes: 'Sign them out',
    };
    const told = (/** @type {number} */ ended) => (ended ? `${count(ended, 'other session')} signed out.` : 'You were signed in nowhere else.');
    if (await confirmed(words, this.#signal)) await this.#end('others', told);
  }

  /** @param {string} what @param {(ended: number) => string} told */
  async #end(what, told) {
    let message;
    try {
      const { body } = await request('POST', '/auth/sessions', { body: { end: what } });
      message = told(body.ended);
    } catch (error) {
      // Somebody was faster, or its time was over: what was wanted is so.
      if (asProblem(error).kind !== 'gone') return this.#failed(error, 'Nothing was signed out.');
      message = 'That session had ended already.';
    }
    if (this.#signal.aborted) return;
    this.#app.toast.show(message);
    await this.load({ focus: true });
  }

  /** @param {unknown} error @param {string} what */
  #failed(error, what) {
    if (this.#signal.aborted) return;
    const problem = asProblem(error);
    if (problem.kind === 'signed-out') {
      this.#app.session.check();
      return;
    }
    part(this.#problem, 'places-why').textContent = `${what} ${problem.sentence}`;
    this.#problem.hidden = false;
  }
}
