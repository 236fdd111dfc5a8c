/** Real paths, drawn here: which view an address means, and turning clicks on links into moves without a reload. */

/** Paths this page draws itself. Everything else, such as `/auth/…`, is an ordinary navigation. */
export const PATHS = ['/', '/todos', '/account'];

export class Router extends EventTarget {
  path = location.pathname;

  start() {
    document.addEventListener('click', (event) => this.#click(event));
    addEventListener('popstate', () => this.#moved(false));
  }

  /** @param {MouseEvent} event */
  #click(event) {
    // Anything but a plain click means "elsewhere": a new tab, a download, a context menu.
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a[href]') : null;
    if (!(link instanceof HTMLAnchorElement) || link.target || link.origin !== location.origin) return;
    if (!PATHS.includes(link.pathname) || link.hash) return;
    event.preventDefault();
    if (link.pathname !== location.pathname) history.pushState(null, '', link.pathname);
    this.#moved(true);
  }

  /** @param {boolean} byLink */
  #moved(byLink) {
    // A jump to a #fragment also arrives here; the view is the same then.
    if (!byLink && this.path === location.pathname) return;
    this.path = location.pathname;
    this.dispatchEvent(new CustomEvent('move', { detail: { byLink } }));
  }
}

/** The address to come back to after signing in. */
export function returnTo() {
  return location.pathname + location.search;
}

/**
 * A sign-in address with the way back in it. An address from a response is used only when it stays on this site.
 * @param {'/auth/sign-in'|'/auth/sign-up'} fallback @param {string|null} [given]
 */
export function signInAddress(fallback, given = null) {
  const url = new URL(given ?? fallback, location.origin);
  const here = url.origin === location.origin && url.pathname.startsWith('/auth/') ? url : new URL(fallback, location.origin);
  here.searchParams.set('return_to', returnTo());
  return here.pathname + here.search;
}

/** Points every sign-in and sign-up link under `root` back to this page. @param {ParentNode} root */
export function aimSignInLinks(root) {
  for (const link of root.querySelectorAll('a[data-sign-in]')) link.setAttribute('href', signInAddress('/auth/sign-in'));
  for (const link of root.querySelectorAll('a[data-sign-up]')) link.setAttribute('href', signInAddress('/auth/sign-up'));
}
