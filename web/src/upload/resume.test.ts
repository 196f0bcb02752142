import { describe, expect, it } from 'vitest';
import { Batch, Item } from './batch';
import { revive } from './keep';
import { Waited, type Match } from './resume';

const WHEN = Date.UTC(2026, 10, 21);
const place = { device: 'd', share: 's' };

const file = (name: string, size: number, lastModified = WHEN) =>
  new File([new Uint8Array(size)], name, { lastModified });

const record = { id: 'b', place, folder: 'in', target: 'in', made: ['a'], handles: [] };

/** What was found of it, in two portions. */
const FOUND = [
  {
    batch: 'b',
    found: { items: [['a/one', 1, WHEN] as Kept, ['a/two', 2, WHEN] as Kept], folders: ['a/empty'] },
  },
  { batch: 'b', found: { items: [['three', 3, WHEN] as Kept], folders: [] } },
];
type Kept = [string, number, number];
const WHOLE = { batch: 'b', whole: true };

const states = (batch: Batch) => batch.items.map(({ state }) => state);

describe('a batch after a reload', () => {
  it('is as it began, without its files', () => {
    const batch = revive(record, [...FOUND, WHOLE]);
    expect(states(batch)).toEqual(['missing', 'missing', 'missing']);
    expect(batch.bytes).toBe(6);
    expect(batch.folders).toEqual(['a/empty']);
    expect(batch.cut).toBe(false);
    expect(batch.open).toBe(true);
  });

  it('knows what had come, what may have, where uploads go on, and what undoes it', () => {
    const marks = [
      ...FOUND,
      { batch: 'b', left: [0, 1] },
      { batch: 'b', settled: [0] },
      { batch: 'b', undo: 't1' },
      { batch: 'b', begun: [2, 'u7'] as [number, string] },
      { batch: 'b', clash: 'replace' as const },
      WHOLE,
    ];
    const batch = revive(record, marks);
    expect(states(batch)).toEqual(['done', 'missing', 'missing']);
    expect(batch.items[1]?.unsure).toBe(true);
    expect(batch.items[2]?.upload).toBe('u7');
    expect(batch.clash).toBe('replace');
    expect(batch.sent).toBe(1);
    expect(batch.takeUndo()).toEqual({ tokens: ['t1'], folders: ['in/a'] });
  });

  it('is not over while nobody knows all of it', () => {
    const [first] = FOUND;
    const batch = revive(record, [first ?? WHOLE, { batch: 'b', settled: [0, 1] }]);
    batch.takeFolders();
    expect(batch.cut).toBe(true);
    expect(batch.over).toBe(false);
  });

  it('survives marks about items that it does not have', () => {
    expect(states(revive(record, [...FOUND, { batch: 'b', settled: [99] }]))).toHaveLength(3);
  });
});

describe('files that are dropped again', () => {
  const waited = () => new Waited([revive(record, [...FOUND, { batch: 'b', settled: [0] }, WHOLE])]);
  const namesOf = (matches: Match[]) => matches.map(({ item }) => item.path);

  it('go on where they were, by name, size and time', () => {
    const dropped = [
      { path: 'a/two', file: file('two', 2) },
      { path: 'three', file: file('three', 3) },
    ];
    const { matches, rest } = waited().match(dropped);
    expect(namesOf(matches)).toEqual(['a/two', 'three']);
    expect(rest).toEqual([]);
  });

  it.each([
    ['another name', { path: 'a/other', file: file('other', 2) }],
    ['another size', { path: 'a/two', file: file('two', 7) }],
    ['another time', { path: 'a/two', file: file('two', 2, WHEN + 1) }],
  ])('are others with %s', (_, dropped) => {
    expect(waited().match([dropped]).rest).toEqual([dropped]);
  });

  it('that had come are known as well', () => {
    const { matches } = waited().match([{ path: 'a/one', file: file('one', 1) }]);
    expect(matches[0]?.item.state).toBe('done');
  });

  it('do not belong to a batch that still has them', () => {
    const running = new Batch(record);
    running.grow([new Item('three', 3, WHEN, file('three', 3))]);
    expect(new Waited([running]).match([{ path: 'three', file: file('three', 3) }]).matches).toEqual([]);
  });
});
