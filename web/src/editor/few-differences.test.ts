import { expect, it } from 'vitest';
import { randomFrom } from '../lib/random';
import { fewDifferences } from './few-differences';

/** The length of the longest common subsequence, as the textbook has it. */
function longest(a: string[], b: string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const line of a) {
    const next = [0];
    for (const [j, other] of b.entries())
      next.push(line === other ? (row[j] ?? 0) + 1 : Math.max(next[j] ?? 0, row[j + 1] ?? 0));
    row = next;
  }
  return row.at(-1) ?? 0;
}

it('finds as much in common as there is, in order and within both', () => {
  const random = randomFrom(21);
  for (let i = 0; i < 3_000; i += 1) {
    const some = () => Array.from({ length: random.below(12) }, () => random.pick(['a', 'b', 'c']));
    const [a, b] = [some(), some()];
    const common = fewDifferences(a, b) ?? [];
    let from = { at: 0, to: 0 };
    for (const { at, to, length } of common) {
      expect(at).toBeGreaterThanOrEqual(from.at);
      expect(to).toBeGreaterThanOrEqual(from.to);
      expect(a.slice(at, at + length)).toEqual(b.slice(to, to + length));
      from = { at: at + length, to: to + length };
    }
    expect(common.reduce((sum, { length }) => sum + length, 0)).toBe(longest(a, b));
  }
});

it('gives up where there is too much', () => {
  const a = Array.from({ length: 2_000 }, (_, i) => `a${i}`);
  const b = Array.from({ length: 2_000 }, (_, i) => `b${i}`);
  expect(fewDifferences(a, b)).toBeUndefined();
});
