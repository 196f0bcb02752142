import { expect, it } from 'vitest';
import type { JoinedCoordinator } from '../api/types';
import { en } from '../text/en';
import { joinedWords } from './joined';

const joined = (more: Partial<JoinedCoordinator>): JoinedCoordinator => ({
  id: 'c',
  name: 'Studio',
  standing: 'connected',
  since: '2026-11-21T09:14:00Z',
  ...more,
});
const nameOf = (share: string) => ({ p: 'Photos', f: 'Films' })[share];
const trouble = {
  code: 'CLOCK_SKEW',
  message: 'The clock is 5 minutes ahead.',
  hint: 'Set it.',
  request_id: '',
};

it.each([
  [{}, 'since 21 Nov 2026, 09:14 · all its folders'],
  [
    { url: 'https://studio:7000', shares: [] },
    'since 21 Nov 2026, 09:14 · https://studio:7000 · none of its folders',
  ],
  [{ shares: ['p', 'f', 'gone'] }, 'since 21 Nov 2026, 09:14 · only Photos and Films'],
  [
    { standing: 'waiting', trouble },
    'since 21 Nov 2026, 09:14 · all its folders · The clock is 5 minutes ahead. Set it.',
  ],
] as [Partial<JoinedCoordinator>, string][])('%j', (more, words) => {
  expect(joinedWords(joined(more), { words: en, language: 'en', nameOf })).toBe(words);
});
