import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { en } from '../text/en';
import { countDown, describeWait } from './wait';

it.each([
  [1, '1 second'],
  [59.2, '1 minute'],
  [65, '1 minute 5 seconds'],
  [900, '15 minutes'],
  [3_600, '1 hour'],
  [86_399, '24 hours'],
  [5_401, '1 hour 31 minutes'],
])('%d seconds are %s', (seconds, words) => {
  expect(describeWait(seconds, en)).toBe(words);
});

describe('countDown', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('counts to nothing and stops', () => {
    const seen: number[] = [];
    countDown(2, (left) => seen.push(left));
    vi.advanceTimersByTime(5_000);
    expect(seen).toEqual([2, 1, 0]);
  });
  it('can be stopped', () => {
    const seen: number[] = [];
    countDown(9, (left) => seen.push(left))();
    vi.advanceTimersByTime(5_000);
    expect(seen).toEqual([9]);
  });
});
