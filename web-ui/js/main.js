/**
 * Where the parts meet: which view an address and a session make, and what happens to all of them when one changes.
 *
 * @typedef {{session: Session, drafts: Drafts, list: List, changes: Changes, toast: Toast, removals: Removals}} App
 * @typedef {{title: string, content: DocumentFragment}} View
 */
import { accountView } from './account.js';
import { Changes } from './changes.js';
import { announce, focusOn, fromTemplate, need, part } from './dom.js';
import { Drafts } from './drafts.js';
import { Expiry } from './expiry.js';
import { helloView, welcomeView } from './home.js';
import { List } from './list.js';
import { listView } from './list-view.js';
import { Removals } from './removal.js';
import { aimSignInLinks, Router } from './router.js';
import { Session } from './session.js';
import { Toast } from './toast.js';

const session = new Session();
const drafts = new Drafts();
const list = new List();
const changes = new Changes(list);
const toast = new Toast();
const removals = new Removals(list, toast);
const router = new Router();
/** @type {App} */
const app = { session, drafts, list, changes, toast, removals };

// What sticks to the top differs in height: with a banner, with large text. What sticks below it must know.
new ResizeObserver(([head]) => {
  document.documentElement.style.setProperty('--head', `${head?.borderBoxSize[0]?.blockSize ?? 0}px`);
}).observe(need(document, '.head'));

const main = /** @type {HTMLElement} */ (need(document, '#main'));
let viewEnds = new AbortController();

/** @param {AbortSignal} signal @returns {View} */
function chooseView(signal) {
  const signedIn = session.status === 'in';
  if (session.status === 'unknown') return unreachableView();
  if (router.path === '/') return signedIn ? helloView(app, signal) : welcomeView();
  if (router.path === '/todos') return signedIn ? listView(app, signal) : gateView('Sign in to see your list');
  if (router.path === '/account') return signedIn ? accountView(app, signal) : gateView('Sign in to see your account');
  return { title: 'Not found', content: fromTemplate('v-lost') };
}

/** @param {{focus: boolean}} options */
function show({ focus }) {
  viewEnds.abort();
  viewEnds = new AbortController();
  const { title, content } = chooseView(viewEnds.signal);
  document.title = `${title} · To-do`;
  aimSignInLinks(content);
  main.replaceChildren(content);
  main.removeAttribute('aria-busy');
  drawFrame();
  if (!focus) return;
  scrollTo(0, 0);
  // A move within the page is told to a screen reader by moving to the heading, as loading a page would.
  focusOn(main.querySelector('h1') ?? main);
}

/** The frame around every view: navigation, the person's name. */
function drawFrame() {
  const { status } = session;
  for (const each of document.querySelectorAll('[data-when]')) {
    const link = each.classList.contains('top-link');
    /** @type {HTMLElement} */ (each).hidden = each.getAttribute('data-when') !== status || (link && router.path !== '/');
  }
  for (const link of document.querySelectorAll('.nav a')) {
    if (link.getAttribute('href') === router.path) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const name = status === 'in' ? session.facts?.name ?? '' : '';
  need(document, '.who-text').textContent = name;
  need(document, '.initials').textContent = name.split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? '').join('').toUpperCase();
  document.body.classList.toggle('signed-in', status === 'in');
}

/** @param {string} heading @returns {View} */
function gateView(heading) {
  const content = fromTemplate('v-gate');
  need(content, 'h1').textContent = heading;
  return { title: heading, content };
}

/** @returns {View} */
function unreachableView() {
  const content = fromTemplate('v-unreachable');
  part(content, 'why').textContent = session.problem?.sentence ?? '';
  part(content, 'again').addEventListener('click', () => session.check({ slide: true }).then(() => show({ focus: true })));
  return { title: 'Not reachable', content };
}

/** Signed in, signed out, or somebody else: nothing of the person before may stay. @param {string|null} personBefore */
function personChanged(personBefore) {
  if (session.status === 'in') {
    if (personBefore !== null && personBefore !== session.person) forgetPerson();
    drafts.claim(session.person ?? '');
    for (const text of drafts.unsaved) changes.addUnsaved(text);
    if (personBefore !== null) toast.show(`You are now signed in as ${session.facts?.name}.`);
  } else if (personBefore !== null) {
    // What is still under way will be refused now: better kept twice than lost.
    drafts.unsaved = list.unsaved.map((entry) => entry.description);
    forgetPerson();
  }
}

function forgetPerson() {
  viewEnds.abort();
  removals.abandon();
  toast.dismiss();
  list.reset();
  // The last words spoken may name what was on the list.
  announce('');
}

/** Signing out on purpose waits for what was promised, leaves nothing behind and needs no explanation afterwards. */
function signingOut() {
  document.addEventListener('submit', async (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.getAttribute('action') !== '/auth/sign-out') return;
    event.preventDefault();
    session.leaving = true;
    drafts.forget();
    // A server that does not answer must not be able to keep anybody signed in.
    await Promise.race([removals.settle(), new Promise((resolve) => setTimeout(resolve, 3000))]);
    viewEnds.abort();
    form.submit();
  });
}

/** Going back after signing out must not show the list again, not even for a moment. */
function coveringTracks() {
  const root = document.documentElement;
  addEventListener('pagehide', () => root.classList.add('away'));
  addEventListener('pageshow', async (event) => {
    if (!event.persisted) return;
    await session.check();
    show({ focus: false });
    root.classList.remove('away');
  });
}

session.addEventListener('change', (event) => {
  const { before } = /** @type {CustomEvent} */ (event).detail;
  personChanged(before.person);
  show({ focus: false });
});
list.addEventListener('refused', () => session.check());
router.addEventListener('move', (event) => show({ focus: /** @type {CustomEvent} */ (event).detail.byLink }));
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && session.status === 'in' && router.path !== '/account') list.refresh();
});

new Expiry(session, drafts);
signingOut();
coveringTracks();
router.start();
main.replaceChildren(fromTemplate('v-wait'));
main.setAttribute('aria-busy', 'true');
// Opening the page is something a person does, so this one question keeps the session awake.
await session.check({ slide: true });
if (session.status === 'unknown') show({ focus: false });
session.watch();
