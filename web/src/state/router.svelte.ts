// Where the visitor is. A thin layer over the browser's history: back, forward and reload behave as everywhere.
import { parseRoute, type Route } from '../routes';

/** What we keep in `history.state`. */
interface Step {
  /** Names this step, for what is remembered about it (scroll, selection). */
  key: string;
  /** How many steps of ours lie before it. */
  index: number;
}

let made = 0;
const newKey = () => `${performance.timeOrigin.toString(36)}-${(made += 1)}`;

export class Router {
  #url = $state.raw(new URL(location.href));
  #step = $state.raw<Step>({ key: newKey(), index: 0 });
  #furthest = $state(0);

  // Apart, so that a change of the query alone is not a change of the route.
  readonly #pathname = $derived(this.#url.pathname);
  readonly route: Route = $derived(parseRoute(this.#pathname));

  constructor() {
    const step = history.state as Step | null;
    if (step?.key) this.#step = step;
    else history.replaceState(this.#step, '');
    this.#furthest = this.#step.index;
    addEventListener('popstate', () => this.#arrive());
  }

  get url(): URL {
    return this.#url;
  }

  get query(): URLSearchParams {
    return this.#url.searchParams;
  }

  /** Names the present step of history; the same again after back and forward. */
  get key(): string {
    return this.#step.key;
  }

  get canGoBack(): boolean {
    return this.#step.index > 0;
  }

  get canGoForward(): boolean {
    return this.#step.index < this.#furthest;
  }

  go(href: string, { replace = false } = {}): void {
    const url = new URL(href, location.href);
    if (url.href === location.href) return;
    if (replace) {
      history.replaceState(this.#step, '', url);
    } else {
      this.#step = { key: newKey(), index: this.#step.index + 1 };
      this.#furthest = this.#step.index;
      history.pushState(this.#step, '', url);
    }
    this.#url = url;
  }

  /** Changes one thing in the query of the present address; an empty value removes it. */
  setQuery(changes: Record<string, string | null>, { replace = true } = {}): void {
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(changes)) {
      if (value) url.searchParams.set(name, value);
      else url.searchParams.delete(name);
    }
    this.go(url.href, { replace });
  }

  back(): void {
    history.back();
  }

  forward(): void {
    history.forward();
  }

  /** Takes a click on a link of ours; leaves new tabs, downloads and other origins to the browser. */
  handleClick(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.('a[href]');
    if (!(link instanceof HTMLAnchorElement) || !isOurs(link)) return;
    event.preventDefault();
    this.go(link.href);
  }

  #arrive(): void {
    const step = history.state as Step | null;
    this.#step = step?.key ? step : { key: newKey(), index: 0 };
    this.#url = new URL(location.href);
  }
}

function isOurs(link: HTMLAnchorElement): boolean {
  if (link.hasAttribute('download') || (link.target && link.target !== '_self')) return false;
  if (link.origin !== location.origin || link.pathname.startsWith('/api/')) return false;
  return parseRoute(link.pathname).page !== 'missing';
}

export const router = new Router();
