/** The start page: an invitation for strangers, a short hello for people who are signed in. */
import { fromTemplate, need, part, setTime } from './dom.js';
import { clockTime, count } from './time.js';

const PREVIEW = 3;

export function welcomeView() {
  const content = fromTemplate('v-welcome');
  explain(content);
  return { title: 'Home', content };
}

/** @param {import('./main.js').App} app @param {AbortSignal} signal */
export function helloView(app, signal) {
  const { session, list } = app;
  const content = fromTemplate('v-hello');
  explain(content);
  need(content, 'h1').textContent = `Hello, ${session.facts?.name}`;
  const parts = {
    summary: part(content, 'summary'), preview: part(content, 'preview'), note: part(content, 'list-note'), end: part(content, 'end'),
  };
  const times = () => {
    if (session.facts) setTime(parts.end, session.facts.end, clockTime(session.facts.end, session.now()));
  };
  const draw = () => drawList(list, parts);
  session.addEventListener('times', times, { signal });
  list.addEventListener('change', draw, { signal });
  times();
  draw();
  // The list is a courtesy here: when it cannot be had, the page is complete without it.
  if (list.state === 'new') list.load();
  else list.refresh();
  return { title: 'Home', content };
}

/**
 * @param {import('./list.js').List} list
 * @param {{summary: HTMLElement, preview: HTMLElement, note: HTMLElement}} parts
 */
function drawList(list, { summary, preview, note }) {
  const open = list.entries.filter((entry) => !entry.done);
  const ready = list.state === 'ready';
  if (!ready) summary.textContent = 'Good to see you.';
  else if (list.next) summary.textContent = 'There is plenty on your list.';
  else if (open.length) summary.textContent = `You have ${count(open.length, 'thing')} left to do.`;
  else summary.textContent = list.entries.length ? 'Everything on your list is done.' : 'Your list is empty.';
  const shown = ready ? open.slice(0, PREVIEW) : [];
  preview.hidden = shown.length === 0;
  note.hidden = shown.length > 0;
  preview.replaceChildren(...shown.map((entry) => {
    const line = document.createElement('li');
    line.textContent = entry.description;
    return line;
  }));
}

/** @param {DocumentFragment} content */
function explain(content) {
  need(content, '[data-how]').append(fromTemplate('v-how'));
}
