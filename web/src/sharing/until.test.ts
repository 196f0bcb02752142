import { expect, it } from 'vitest';
import { dayOf, endOf } from './until';

const now = new Date('2026-11-21T10:00:00Z');

it.each([
  ['never', '', null],
  ['day', '', '2026-11-22T10:00:00.000Z'],
  ['week', '', '2026-11-28T10:00:00.000Z'],
  ['month', '', '2026-12-21T10:00:00.000Z'],
  ['date', '2026-12-24', '2026-12-24T23:59:59.000Z'],
  ['date', '', null],
  ['date', 'soon', null],
] as const)('%s %s ends %s', (span, date, end) => {
  expect(endOf(span, date, now)).toBe(end);
});

it('a day is the browser’s own', () => {
  expect(dayOf(now)).toBe('2026-11-21');
});
