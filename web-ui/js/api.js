/**
 * How this page talks to its own origin: JSON in, JSON out, every failure a `Problem`. There is no token here to send;
 * the browser adds the cookie and the gateway does the rest.
 */
import { Problem } from './problem.js';

/** Longer than the gateway's own time limits, so that its explanation wins over ours. */
const PATIENCE_MS = 40_000;

/**
 * @typedef {{body: any, etag: string|null}} Answer
 *
 * @param {'GET'|'POST'|'PATCH'|'DELETE'} method
 * @param {string} path
 * @param {{body?: unknown, etag?: string|null}} [options]
 * @returns {Promise<Answer>}
 */
export async function request(method, path, { body, etag } = {}) {
  /** @type {Record<string, string>} */
  const headers = {
    accept: 'application/json, application/problem+json',
    // A form or an image on another site cannot set this header; that is all the gateway wants to know.
    'x-csrf': '1',
  };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (etag) headers['if-match'] = etag;

  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      // A redirect would be a sign-in page where we expect JSON; the gateway never sends one to a script.
      redirect: 'error',
      // A change under way outlives the page: closing the tab must not lose what was already sent.
      keepalive: method !== 'GET',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch (error) {
    throw new Problem(error instanceof DOMException && error.name === 'TimeoutError' ? 'slow' : 'unreachable');
  }
  if (!response.ok) throw await Problem.from(response);
  return { body: await bodyOf(response), etag: response.headers.get('etag') };
}

/** @param {Response} response */
async function bodyOf(response) {
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch {
    throw new Problem('unexpected', { status: response.status });
  }
}
