/**
 * The end of a session, told in time: a quiet banner some minutes before, and a dialog after. Both say what happens to
 * what is being written.
 */
import { button, focusOn, need } from './dom.js';
import { aimSignInLinks, signInAddress } from './router.js';
import { clockTime } from './time.js';

const WARN_MS = 5 * 60_000;
/** The banner speaks again at these distances from the end; between them it stays silent for screen readers. */
const STEPS = [5, 2, 1];

export class Expiry {
  #session;
  #drafts;
  #banner = need(document, '#expiry');
  #dialog = /** @type {HTMLDialogElement} */ (need(document, '#ended'));
  /** @type {number|undefined} */
  #timer;
  /** What the banner says now, so that the same is not said twice. */
  #said = '';
  /** The longest idle time seen: with short sessions the warning must be shorter too. */
  #longest = 0;

  /** @param {import('./session.js').Session} session @param {import('./drafts.js').Drafts} drafts */
  constructor(session, drafts) {
    this.#session = session;
    this.#drafts = drafts;
    session.addEventListener('times', () => this.#look());
    session.addEventListener('change', () => {
      this.#look();
      if (session.status === 'out' && session.why) this.#end();
    });
    need(this.#dialog, 'button').addEventListener('click', () => this.#dialog.close());
  }

  #look() {
    clearTimeout(this.#timer);
    const session = this.#session;
    if (session.status !== 'in') {
      this.#hide();
      return;
    }
    if (this.#dialog.open) this.#dialog.close();
    const left = session.nextEnd - session.now();
    this.#longest = Math.max(this.#longest, left);
    const warn = Math.min(WARN_MS, this.#longest / 3);
    if (left > warn) {
      this.#hide();
      // Work in another tab may have moved the end, so the gateway is asked again before anybody is warned.
      this.#timer = setTimeout(() => session.check(), Math.min(left - warn + 50, 2 ** 31 - 1));
      return;
    }
    this.#warn(left);
    const minutes = Math.ceil(left / 60_000);
    const step = STEPS.find((each) => each < minutes);
    if (step) this.#timer = setTimeout(() => session.check(), Math.max(1000, left - step * 60_000 + 50));
  }

  /** @param {number} left milliseconds */
  #warn(left) {
    const minutes = STEPS.findLast((each) => left <= each * 60_000) ?? STEPS[0];
    const when = minutes === 1 ? 'in less than a minute' : `in less than ${minutes} minutes`;
    const final = this.#session.endIsFinal;
    const said = `${when} ${final}`;
    if (said === this.#said) return;
    this.#said = said;
    const text = document.createElement('p');
    text.textContent = final
      ? `You will be signed out ${when}: a session lasts only so long. Sign in again now to go on without a break; what you have typed is kept.`
      : `You will be signed out ${when}, because nothing has happened here for a while.`;
    this.#banner.replaceChildren(text, final ? this.#again() : button('Stay signed in', () => this.#stay(), 'button small'));
    this.#banner.classList.add('on');
  }

  #again() {
    const link = document.createElement('a');
    link.className = 'button small';
    link.href = signInAddress('/auth/sign-in');
    link.textContent = 'Sign in again now';
    return link;
  }

  async #stay() {
    await this.#session.check({ slide: true });
    const session = this.#session;
    if (session.status !== 'in') return;
    const text = document.createElement('p');
    if (session.problem) {
      this.#said = '';
      text.textContent = `That did not work. ${session.problem.sentence}`;
      this.#banner.replaceChildren(text, button('Try again', () => this.#stay(), 'button small'));
      focusOn(this.#banner.querySelector('button'));
      return;
    }
    text.textContent = `You stay signed in until ${clockTime(session.nextEnd, session.now())}.`;
    this.#banner.replaceChildren(text);
    this.#banner.classList.add('on');
    focusOn(need(document, '#main'));
    setTimeout(() => {
      if (!this.#said) this.#hide();
    }, 5000);
  }

  #hide() {
    this.#said = '';
    this.#banner.classList.remove('on');
    this.#banner.replaceChildren();
  }

  #end() {
    if (this.#dialog.open) return;
    const expired = this.#session.why === 'expired';
    need(this.#dialog, 'h2').textContent = expired ? 'Your session has ended' : 'You have been signed out';
    need(this.#dialog, '#ended-why').textContent = expired
      ? 'Sessions end after a while so that nobody else can go on in your name. Sign in again to carry on where you were.'
      : 'This happened in another tab or window, or the session was ended for you. Sign in again to carry on.';
    need(this.#dialog, '.kept').hidden = !this.#drafts.any;
    aimSignInLinks(this.#dialog);
    this.#dialog.showModal();
  }
}
