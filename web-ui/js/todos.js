/**
 * The to-do API, call by call. Knows addresses, paging and ETags; knows nothing of screens or of optimism.
 *
 * @typedef {{id: string, description: string, done: boolean, created: string, updated: string, etag?: string}} Item
 */
import { request } from './api.js';

const LIST = '/api/todolist';
const PAGE = 50;

/** The service's own limit, told before a round trip. */
export const LONGEST = 500;

/** @param {string|null} [after] @returns {Promise<{items: Item[], next: string|null}>} */
export async function page(after = null) {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (after) query.set('after', after);
  const { body } = await request('GET', `${LIST}?${query}`);
  return { items: body.items, next: body.next ?? null };
}

/** @param {string} id @returns {Promise<Item>} */
export async function one(id) {
  return withEtag(await request('GET', address(id)));
}

/** @param {string} description @returns {Promise<Item>} */
export async function create(description) {
  return withEtag(await request('POST', LIST, { body: { description } }));
}

/** @param {string} id @param {string|undefined} etag @param {{description?: string, done?: boolean}} change @returns {Promise<Item>} */
export async function change(id, etag, change) {
  // Without the mark of the state we saw, the service would have to guess whether we overwrite somebody's work.
  const mark = etag ?? (await one(id)).etag;
  return withEtag(await request('PATCH', address(id), { body: change, etag: mark }));
}

/** @param {string} id */
export async function remove(id) {
  await request('DELETE', address(id));
}

/** @param {string} id */
function address(id) {
  return `${LIST}/${encodeURIComponent(id)}`;
}

/** @param {import('./api.js').Answer} answer @returns {Item} */
function withEtag({ body, etag }) {
  return { ...body, etag: etag ?? body.etag };
}

/** Why a description cannot be sent, or null. @param {string} text */
export function objection(text) {
  if (!text) return 'Write down what needs doing first.';
  if ([...text].length > LONGEST) return `That is ${[...text].length} characters; ${LONGEST} is the most an item can hold.`;
  return null;
}
