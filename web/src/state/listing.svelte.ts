// One folder, in pages fetched as the screen needs them. Pages are kept as long as the folder's version stays
// the same, so going back to a folder shows it at once and then checks whether it changed.
import { ApiFailure, isAbort } from '../api/client';
import { list, type Place } from '../api/files';
import type { Entry, Kind, Listing as ListingPage, SortBy, SortOrder } from '../api/types';
import { Lru } from '../lib/lru';
import type { EntrySource } from './entries';

/** Entries in one request: a few screens, and still a quick answer. */
export const PAGE_SIZE = 500;
/** Folders whose pages are kept. */
const KEPT_FOLDERS = 24;

export interface FolderQuery {
  sort: SortBy;
  order: SortOrder;
  filter: string;
  kind: Kind | null;
  hideDotfiles: boolean;
}

interface Pages {
  version: string;
  total: number;
  pages: Map<number, Entry[]>;
}

type Fetch = typeof list;

export class Listing implements EntrySource {
  /** True once anything is known about the folder. */
  loaded = $state(false);
  failure = $state.raw<ApiFailure | null>(null);

  #shown = $state.raw<Pages>({ version: '', total: 0, pages: new Map() });
  #place: Place = { device: '', share: '' };
  #path = '';
  #query: FolderQuery = { sort: 'name', order: 'asc', filter: '', kind: null, hideDotfiles: true };
  #wanted = { first: 0, end: 1 };
  #inFlight = new Map<number, AbortController>();
  #kept = new Lru<string, Pages>(KEPT_FOLDERS);
  #fetch: Fetch;

  constructor(fetch: Fetch = list) {
    this.#fetch = fetch;
  }

  get total(): number {
    return this.#shown.total;
  }

  /** Names this state of the folder. */
  get version(): string {
    return this.#shown.version;
  }

  at(index: number): Entry | undefined {
    return this.#shown.pages.get(Math.floor(index / PAGE_SIZE))?.[index % PAGE_SIZE];
  }

  /** The place of an entry among those that have come; -1 if it is not there. */
  indexOf(path: string): number {
    for (const [page, entries] of this.#shown.pages) {
      const at = entries.findIndex((entry) => entry.path === path);
      if (at >= 0) return page * PAGE_SIZE + at;
    }
    return -1;
  }

  /** Shows a folder. Another order or filter of the same folder keeps the old rows until the new ones come. */
  open(place: Place, path: string, query: FolderQuery): void {
    const sameFolder =
      place.device === this.#place.device && place.share === this.#place.share && path === this.#path;
    this.#stop();
    this.#place = place;
    this.#path = path;
    this.#query = query;
    this.#wanted = { first: 0, end: 1 };
    this.failure = null;
    const kept = this.#kept.get(this.#key());
    if (kept) this.#shown = kept;
    else if (!sameFolder) this.#shown = { version: '', total: 0, pages: new Map() };
    this.loaded = kept !== undefined || (sameFolder && this.loaded);
    void this.#get(0);
  }

  want(first: number, end: number): void {
    this.#wanted = { first, end };
    const pages = this.#pagesOnScreen();
    for (const [page, controller] of this.#inFlight) if (!pages.includes(page)) controller.abort();
    for (const page of pages)
      if (!this.#shown.pages.has(page) && !this.#inFlight.has(page)) void this.#get(page);
  }

  /** Asks whether the folder changed, and takes in what did. */
  async refresh(): Promise<void> {
    const [page = 0] = this.#pagesOnScreen();
    if (!this.#inFlight.has(page)) await this.#get(page);
  }

  /** These entries, fetched first where they have not come yet. Throws if one cannot be had. */
  async entriesAt(indices: Iterable<number>): Promise<Entry[]> {
    const wanted = [...indices];
    const missing = new Set(wanted.filter((i) => !this.at(i)).map((i) => Math.floor(i / PAGE_SIZE)));
    // Not among those in flight: scrolling must not call these off.
    for (const page of missing) this.#take(page, await this.#ask(page));
    return wanted.map((i) => this.at(i)).filter((entry) => entry !== undefined);
  }

  #key(): string {
    return JSON.stringify([this.#place.device, this.#place.share, this.#path, this.#query]);
  }

  #pagesOnScreen(): number[] {
    const first = Math.floor(this.#wanted.first / PAGE_SIZE);
    const last = Math.floor(Math.max(this.#wanted.first, this.#wanted.end - 1) / PAGE_SIZE);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }

  #stop(): void {
    for (const controller of this.#inFlight.values()) controller.abort();
    this.#inFlight.clear();
  }

  async #get(page: number): Promise<void> {
    const controller = new AbortController();
    this.#inFlight.set(page, controller);
    try {
      this.#take(page, await this.#ask(page, controller.signal));
    } catch (error) {
      this.#fail(error, controller.signal);
    } finally {
      if (this.#inFlight.get(page) === controller) this.#inFlight.delete(page);
    }
  }

  #ask(page: number, signal?: AbortSignal): Promise<ListingPage> {
    const { sort, order, filter, kind, hideDotfiles } = this.#query;
    const query = {
      path: this.#path,
      sort,
      order,
      filter,
      kind: kind ?? undefined,
      hide_dotfiles: hideDotfiles,
      offset: page * PAGE_SIZE,
      limit: String(PAGE_SIZE),
    };
    return this.#fetch(this.#place, query, signal);
  }

  #take(page: number, answer: ListingPage): void {
    // Pages of another version do not fit beside this one.
    const fits = answer.version === this.#shown.version && answer.total === this.#shown.total;
    const pages = new Map(fits && this.loaded ? this.#shown.pages : []);
    pages.set(page, answer.entries);
    this.#shown = { version: answer.version, total: answer.total, pages };
    this.#kept.set(this.#key(), this.#shown);
    this.failure = null;
    this.loaded = true;
    if (!fits)
      this.want(Math.min(this.#wanted.first, answer.total), Math.min(this.#wanted.end, answer.total));
  }

  #fail(error: unknown, signal: AbortSignal): void {
    if (signal.aborted || isAbort(error)) return;
    if (!(error instanceof ApiFailure)) throw error;
    this.failure = error;
  }
}
