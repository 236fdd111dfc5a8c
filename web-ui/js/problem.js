/**
 * One shape for everything that can go wrong between this page and the server, with a sentence a person can act on.
 * Knows nothing of lists or sessions.
 *
 * @typedef {'signed-out'|'consent'|'forbidden'|'gone'|'conflict'|'invalid'|'busy'|'upstream'|'unreachable'|'slow'|'unexpected'} Kind
 */

/** @type {Record<Kind, string>} */
const SENTENCES = {
  'signed-out': 'Your session has ended.',
  consent: 'This needs a permission that you have not given yet.',
  forbidden: 'You are not allowed to do this.',
  gone: 'It is no longer there.',
  conflict: 'Somebody changed it in the meantime.',
  invalid: 'The service did not accept it.',
  busy: 'The service is busy or restarting.',
  upstream: 'The to-do service is not answering.',
  unreachable: 'The server cannot be reached. Are you online?',
  slow: 'The server took too long to answer.',
  unexpected: 'Something went wrong on the server.',
};

export class Problem extends Error {
  /**
   * @param {Kind} kind
   * @param {{status?: number, fields?: {field: string, detail: string}[], signIn?: string|null,
   *          retryAfter?: number|null, reference?: string|null}} [more]
   */
  constructor(kind, { status = 0, fields = [], signIn = null, retryAfter = null, reference = null } = {}) {
    super(SENTENCES[kind]);
    this.name = 'Problem';
    this.kind = kind;
    this.status = status;
    /** What the service said about single fields (422). */
    this.fields = fields;
    /** Where signing in would repair this, a path of this site. */
    this.signIn = signIn;
    /** Seconds after which the server invites another try. */
    this.retryAfter = retryAfter;
    /** The request id: what to quote to whoever runs the service. */
    this.reference = reference;
  }

  /** The sentence to show. The server's own `detail` is not used: it is written for developers. */
  get sentence() {
    const field = this.fields[0]?.detail;
    if (field) return capital(field);
    const wait = this.retryAfter ? ` Try again in ${this.retryAfter} ${this.retryAfter === 1 ? 'second' : 'seconds'}.` : '';
    const quote = this.kind === 'unexpected' && this.reference ? ` (Reference ${this.reference})` : '';
    return this.message + wait + quote;
  }

  /** @param {Response} response an answer that is not a success */
  static async from(response) {
    const body = await problemBody(response);
    const retryAfter = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
    return new Problem(kindOf(response.status, body), {
      status: response.status,
      fields: Array.isArray(body.errors) ? body.errors.filter((each) => typeof each?.detail === 'string') : [],
      signIn: typeof body.sign_in === 'string' ? body.sign_in : null,
      retryAfter: Number.isFinite(retryAfter) ? retryAfter : null,
      reference: typeof body.request_id === 'string' ? body.request_id : null,
    });
  }
}

/** @param {unknown} error anything thrown, made showable */
export function asProblem(error) {
  if (error instanceof Problem) return error;
  // A defect of ours rather than the network's: keep it findable, show the same calm sentence.
  console.error(error);
  return new Problem('unexpected');
}

/** @param {Response} response @returns {Promise<Record<string, any>>} */
async function problemBody(response) {
  try {
    const body = await response.json();
    return body && typeof body === 'object' ? body : {};
  } catch {
    return {}; // An error page of some proxy in between: the status says enough.
  }
}

/** @param {number} status @param {Record<string, any>} body @returns {Kind} */
function kindOf(status, body) {
  if (status === 401 && body.reason === 'consent_required') return 'consent';
  // Only the gateway names a way to sign in. Any other 401 is the service's quarrel with the gateway, not the person's.
  if (status === 401) return typeof body.sign_in === 'string' ? 'signed-out' : 'unexpected';
  if (status === 403) return 'forbidden';
  if (status === 404 || status === 410) return 'gone';
  if (status === 409 || status === 412) return 'conflict';
  if (status === 400 || status === 413 || status === 422) return 'invalid';
  if (status === 408 || status === 429 || status === 503) return 'busy';
  if (status === 502 || status === 504) return 'upstream';
  return 'unexpected';
}

/** @param {string} text */
function capital(text) {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
