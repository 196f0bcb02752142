import { expect, it } from 'vitest';
import { Rate, secondsLeft } from './rate';

it('is what came in the last seconds', () => {
  const rate = new Rate();
  expect(rate.perSecond).toBe(0);
  for (let second = 0; second <= 20; second += 1)
    rate.add(second < 10 ? 0 : (second - 10) * 500, second * 1_000);
  expect(rate.perSecond).toBe(500);
  rate.reset();
  expect(rate.perSecond).toBe(0);
});

it('does not fall below nothing when something was given up', () => {
  const rate = new Rate();
  rate.add(1_000, 0);
  rate.add(200, 1_000);
  expect(rate.perSecond).toBe(0);
});

it('tells the time left', () => {
  expect(secondsLeft(1_001, 500)).toBe(3);
  expect(secondsLeft(1, 0)).toBeUndefined();
});
