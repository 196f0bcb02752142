import { expect, it } from 'vitest';
import type { DevicePath } from '../api/types';
import { en } from '../text/en';
import { isDetour, wayWords } from './way';

it.each([
  [undefined, '', false],
  [{ lane: 'local', why: '' }, '', false],
  [{ lane: 'lan', round_trip_ms: 0.4321, why: '' }, 'Direct, on the network · 0.4 ms', false],
  [{ lane: 'direct', round_trip_ms: 0.02, why: '' }, 'Direct · < 0.1 ms', false],
  [{ lane: 'relayed', round_trip_ms: 48.2, why: '' }, 'Relayed · 48 ms', true],
  [{ lane: 'none', why: 'It is off.' }, 'Not reached', true],
] as [DevicePath | undefined, string, boolean][])('%j is %j', (path, words, detour) => {
  expect(wayWords(path, en, 'en')).toBe(words);
  expect(isDetour(path)).toBe(detour);
});
