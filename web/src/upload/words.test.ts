import { describe, expect, it } from 'vitest';
import { en } from '../text/managing.en';
import type { View } from './queue.svelte';
import { fractionOf, headline, milestone, standing, timeLeft } from './words';

const view = (some: Partial<View> = {}): View => ({
  files: 12,
  done: 7,
  failed: 0,
  asking: 0,
  missing: 0,
  bytes: 3_100_000_000,
  sent: 1_900_000_000,
  perSecond: 84_000_000,
  secondsLeft: 14,
  running: true,
  growing: false,
  undoable: false,
  paused: false,
  hold: null,
  target: 'Lisboa',
  going: [],
  failures: [],
  question: undefined,
  interrupted: [],
  elsewhere: [],
  ...some,
});

const line = (some?: Partial<View>, short = false) => standing(view(some), en, 'en', short);

describe('the line of the tray', () => {
  it('says how far, how fast and how long still', () => {
    expect(headline(view(), en, 'en', false)).toBe('Uploading 12 files');
    expect(line()).toBe('7 done · 1.9 of 3.1 GB · 84 MB/s · 14 s left');
    expect(line({}, true)).toBe('61 % · 14 s left · 84 MB/s');
  });

  it('says why it stands still', () => {
    expect(line({ paused: true })).toContain('Paused');
    expect(line({ hold: 'network' })).toContain('No connection: goes on by itself');
    expect(line({ perSecond: 0, secondsLeft: undefined })).not.toContain('/s');
  });

  it.each([
    [{ running: false, done: 12 }, '12 files uploaded'],
    [{ running: false, files: 1 }, '1 file uploaded'],
    [{ running: false, failed: 2 }, '2 files were not uploaded'],
    [{ running: false, failed: 2, asking: 1 }, '1 name is taken'],
    [{ running: false, missing: 3 }, '3 uploads were interrupted'],
  ])('ends with %j', (some, expected) => expect(headline(view(some), en, 'en', false)).toBe(expected));
});

it('is read out at every quarter, and at its end', () => {
  const said = (sent: number) => milestone(view({ bytes: 100, sent }), en, 'en');
  expect([0, 24, 25, 49, 80].map(said)).toEqual([
    'Uploading',
    'Uploading',
    '25 % uploaded',
    '25 % uploaded',
    '75 % uploaded',
  ]);
  expect(milestone(view({ running: false }), en, 'en')).toBe('12 files uploaded');
});

it('counts files where there are no bytes', () => {
  expect(fractionOf(view({ bytes: 0, sent: 0, done: 3, files: 4 }))).toBe(0.75);
});

it.each([
  [14, '14 s'],
  [60, '1 min'],
  [200, '4 min'],
  [3_700, '1 h 2 min'],
])('%d seconds are %s', (seconds, text) => expect(timeLeft(seconds, en)).toBe(text));
