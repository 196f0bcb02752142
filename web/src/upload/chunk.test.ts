import { describe, expect, it } from 'vitest';
import { FIRST, LEAST, MOST, nextChunk, smallerChunk } from './chunk';

const MIB = 1024 * 1024;

/** The sizes of requests over a line of so many bytes a second. */
function sizesAt(rate: number, requests: number): number[] {
  const sizes = [FIRST];
  for (let i = 0; i < requests; i += 1) {
    const size = sizes.at(-1) ?? FIRST;
    sizes.push(nextChunk(size, size, (size / rate) * 1_000));
  }
  return sizes;
}

describe('the size of a request', () => {
  it('grows to the most on a fast line, at most double at a time', () => {
    expect(sizesAt(500 * MIB, 6)).toEqual([4, 8, 16, 32, 64, 64, 64].map((n) => n * MIB));
  });

  it('shrinks on a slow line, and never below the least', () => {
    const sizes = sizesAt(10_000, 12);
    expect(sizes.at(-1)).toBe(LEAST);
    expect(sizes[1]).toBe(2 * MIB);
  });

  it('settles where a request takes one to two seconds', () => {
    const last = sizesAt(10 * MIB, 10).at(-1) ?? 0;
    expect(last / (10 * MIB)).toBeGreaterThan(1);
    expect(last / (10 * MIB)).toBeLessThan(2);
  });

  it('does not grow because the last piece of a file was short', () => {
    expect(nextChunk(8 * MIB, 1_000, 1)).toBe(8 * MIB);
    expect(nextChunk(8 * MIB, MIB, 2_000)).toBe(4 * MIB);
  });

  it('is halved when one broke off', () => {
    expect(smallerChunk(MOST)).toBe(MOST / 2);
    expect(smallerChunk(LEAST)).toBe(LEAST);
  });
});
