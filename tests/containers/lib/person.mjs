/** A person at the site of deploy/compose, with a browser without a window. Knows the pages and the API, no container. */
import assert from 'node:assert/strict';

import { Visitor } from '../../browser/lib/visitor.mjs';

export const SITE = 'http://localhost:3000';
export const PROVIDER = 'http://idp.localhost:3002';

const SCRIPT = { 'x-csrf': '1', 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', accept: 'application/json' };
export const NAVIGATION = { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-user': '?1' };

export class Person {
  constructor() {
    this.visitor = new Visitor();
  }

  /** Somebody new at a browser, who signs in on the way to `path`. */
  static async signedIn({ email, password }, path = '/auth/sign-in') {
    const person = new Person();
    await person.enter(SITE + path, { email, password });
    return person;
  }

  /** Opens an address and passes the provider's pages. */
  async enter(url, { email, password }) {
    let page = await this.visitor.open(url, { headers: NAVIGATION });
    assert.equal(new URL(page.url).origin, PROVIDER, `${page.status} ${page.url}\n${page.body.slice(0, 500)}`);
    const submit = (values) => this.visitor.submit(page, values);
    page = await submit({ email });
    page = await submit({ password });
    assert.equal(new URL(page.url).origin, SITE, `${page.status} ${page.url}\n${page.body.slice(0, 800)}`);
    return page;
  }

  /** What a script of the site gets. */
  script(path, { method = 'GET', headers = {}, body } = {}) {
    const origin = method === 'GET' ? {} : { origin: SITE };
    return this.visitor.send(SITE + path, { method, body, headers: { ...SCRIPT, ...origin, ...headers } });
  }

  async isSignedIn() {
    const { status, body } = await this.script('/auth/session');
    assert.ok(status === 200 || status === 401, `${status} ${body}`);
    return status === 200 && JSON.parse(body).signed_in !== false;
  }

  async add(description) {
    const { status, body } = await this.script('/api/todolist', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ description }) });
    assert.equal(status, 201, body);
  }

  /** The descriptions of their to-dos. */
  async list() {
    const { status, body } = await this.script('/api/todolist');
    if (status !== 200) return { status, items: [], body };
    const read = JSON.parse(body);
    return { status, items: (read.items ?? read).map(({ description }) => description) };
  }

  async signOut() {
    const { status } = await this.script('/auth/sign-out', { method: 'POST' });
    assert.equal(status, 200);
  }
}
