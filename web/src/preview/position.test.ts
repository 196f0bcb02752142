import { beforeEach, describe, expect, it } from 'vitest';
import { Bookmark, fileKey, keepPosition, recallPosition } from './position';

class MemoryStore implements Storage {
  #kept = new Map<string, string>();
  get length() {
    return this.#kept.size;
  }
  clear = () => this.#kept.clear();
  getItem = (key: string) => this.#kept.get(key) ?? null;
  key = () => null;
  removeItem = (key: string) => void this.#kept.delete(key);
  setItem = (key: string, value: string) => void this.#kept.set(key, value);
}

describe('positions', () => {
  let store: Storage;
  beforeEach(() => {
    store = new MemoryStore();
  });
  it('remembers where a file was left', () => {
    keepPosition('a', 61.9, 300, store);
    keepPosition('b', 20, NaN, store);
    expect([recallPosition('a', store), recallPosition('b', store), recallPosition('c', store)]).toEqual([
      61, 20, 0,
    ]);
  });
  it.each([
    ['at the beginning', 3, 300],
    ['at the end', 297, 300],
  ])('forgets a file left %s', (_, seconds, duration) => {
    keepPosition('a', 100, 300, store);
    keepPosition('a', seconds, duration, store);
    expect(recallPosition('a', store)).toBe(0);
  });
  it('forgets the oldest of very many', () => {
    for (let i = 0; i <= 200; i++) keepPosition(`f${i}`, 10 + i, 1_000, store);
    expect([recallPosition('f0', store), recallPosition('f1', store), recallPosition('f200', store)]).toEqual(
      [0, 11, 210],
    );
  });
  it.each(['not json', '{"a":1}', '[1,["a","x"],["b",7]]'])('survives %s in the store', (junk) => {
    store.setItem('lanthorn.positions', junk);
    expect(recallPosition('a', store)).toBe(0);
    keepPosition('a', 50, 100, store);
    expect(recallPosition('a', store)).toBe(50);
  });
  it('does not stop when the store takes nothing', () => {
    store.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    expect(() => keepPosition('a', 50, 100, store)).not.toThrow();
  });
  it('keeps the place while it moves, every five seconds', () => {
    const bookmark = new Bookmark('a', store);
    const kept = [20, 24, 25, 29, 31, 12].map((second) => {
      bookmark.moved(second, 300);
      return bookmark.recall();
    });
    expect(kept).toEqual([20, 20, 25, 25, 31, 12]);
  });
  it('tells versions of a file apart', () => {
    expect(fileKey('d', 's', 'a/b', '1')).not.toBe(fileKey('d', 's', 'a/b', '2'));
    expect(fileKey('d', 's', 'a', 'b"1')).not.toBe(fileKey('d', 's', 'a"b', '1'));
  });
});
