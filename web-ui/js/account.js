/** What the gateway knows: where the person is signed in, the session's end, the claims it was told to show, the tokens by name. Never a token itself. */
import { announce, fromTemplate, need, part, setTime } from './dom.js';
import { Sessions } from './sessions.js';
import { clockTime, distance } from './time.js';

/** Claims people meet often, in words. Others are shown by their own name alone. */
const WORDS = new Map(Object.entries({
  name: 'Name', given_name: 'First name', family_name: 'Family name', email: 'E-mail', email_verified: 'E-mail confirmed',
  preferred_username: 'User name', sub: 'Your id for this application', oid: 'Your id in the directory', tid: 'Directory',
  iss: 'Issued by', roles: 'Roles', groups: 'Groups', auth_time: 'Signed in at the provider', iat: 'Issued', exp: 'Expires', locale: 'Language',
  idp: 'Signed in through', sid: 'Session at the provider', acr: 'How sure the provider is', amr: 'How you proved who you are',
}));
const ORDER = ['name', 'given_name', 'family_name', 'email', 'email_verified', 'preferred_username'];
const MOMENTS = new Set(['auth_time', 'iat', 'exp', 'nbf', 'updated_at']);

/** @param {import('./main.js').App} app @param {AbortSignal} signal */
export function accountView(app, signal) {
  const { session } = app;
  const content = fromTemplate('v-account');
  new Sessions(app, content, signal).load();
  const claims = part(content, 'claims');
  const tokens = part(content, 'tokens');
  const stay = part(content, 'stay');
  const note = part(content, 'stay-note');
  const idle = { time: part(content, 'idle'), distance: part(content, 'idle-in') };
  const end = { time: part(content, 'end'), distance: part(content, 'end-in') };
  const draw = () => {
    const { facts } = session;
    if (!facts) return;
    const now = session.now();
    moment(idle, facts.idleEnd, now);
    moment(end, facts.end, now);
    claims.replaceChildren(...claimLines(facts.claims, now));
    tokens.replaceChildren(...facts.tokens.map((token) => tokenLine(token, now)));
    if (!facts.tokens.length) tokens.replaceChildren(emptyLine());
    stay.hidden = session.endIsFinal;
    note.hidden = session.endIsFinal;
  };
  stay.addEventListener('click', async () => {
    await session.check({ slide: true });
    if (session.status !== 'in') return;
    note.textContent = session.problem ? `That did not work. ${session.problem.sentence}` : 'Done: the waiting time starts afresh.';
    announce(note.textContent ?? '');
  });
  session.addEventListener('times', draw, { signal });
  draw();
  // The tokens change with use, so what was true when the page was loaded may be old by now.
  session.check();
  return { title: 'Your account', content };
}

/** @param {{time: HTMLTimeElement, distance: HTMLElement}} place @param {number} when @param {number} now */
function moment(place, when, now) {
  if (!Number.isFinite(when)) {
    place.time.textContent = 'not set';
    return;
  }
  setTime(place.time, when, clockTime(when, now));
  place.distance.textContent = distance(when - now);
}

/** @param {Record<string, unknown>} claims @param {number} now */
function claimLines(claims, now) {
  const names = Object.keys(claims).sort((left, right) => rank(left) - rank(right) || left.localeCompare(right));
  return names.map((name) => {
    const line = document.createElement('div');
    const term = document.createElement('dt');
    const code = document.createElement('code');
    code.textContent = name;
    const word = WORDS.get(name);
    term.append(...(word ? [`${word} `, code] : [code]));
    const value = document.createElement('dd');
    value.textContent = claimText(name, claims[name], now);
    line.append(term, value);
    return line;
  });
}

/** @param {string} name */
function rank(name) {
  const place = ORDER.indexOf(name);
  return place < 0 ? ORDER.length : place;
}

/** @param {string} name @param {unknown} value @param {number} now @returns {string} */
function claimText(name, value, now) {
  if (MOMENTS.has(name) && typeof value === 'number') return clockTime(value * 1000, now);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.map((each) => claimText('', each, now)).join(', ') || 'none';
  if (value !== null && typeof value === 'object') return JSON.stringify(value);
  return String(value ?? 'none');
}

/** @param {import('./session.js').Token} token @param {number} now */
function tokenLine(token, now) {
  const line = fromTemplate('token');
  need(line, 'code').textContent = token.name;
  const badge = need(line, '.badge');
  badge.textContent = token.held ? 'Held' : 'Not held yet';
  badge.classList.toggle('on', token.held);
  const scopes = need(line, '.token-scopes');
  for (const scope of token.scopes) {
    const code = document.createElement('code');
    code.textContent = scope;
    scopes.append(code);
  }
  const expires = Date.parse(String(token.expires_at));
  const note = need(line, '.token-note');
  if (!token.held) note.textContent = 'The gateway gets it when a request first needs it.';
  else if (Number.isNaN(expires)) note.textContent = 'Renewed by the gateway when it runs out.';
  else if (expires <= now) note.textContent = 'Run out; renewed by the gateway on next use.';
  else note.textContent = `Good until ${clockTime(expires, now)}, then renewed by the gateway on next use.`;
  return need(line, 'li');
}

function emptyLine() {
  const line = document.createElement('li');
  line.textContent = 'None.';
  return line;
}
