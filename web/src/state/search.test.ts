import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ApiFailure } from '../api/client';
import type { FoundEntry, SearchEvent, SearchQuery } from '../api/types';
import { Search } from './search.svelte';

type Match = FoundEntry['match_type'];

const hit = (name: string, match_type: Match = 'substring'): SearchEvent => ({
  event: 'hit',
  name,
  path: `in/${name}`,
  type: 'file',
  kind: 'text',
  size: 1,
  modified: null,
  version: 'v',
  match_type,
  device_id: 'd',
  device_name: 'Attic',
  share_id: 's',
  share_name: 'Photos',
});
const share = (total: number): SearchEvent => ({
  event: 'share',
  device_id: 'd',
  share_id: 's',
  total,
  truncated: false,
  complete: true,
});
const done = (more: { truncated?: boolean; unanswered?: number } = {}): SearchEvent => ({
  event: 'done',
  sent: 0,
  truncated: false,
  complete: true,
  unanswered: 0,
  took_ms: 1,
  ...more,
});

/** A search in progress, of which the test says what comes. */
class Line {
  readonly query: SearchQuery;
  readonly signal: AbortSignal;
  #told: (SearchEvent | Error | null)[] = [];
  #wake = () => {};

  constructor(query: SearchQuery, signal: AbortSignal) {
    this.query = query;
    this.signal = signal;
  }

  async tell(...events: (SearchEvent | Error | null)[]): Promise<void> {
    this.#told.push(...events);
    this.#wake();
    await vi.advanceTimersByTimeAsync(60);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SearchEvent, void> {
    for (;;) {
      const event = this.#told.shift();
      if (event === null) return;
      if (event instanceof Error) throw event;
      if (event) yield event;
      else await new Promise<void>((wake) => (this.#wake = wake));
    }
  }
}

let lines: Line[];
let search: Search;
const names = () => Array.from({ length: search.total }, (_, i) => search.at(i)?.name);
const latest = () => lines.at(-1) as Line;

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  search = new Search((query, signal) => {
    const line = new Line(query, signal);
    lines.push(line);
    return line;
  });
});

afterEach(() => {
  search.stop();
  vi.useRealTimers();
});

it('shows what has come before all have answered, the best first', async () => {
  void search.start({ q: 'a' });
  await latest().tell(hit('b'), hit('c', 'path'));
  expect([names(), search.busy, search.end]).toEqual([['b', 'c'], true, null]);
  await latest().tell(hit('a', 'exact'), share(7), share(2));
  expect([names(), search.matched]).toEqual([['a', 'b', 'c'], 9]);
  await latest().tell(done({ truncated: true }), null);
  expect([search.busy, search.end?.truncated]).toEqual([false, true]);
});

it('a new search ends the one before, of which nothing is heard any more', async () => {
  void search.start({ q: 'a' });
  const first = latest();
  await first.tell(hit('old'));
  void search.start({ q: 'ab' });
  expect(first.signal.aborted).toBe(true);
  expect(names()).toEqual(['old']);
  await latest().tell(hit('new'));
  await first.tell(hit('late'), share(5));
  expect([names(), search.matched, search.busy]).toEqual([['new'], 0, true]);
  await latest().tell(done(), null);
  expect([names(), search.busy]).toEqual([['new'], false]);
});

it('nothing moves once somebody has chosen there, or has had the time to', async () => {
  let mayMove = true;
  void search.start({ q: 'a' }, () => mayMove);
  await latest().tell(hit('b'));
  mayMove = false;
  await latest().tell(hit('a', 'exact'));
  expect(names()).toEqual(['b', 'a']);
  mayMove = true;
  await vi.advanceTimersByTimeAsync(1_000);
  await latest().tell(hit('d', 'path'), hit('c', 'exact'));
  expect(names()).toEqual(['b', 'a', 'c', 'd']);
});

it('names what was not searched', async () => {
  void search.start({ q: 'a' });
  await latest().tell(
    { event: 'offline', device_id: 'o', device_name: 'Barn', last_seen: null },
    {
      event: 'error',
      device_id: 'e',
      device_name: 'Den',
      share_id: 's',
      share_name: 'Films',
      error: 'No.',
      hint: '',
      code: 'READ_FAILED',
    },
    done({ unanswered: 2 }),
    null,
  );
  expect(search.offline.map(({ device_name }) => device_name)).toEqual(['Barn']);
  expect(search.errors.map(({ share_name }) => share_name)).toEqual(['Films']);
  expect(search.end?.unanswered).toBe(2);
  void search.start({ q: 'ab' });
  expect([search.offline, search.errors, search.end]).toEqual([[], [], null]);
});

it('an answer that breaks off leaves what has come, and says so', async () => {
  void search.start({ q: 'a' });
  await latest().tell(hit('b'), new TypeError('network error'));
  expect([names(), search.busy, search.failure?.code]).toEqual([['b'], false, 'UNREACHABLE']);
  void search.start({ q: 'ab' });
  await latest().tell(new ApiFailure({ code: 'BUSY', message: 'Busy.', hint: '', request_id: '' }, 503));
  expect(search.failure?.code).toBe('BUSY');
});

it.each([
  [{ q: 'a' }, 200],
  [{ q: 'a', device_id: 'd', share_id: 's' }, 1_000],
])('one share among others keeps none of them out: %j', async (query, most) => {
  void search.start(query);
  expect(latest().query).toMatchObject({ ...query, max_results_per_share: most, max_results_total: 2_000 });
});
