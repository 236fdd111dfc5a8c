/**
 * A browser without a window: cookies, redirects and forms over plain HTTP/1.1. Used where no page must be seen, and
 * where a site is https by name while its TLS ends elsewhere (`at` says where its requests really go).
 */
import { request } from 'node:http';

export class Visitor {
  /** Cookies by origin, then by name. Ports count here, which they do not in a browser: our sites differ in them. */
  #jar = new Map();
  #at;
  /** Every answer seen, oldest first: for looking at what reached the browser. */
  seen = [];

  /** @param {Record<string, string>} [at] origin → origin that really serves it */
  constructor(at = {}) {
    this.#at = at;
  }

  /** @param {string} origin */
  cookies(origin) {
    return Object.fromEntries([...(this.#jar.get(origin) ?? [])].map(([name, cookie]) => [name, cookie.value]));
  }

  /** One request, redirects not followed. @returns {Promise<Page>} */
  send(url, { method = 'GET', headers = {}, form, body } = {}) {
    const target = new URL(url);
    const real = new URL(this.#at[target.origin] ?? target.origin);
    const cookie = Object.entries(this.cookies(target.origin)).map(([name, value]) => `${name}=${value}`).join('; ');
    const sent = { host: target.host, accept: 'text/html,*/*;q=0.8', ...headers };
    if (cookie) sent.cookie ??= cookie;
    let payload = body;
    if (form) {
      payload = new URLSearchParams(form).toString();
      sent['content-type'] = 'application/x-www-form-urlencoded';
    }
    if (payload !== undefined) sent['content-length'] = String(Buffer.byteLength(payload));
    return new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1', port: real.port, path: target.pathname + target.search, method, headers: sent, timeout: 20_000,
      };
      const call = request(options, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          for (const line of answer.headers['set-cookie'] ?? []) this.#keep(target.origin, line);
          const page = new Page(target.href, answer.statusCode, answer.headers, Buffer.concat(chunks).toString(), answer.rawHeaders);
          this.seen.push(page);
          resolve(page);
        });
      });
      call.on('timeout', () => call.destroy(new Error(`${method} ${url}: no answer within 20 seconds`)));
      call.on('error', reject);
      call.end(payload);
    });
  }

  /** As a person opens an address: redirects are followed, as far as `until` (an address that is not opened). */
  async open(url, options = {}, { until } = {}) {
    let page = await this.send(url, options);
    for (let hops = 0; page.status >= 300 && page.status < 400; hops++) {
      if (hops > 12) throw new Error(`more than 12 redirects, last to ${page.location}`);
      if (until?.test(page.location)) return page;
      page = await this.send(page.location);
    }
    return page;
  }

  /** Fills in a form of the page and sends it. @param {Page} page @param {Record<string, string>} values */
  async submit(page, values = {}, { index = 0, until, headers = {} } = {}) {
    const form = page.forms[index];
    if (!form) throw new Error(`${page.url} (${page.status}) has no form ${index}:\n${page.body.slice(0, 2000)}`);
    const action = new URL(form.action, page.url).href;
    const origin = new URL(page.url).origin;
    return this.open(action, { method: form.method, form: { ...form.fields, ...values }, headers: { origin, ...headers } }, { until });
  }

  #keep(origin, line) {
    const [pair, ...attributes] = line.split(';').map((part) => part.trim());
    const split = pair.indexOf('=');
    const name = pair.slice(0, split);
    const jar = this.#jar.get(origin) ?? new Map();
    this.#jar.set(origin, jar);
    const gone = attributes.some((attribute) => /^max-age=(0|-\d+)$/i.test(attribute) || /^expires=thu, 01 jan 1970/i.test(attribute));
    if (gone) jar.delete(name);
    else jar.set(name, { value: pair.slice(split + 1), attributes });
  }
}

/** An answer, read as a page. */
export class Page {
  constructor(url, status, headers, body, rawHeaders = []) {
    Object.assign(this, { url, status, headers, body, rawHeaders });
  }

  get location() {
    return new URL(this.headers.location ?? '', this.url).href;
  }

  /** The forms of the page, with the values that their inputs have already. */
  get forms() {
    return [...this.body.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, tag, inside]) => {
      const fields = {};
      for (const [, input] of inside.matchAll(/<input\b([^>]*)>/gi)) {
        const name = attribute(input, 'name');
        if (name) fields[name] = attribute(input, 'value') ?? '';
      }
      return { action: attribute(tag, 'action') ?? '', method: (attribute(tag, 'method') ?? 'GET').toUpperCase(), fields };
    });
  }

  /** Everything that came over the wire, as text. */
  get raw() {
    return `${this.url}\n${this.rawHeaders.join('\n')}\n${this.body}`;
  }
}

function attribute(tag, name) {
  const value = tag.match(new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, 'i'));
  return value ? unescape(value[1] ?? value[2] ?? value[3]) : undefined;
}

function unescape(text) {
  const names = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return names[name.toLowerCase()] ?? whole;
  });
}
