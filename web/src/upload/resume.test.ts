import { describe, expect, it } from 'vitest';
import { Batch, Item } from './batch';
import { revive } from './keep';
import { matchFiles } from './resume';

const WHEN = Date.UTC(2026, 10, 21);
const place = { device: 'd', share: 's' };

const file = (name: string, size: number, lastModified = WHEN) =>
  new File([new Uint8Array(size)], name, { lastModified });

const record = {
  id: 'b',
  place,
  folder: 'in',
  target: 'in',
  clash: 'ask' as const,
  folders: ['a'],
  items: [
    ['a/one', 1, WHEN],
    ['a/two', 2, WHEN],
    ['three', 3, WHEN],
  ] as [string, number, number][],
  handles: [],
};

const states = (batch: Batch) => batch.items.map(({ state }) => state);

describe('a batch after a reload', () => {
  it('is as it began, without its files', () => {
    const batch = revive(record, []);
    expect(states(batch)).toEqual(['missing', 'missing', 'missing']);
    expect(batch.bytes).toBe(6);
    expect(batch.open).toBe(true);
  });

  it('knows what had come, what may have, and where uploads go on', () => {
    const marks = [
      { batch: 'b', left: [0, 1] },
      { batch: 'b', settled: [0] },
      { batch: 'b', folders: true },
      { batch: 'b', begun: [2, 'u7'] as [number, string] },
      { batch: 'b', clash: 'replace' as const },
    ];
    const batch = revive(record, marks);
    expect(states(batch)).toEqual(['done', 'missing', 'missing']);
    expect(batch.items[1]?.unsure).toBe(true);
    expect(batch.items[2]?.upload).toBe('u7');
    expect(batch.clash).toBe('replace');
    expect(batch.folders).toEqual([]);
    expect(batch.sent).toBe(1);
  });

  it('survives marks about items that it does not have', () => {
    expect(states(revive(record, [{ batch: 'b', settled: [99] }]))).toHaveLength(3);
  });
});

describe('files that are dropped again', () => {
  const batch = () => revive(record, [{ batch: 'b', settled: [0] }]);

  it('go on where they were, by name, size and time', () => {
    const dropped = [
      { path: 'a/two', file: file('two', 2) },
      { path: 'three', file: file('three', 3) },
    ];
    const { matches, rest } = matchFiles(dropped, [batch()]);
    expect(matches.map(({ item }) => item.path)).toEqual(['a/two', 'three']);
    expect(rest).toEqual([]);
  });

  it.each([
    ['another name', { path: 'a/other', file: file('other', 2) }],
    ['another size', { path: 'a/two', file: file('two', 7) }],
    ['another time', { path: 'a/two', file: file('two', 2, WHEN + 1) }],
  ])('are others with %s', (_, dropped) => {
    expect(matchFiles([dropped], [batch()]).rest).toEqual([dropped]);
  });

  it('that had come are known as well', () => {
    const { matches } = matchFiles([{ path: 'a/one', file: file('one', 1) }], [batch()]);
    expect(matches[0]?.item.state).toBe('done');
  });

  it('do not belong to a batch that still has them', () => {
    const running = new Batch({ ...record, items: [new Item('three', 3, WHEN, file('three', 3))] });
    expect(matchFiles([{ path: 'three', file: file('three', 3) }], [running]).matches).toEqual([]);
  });
});
