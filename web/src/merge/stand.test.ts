import { expect, it } from 'vitest';
import type { Entry } from '../api/types';
import type { Draft } from '../editor/drafts';
import { mineName, standOf, type Now } from './stand';

it.each<[string, Now, string]>([
  ['7', { version: '7' } as Entry, 'unsaved'],
  ['7', { version: '8' } as Entry, 'open'],
  ['', { version: '8' } as Entry, 'open'],
  ['7', null, 'gone'],
  ['', null, 'unsaved'],
  ['7', 'away', 'away'],
])('a change of version %j, where %j is now, is %s', (version, now, stand) => {
  expect(standOf({ version } as Draft, now)).toBe(stand);
});

it.each([
  ['notes.txt', 'notes (mine).txt'],
  ['archive.tar.gz', 'archive.tar (mine).gz'],
  ['Makefile', 'Makefile (mine)'],
  ['.profile', '.profile (mine)'],
])('the copy of %s is %s', (name, copy) => {
  expect(mineName(name, (stem, ending) => `${stem} (mine)${ending}`)).toBe(copy);
});
