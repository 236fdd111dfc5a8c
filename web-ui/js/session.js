/**
 * The session as the gateway tells it. The gateway decides everything; this object asks, remembers the last answer and
 * notices change. All times are the server's: `now` in each answer gives the distance between the two clocks, so a
 * wrong clock on this computer does not matter.
 *
 * Events: `change` (signed in, signed out, another person), `times` (the same session, new answer).
 *
 * @typedef {{name: string, scopes: string[], held: boolean, expires_at?: string|null}} Token
 * @typedef {{name: string, claims: Record<string, unknown>, tokens: Token[], idleEnd: number, end: number}} Facts
 * @typedef {'unknown'|'out'|'in'} Status
 * @typedef {'expired'|'elsewhere'|null} Why
 */
import { request } from './api.js';
import { asProblem } from './problem.js';

/** How often to ask when nothing else gives a reason to. Short enough that a sign-out in another tab is noticed. */
const POLL_MS = 60_000;

export class Session extends EventTarget {
  /** @type {Status} */
  status = 'unknown';
  /** @type {Facts|null} what was last known while signed in; kept after the end, to say what ended */
  facts = null;
  /** @type {Why} why the status turned from in to out */
  why = null;
  /** Signing out here and now: the end is no surprise. */
  leaving = false;
  /** @type {import('./problem.js').Problem|null} why the last question got no answer */
  problem = null;

  #skew = 0;
  /** @type {Promise<void>|null} */
  #asking = null;
  /** @type {number|undefined} */
  #timer;

  /** The server's clock, milliseconds since 1970. */
  now() {
    return Date.now() + this.#skew;
  }

  /** Who is signed in, as a value that can be compared; never shown. */
  get person() {
    if (this.status !== 'in' || !this.facts) return null;
    // Which claims are shown is configured, so the best of those there are.
    const { sub, oid, email } = this.facts.claims;
    return String(sub ?? oid ?? email ?? this.facts.name);
  }

  /** When this session ends if nothing more happens. */
  get nextEnd() {
    return this.facts ? Math.min(this.facts.idleEnd, this.facts.end) : Infinity;
  }

  /** True when being active cannot move the end any more. */
  get endIsFinal() {
    return this.facts !== null && this.facts.end <= this.facts.idleEnd;
  }

  /**
   * Asks the gateway. Looking must not keep a forgotten session alive, so only what a person does slides the idle time.
   * @param {{slide?: boolean}} [options]
   */
  async check({ slide = false } = {}) {
    while (this.#asking) {
      await this.#asking;
      if (!slide) return; // The answer that just came is fresh enough for a look.
    }
    this.#asking = this.#ask(slide).finally(() => {
      this.#asking = null;
      this.#plan();
    });
    await this.#asking;
  }

  /** Starts watching: by the clock, and whenever the person comes back to this tab. */
  watch() {
    addEventListener('focus', () => this.check());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.check();
    });
    this.#plan();
  }

  /** @param {boolean} slide */
  async #ask(slide) {
    let body;
    try {
      ({ body } = await request('GET', slide ? '/auth/session' : '/auth/session?slide=false'));
    } catch (error) {
      this.problem = asProblem(error);
      // No answer is not a sign-out; but once our own clock says the session is over, it is.
      if (this.status === 'in' && this.now() > this.nextEnd) this.#become('out', null);
      else this.dispatchEvent(new Event('times'));
      return;
    }
    this.problem = null;
    if (body.now) this.#skew = Date.parse(body.now) - Date.now();
    this.#become(body.signed_in ? 'in' : 'out', body.signed_in ? factsOf(body) : null);
  }

  /** @param {Status} status @param {Facts|null} facts */
  #become(status, facts) {
    const before = { status: this.status, person: this.person };
    if (before.status === 'in' && status === 'out' && !this.leaving) {
      this.why = this.now() >= this.nextEnd - 1000 ? 'expired' : 'elsewhere';
    }
    if (status === 'in') {
      this.why = null;
      this.leaving = false;
    }
    this.status = status;
    if (facts) this.facts = facts;
    const changed = before.status !== this.status || before.person !== this.person;
    this.dispatchEvent(new CustomEvent(changed ? 'change' : 'times', { detail: { before } }));
  }

  /** The next look: in a minute, or just after the session should have ended, whichever is first. */
  #plan() {
    clearTimeout(this.#timer);
    const untilEnd = this.status === 'in' ? this.nextEnd - this.now() + 500 : Infinity;
    this.#timer = setTimeout(() => this.check(), Math.max(1000, Math.min(POLL_MS, untilEnd)));
  }
}

/** @param {any} body @returns {Facts} */
function factsOf(body) {
  return {
    name: String(body.name || 'Signed in'),
    claims: body.claims ?? {},
    tokens: Array.isArray(body.tokens) ? body.tokens : [],
    idleEnd: time(body.idle_expires_at),
    end: time(body.expires_at),
  };
}

/** @param {unknown} text */
function time(text) {
  const parsed = Date.parse(String(text));
  return Number.isNaN(parsed) ? Infinity : parsed;
}
