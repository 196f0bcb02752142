// A search over one share or over all machines, with results as each machine answers.
import { ApiFailure, isAbort } from '../api/client';
import { search } from '../api/files';
import type {
  FoundEntry,
  OfflineDevice,
  SearchEnd,
  SearchEvent,
  SearchQuery,
  ShareError,
} from '../api/types';
import type { EntrySource } from './entries';

/** What one search may bring to the screen; whoever needs more adds a word. */
const MOST_RESULTS = 2_000;
/** What one share may bring: alone, and among others, of which none shall keep the rest out. */
const MOST_ALONE = 1_000;
const MOST_AMONG_OTHERS = 200;
/** As many shares as may be searched, and as long as may be waited for them: what has come is on the screen anyway. */
const WHOLE_FIELD = { max_shares: 200, timeout_budget_ms: 20_000 };
/** Results are shown at most this often while they come, whatever their number. */
const SHOW_EVERY_MS = 50;
/** Results that come later than this are put below the others, so that nothing moves under anybody's hand. */
const MOVES_MS = 1_000;

/** The way in which results come; tests bring another one. */
type Ask = (query: SearchQuery, signal: AbortSignal) => AsyncIterable<SearchEvent>;

export class Search implements EntrySource {
  #found = $state.raw<FoundEntry[]>([]);
  busy = $state(false);
  /** How many matched in all, as far as the shares have told. */
  matched = $state(0);
  /** The machines that were not searched, because they are not there. */
  offline = $state.raw<OfflineDevice[]>([]);
  /** The shares that could not be searched, and why. */
  errors = $state.raw<ShareError[]>([]);
  /** How it ended, once it did. */
  end = $state.raw<SearchEnd | null>(null);
  failure = $state.raw<ApiFailure | null>(null);

  #ask: Ask;
  #run: AbortController | null = null;

  constructor(ask: Ask = search) {
    this.#ask = ask;
  }

  get total(): number {
    return this.#found.length;
  }

  /** True if as much was found as there is room for. */
  get isFull(): boolean {
    return this.total >= MOST_RESULTS;
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

  /**
   * Looks anew; the search before ends. What was found before stays until the first new result or the end.
   * `mayMove` is asked whether new results may go between those on the screen.
   */
  async start(query: SearchQuery, mayMove: () => boolean = () => true): Promise<void> {
    this.stop();
    const run = new AbortController();
    this.#run = run;
    this.busy = true;
    this.failure = this.end = null;
    this.matched = 0;
    this.offline = this.errors = [];
    const results = new Gathering(mayMove, (found) => (this.#found = found));
    try {
      for await (const event of this.#ask(withLimits(query), run.signal)) {
        if (run.signal.aborted) break;
        this.#take(event, results);
      }
    } catch (error) {
      if (!run.signal.aborted && !isAbort(error)) this.#fail(error);
    } finally {
      results.close(!run.signal.aborted);
      if (!run.signal.aborted) this.busy = false;
    }
  }

  #take(event: SearchEvent, results: Gathering): void {
    if (event.event === 'hit') results.add(event);
    else if (event.event === 'offline') this.offline = [...this.offline, event];
    else if (event.event === 'error') this.errors = [...this.errors, event];
    else if (event.event === 'share') this.matched += event.total;
    else this.end = event;
  }

  #fail(error: unknown): void {
    this.failure = error instanceof ApiFailure ? error : ApiFailure.unreachable();
  }
}

function withLimits(query: SearchQuery): SearchQuery {
  const max_results_per_share = query.share_id ? MOST_ALONE : MOST_AMONG_OTHERS;
  return { ...WHOLE_FIELD, max_results_per_share, max_results_total: MOST_RESULTS, ...query };
}

/** Puts results together, best kind of match first, and shows them now and then. */
class Gathering {
  /** Those whose place on the screen is theirs. */
  #fixed: FoundEntry[] = [];
  #loose: FoundEntry[] = [];
  #begun = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #mayMove: () => boolean;
  #show: (found: FoundEntry[]) => void;

  constructor(mayMove: () => boolean, show: (found: FoundEntry[]) => void) {
    this.#mayMove = mayMove;
    this.#show = show;
  }

  add(hit: FoundEntry): void {
    if (this.#timer === undefined) this.#settle();
    this.#loose.push(hit);
    this.#timer ??= setTimeout(() => this.#flush(), SHOW_EVERY_MS);
  }

  /** Shows the rest, unless nobody wants it any more. */
  close(wanted: boolean): void {
    clearTimeout(this.#timer);
    if (wanted) this.#flush();
  }

  /** What is on the screen stays where it is, once somebody chose there or has had the time to. */
  #settle(): void {
    if (this.#mayMove() && performance.now() - this.#begun < MOVES_MS) return;
    this.#fixed.push(...byMatch(this.#loose));
    this.#loose = [];
  }

  #flush(): void {
    this.#timer = undefined;
    this.#show([...this.#fixed, ...byMatch(this.#loose)]);
  }
}

const RANK = ['exact', 'prefix', 'substring', 'wildcard', 'path', 'fuzzy'];

/** The sort is stable: within a kind of match each share keeps its own order. */
function byMatch(found: FoundEntry[]): FoundEntry[] {
  const rank = (hit: FoundEntry) => RANK.indexOf(hit.match_type);
  return found.toSorted((a, b) => rank(a) - rank(b));
}
