import { expect, it } from 'vitest';
import { isPresent } from './presence';

it('ends some time after the last sign of life', () => {
  dispatchEvent(new Event('keydown'));
  const now = Date.now();
  expect(isPresent(now)).toBe(true);
  expect(isPresent(now + 60_000)).toBe(true);
  expect(isPresent(now + 180_000)).toBe(false);
});
