import { expect, it } from 'vitest';
import { randomFrom } from '../lib/random';
import { commonLines } from './lines';

const lengthOf = (a: string[], b: string[]) => commonLines(a, b).reduce((sum, { length }) => sum + length, 0);

it('are equal, in order and within both', () => {
  const random = randomFrom(3);
  for (let i = 0; i < 2_000; i += 1) {
    const some = () => Array.from({ length: random.below(14) }, () => 'abcdef'.charAt(random.below(6)));
    const [a, b] = [some(), some()];
    let from = { at: 0, to: 0 };
    for (const { at, to, length } of commonLines(a, b)) {
      expect(at).toBeGreaterThanOrEqual(from.at);
      expect(to).toBeGreaterThanOrEqual(from.to);
      expect(a.slice(at, at + length)).toEqual(b.slice(to, to + length));
      from = { at: at + length, to: to + length };
    }
    expect(from.at).toBeLessThanOrEqual(a.length);
    expect(from.to).toBeLessThanOrEqual(b.length);
  }
});

it('are all that a small change leaves', () => {
  const lines = Array.from({ length: 50 }, (_, i) => (i % 3 ? `line ${i}` : ''));
  expect(lengthOf(lines, lines)).toBe(50);
  expect(lengthOf(lines, lines.toSpliced(20, 1))).toBe(49);
  expect(lengthOf(lines, lines.toSpliced(20, 2, 'x', 'y'))).toBe(48);
});

it('are found in long texts with many equal lines, changed at both ends', () => {
  const lines = Array.from({ length: 100_000 }, (_, i) => (i % 3 ? `    value = ${i % 50};` : `item ${i}`));
  const other = lines.toSpliced(0, 1, 'first').toSpliced(50_000, 0, 'middle').toSpliced(99_999, 1, 'last');
  expect(lengthOf(lines, other)).toBe(99_998);
});

it('are found among lines that come again and again', () => {
  const lines = Array.from({ length: 200_000 }, (_, i) => `${i % 100}`);
  const other = lines.toSpliced(1, 1, 'x').toSpliced(100_000, 0, 'y', 'y').toSpliced(200_000, 1);
  expect(lengthOf(lines, other)).toBe(199_998);
});

it('are none where there is too much to be searched in time', () => {
  const [a, b] = ['ab', 'ba'].map((pair) =>
    Array.from({ length: 6_000 }, (_, i) => pair.repeat(3).charAt((i * i) % 5)),
  );
  expect(lengthOf(a as string[], b as string[])).toBe(0);
});
