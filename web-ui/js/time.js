/** Times as people say them. The page is in English, so other languages' month names would be out of place. */
const LOCALE = navigator.language?.startsWith('en') ? navigator.language : 'en-GB';
const CLOCK = new Intl.DateTimeFormat(LOCALE, { timeStyle: 'short' });
const DAY = new Intl.DateTimeFormat(LOCALE, { day: 'numeric', month: 'long' });

/** "17:00", "tomorrow at 01:00", "3 May at 01:00". @param {number} when @param {number} now */
export function clockTime(when, now) {
  const days = Math.round((midnight(when) - midnight(now)) / 86_400_000);
  const clock = CLOCK.format(when);
  if (days === 0) return clock;
  if (days === 1) return `tomorrow at ${clock}`;
  return `${DAY.format(when)} at ${clock}`;
}

/** "in 30 minutes", rounded the way a person would. @param {number} milliseconds */
export function distance(milliseconds) {
  const minutes = Math.max(0, Math.round(milliseconds / 60_000));
  if (minutes < 1) return 'in less than a minute';
  if (minutes < 60) return `in ${count(minutes, 'minute')}`;
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  return rest && hours < 10 ? `in ${count(hours, 'hour')} ${count(rest, 'minute')}` : `in ${count(hours, 'hour')}`;
}

/** "5 minutes ago". @param {number} milliseconds */
export function ago(milliseconds) {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000));
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${count(minutes, 'minute')} ago`;
  if (minutes < 24 * 60) return `${count(Math.floor(minutes / 60), 'hour')} ago`;
  return `${count(Math.floor(minutes / 60 / 24), 'day')} ago`;
}

/** @param {number} number @param {string} noun */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** @param {number} when */
function midnight(when) {
  return new Date(when).setHours(0, 0, 0, 0);
}
