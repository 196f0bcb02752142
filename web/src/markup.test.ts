// House rules that no other tool checks: what the content security policy forbids, and that languages agree.
import { describe, expect, it } from 'vitest';
import { en } from './text/en';
import { fr } from './text/fr';

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
    expect(keys(fr).sort()).toEqual(keys(en).sort());
  });
});
