// Where sign-in leads on to: only ever a place on this page.
import { parseRoute } from '../routes';

/** `next` if it is an address of ours, else `otherwise`. A browser reads `//host` and `/\host` as another site. */
export function safeNext(next: string | null, otherwise: string): string {
  if (!next || !/^\/(?![/\\])/.test(next)) return otherwise;
  // Browsers leave out tabs and line ends when they read an address, so that `/<tab>/host` is `//host` as well.
  // eslint-disable-next-line no-control-regex -- these are what it looks for
  if (/[\u0000-\u001f\u007f]/.test(next)) return otherwise;
  const base = 'http://here.invalid';
  const url = URL.canParse(next, base) ? new URL(next, base) : undefined;
  if (url?.origin !== base) return otherwise;
  const { page } = parseRoute(url.pathname);
  return page === 'missing' || page === 'sign-in' || page === 'setup'
    ? otherwise
    : url.pathname + url.search + url.hash;
}
