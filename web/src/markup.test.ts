// House rules that no other tool checks: what the content security policy forbids, and that languages agree.
import { describe, expect, it } from 'vitest';
import { en as editingEn } from './text/editing.en';
import { fr as editingFr } from './text/editing.fr';
import { en } from './text/en';
import { fr } from './text/fr';
import { en as joiningEn } from './text/joining.en';
import { fr as joiningFr } from './text/joining.fr';
import { en as managingEn } from './text/managing.en';
import { fr as managingFr } from './text/managing.fr';

const sources = import.meta.glob<string>(['./**/*.svelte'], {
  query: '?raw',
  import: 'default',
  eager: true,
});

describe('markup', () => {
  it.each(Object.keys(sources))('%s has no style attribute', (file) => {
    expect(sources[file]).not.toMatch(/<[^>]*\sstyle="/);
  });
});

describe('languages', () => {
  const keys = (words: object, at = ''): string[] =>
    Object.entries(words).flatMap(([key, value]: [string, unknown]) =>
      typeof value === 'object' && value !== null ? keys(value, `${at}${key}.`) : [`${at}${key}`],
    );

  it('have the same words', () => {
    // What the machine says in English itself is for the other languages alone.
    const shared = keys(fr).filter((key) => !key.startsWith('failure.codes.'));
    expect(shared.sort()).toEqual(keys(en).sort());
    expect(keys(editingFr).sort()).toEqual(keys(editingEn).sort());
    expect(keys(joiningFr).sort()).toEqual(keys(joiningEn).sort());
    expect(keys(managingFr).sort()).toEqual(keys(managingEn).sort());
  });
});
