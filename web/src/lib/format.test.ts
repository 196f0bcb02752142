import { describe, expect, it } from 'vitest';
import {
  formatAge,
  formatAgo,
  formatClock,
  formatCount,
  formatDuration,
  formatExactTime,
  formatMoment,
  formatSize,
  formatTime,
} from './format';

/** Intl uses narrow and no-break spaces, which are hard to tell apart in a test. */
const plain = (text: string) => text.replace(/\s/g, ' ');

describe('sizes', () => {
  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [1_000, '1 KB'],
    [14_321, '14.3 KB'],
    [999_600, '1 MB'],
    [8_400_000, '8.4 MB'],
    [212_000_000, '212 MB'],
    [1_240_000_000, '1.24 GB'],
    [18_600_000_000, '18.6 GB'],
    [5e15, '5 PB'],
  ])('%d is %s', (bytes, text) => {
    expect(plain(formatSize(bytes, 'en'))).toBe(text);
  });

  it('speak French', () => {
    expect(plain(formatSize(8_400_000, 'fr'))).toBe('8,4 Mo');
  });
});

describe('counts', () => {
  it('are grouped', () => {
    expect(formatCount(102_418, 'en')).toBe('102,418');
    expect(plain(formatCount(102_418, 'fr'))).toBe('102 418');
  });
});

describe('lengths', () => {
  it.each([
    [0, '0:00'],
    [252.9, '4:12'],
    [3_725, '1:02:05'],
    [NaN, '–:––'],
    [Infinity, '–:––'],
    [-1, '–:––'],
  ])('%d s is %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

describe('times', () => {
  const now = new Date('2026-11-21T14:30:00Z');

  it.each([
    ['2026-11-21T14:29:31Z', 'Now'],
    ['2026-11-21T14:30:40Z', 'Now'],
    ['2026-11-21T14:28:00Z', '2 min ago'],
    ['2026-11-21T09:14:00Z', 'Today, 09:14'],
    ['2026-11-20T23:59:00Z', 'Yesterday'],
    ['2026-11-18T12:00:00Z', '18 Nov'],
    ['2025-11-18T12:00:00Z', '18 Nov 2025'],
    ['2026-11-21T18:00:00Z', 'Today, 18:00'],
    ['2027-01-01T00:00:00Z', '1 Jan 2027'],
  ])('%s is %s', (moment, text) => {
    expect(formatTime(new Date(moment), now, 'en')).toBe(text);
  });

  it.each([
    ['2026-11-21T14:29:31Z', 'now'],
    ['2026-11-21T14:30:09Z', 'now'],
    ['2026-11-21T13:31:00Z', '59 min ago'],
    ['2026-11-21T11:00:00Z', '3 hours ago'],
    ['2026-11-18T12:00:00Z', '3 days ago'],
  ])('%s was %s', (moment, text) => {
    expect(formatAgo(new Date(moment), now, 'en')).toBe(text);
  });

  it('speak French', () => {
    expect(formatTime(new Date('2026-11-20T10:00:00Z'), now, 'fr')).toBe('Hier');
  });

  it('can be exact', () => {
    expect(formatExactTime(new Date('2026-11-21T08:52:31Z'), 'en')).toBe('21 Nov 2026, 08:52:31');
  });
});

it.each([
  [10_000, 'now', 'maintenant'],
  [5 * 60_000, '5m', '5min'],
  [190 * 60_000, '3h', '3h'],
  [50 * 3_600_000, '2d', '2j'],
  [-5_000, 'now', 'maintenant'],
])('%d ms ago is %s, %s', (age, en, fr) => {
  const now = new Date('2026-11-21T10:00:00Z');
  const moment = new Date(now.getTime() - age);
  expect(plain(formatAge(moment, now, 'en'))).toBe(en);
  expect(plain(formatAge(moment, now, 'fr'))).toBe(fr);
});

it('a moment to come is told to the minute', () => {
  const moment = new Date('2026-12-24T18:30:59Z');
  expect(plain(formatMoment(moment, 'en'))).toBe('24 Dec 2026, 18:30');
  expect(plain(formatMoment(moment, 'fr'))).toBe('24 déc. 2026, 18:30');
});

it('the clock alone for today, with the day for others', () => {
  const now = new Date('2026-11-21T14:30:00Z');
  expect(formatClock(new Date('2026-11-21T14:03:00Z'), now, 'en')).toBe('14:03');
  expect(formatClock(new Date('2026-11-18T09:05:00Z'), now, 'en')).toBe('18 Nov, 09:05');
});
