import { expect, it } from 'vitest';
import { clock } from './time';

it.each([
  [0, '0:00'],
  [7.9, '0:07'],
  [247, '4:07'],
  [3729, '1:02:09'],
  [NaN, '–:––'],
  [Infinity, '–:––'],
  [-1, '–:––'],
])('%d seconds → %s', (seconds, text) => {
  expect(clock(seconds)).toBe(text);
});
