// A search over one share or several, with results as they come.
import { ApiFailure, isAbort } from '../api/client';
import { search, type Place } from '../api/files';
import type { SearchDone, SearchHit, SearchQuery } from '../api/types';
import type { EntrySource } from './entries';

/** What one search may bring to the screen; whoever needs more adds a word. */
export const MOST_RESULTS = 1_000;
/** Results are shown at most this often while they come, whatever their number. */
const SHOW_EVERY_MS = 50;

/** A result, and where it is. */
export interface FoundEntry extends SearchHit {
  place: Place;
}

export class Search implements EntrySource {
  #found = $state.raw<FoundEntry[]>([]);
  busy = $state(false);
  /** How many matched in all, as far as the shares have told. */
  matched = $state(0);
  truncated = $state(false);
  /** False if a share was still being read. */
  complete = $state(true);
  failure = $state.raw<ApiFailure | null>(null);

  #run: AbortController | null = null;

  get total(): number {
    return this.#found.length;
  }

  at(index: number): FoundEntry | undefined {
    return this.#found[index];
  }

  want(): void {
    // Results come by themselves.
  }

  stop(): void {
    this.#run?.abort();
    this.#run = null;
    this.busy = false;
  }

  /** Looks in these places, all at once. What was found before stays until the first new result or the end. */
  async start(places: Place[], query: SearchQuery): Promise<void> {
    this.stop();
    const run = new AbortController();
    this.#run = run;
    this.busy = true;
    this.failure = null;
    const results = new Gathering(places.length, (found) => {
      if (!run.signal.aborted) this.#found = found;
    });
    const done = await Promise.all(
      places.map((place, i) => this.#searchOne(place, query, run.signal, (hit) => results.add(i, hit))),
    );
    if (run.signal.aborted) return;
    results.finish();
    this.#sum(done.filter((end) => end !== undefined));
    this.busy = false;
  }

  async #searchOne(
    place: Place,
    query: SearchQuery,
    signal: AbortSignal,
    found: (hit: FoundEntry) => void,
  ): Promise<SearchDone | undefined> {
    try {
      for await (const event of search(place, { ...query, limit: MOST_RESULTS }, signal)) {
        if (event.event === 'done') return event;
        found({ ...event, place });
      }
    } catch (error) {
      if (signal.aborted || isAbort(error)) return undefined;
      if (!(error instanceof ApiFailure)) throw error;
      this.failure = error;
    }
    return undefined;
  }

  #sum(ends: SearchDone[]): void {
    this.matched = ends.reduce((sum, end) => sum + end.total, 0);
    this.truncated = ends.some((end) => end.truncated);
    this.complete = ends.every((end) => end.complete);
  }
}

/** Puts the shares' results together, best kind of match first, and shows them now and then. */
class Gathering {
  #lists: FoundEntry[][];
  #show: (found: FoundEntry[]) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(shares: number, show: (found: FoundEntry[]) => void) {
    this.#lists = Array.from({ length: shares }, () => []);
    this.#show = show;
  }

  add(share: number, hit: FoundEntry): void {
    this.#lists[share]?.push(hit);
    this.#timer ??= setTimeout(() => this.finish(), SHOW_EVERY_MS);
  }

  finish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#show(byMatch(this.#lists));
  }
}

const RANK = ['exact', 'prefix', 'substring', 'wildcard', 'path', 'fuzzy'];

function byMatch(lists: FoundEntry[][]): FoundEntry[] {
  if (lists.length === 1) return [...(lists[0] ?? [])];
  const rank = (hit: FoundEntry) => RANK.indexOf(hit.match_type);
  // The sort is stable: within a kind of match each share keeps its own order.
  return lists.flat().sort((a, b) => rank(a) - rank(b));
}
