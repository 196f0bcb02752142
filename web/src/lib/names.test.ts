import { describe, expect, it } from 'vitest';
import { escapeName, escapePath, stemLength, typedName } from './names';

describe('a name in the text form of the API', () => {
  it.each([
    ['café', 'café'],
    ['back\\slash', 'back\\x5cslash'],
    ['C:notes', 'C\\x3anotes'],
    ['12:30.txt', '12:30.txt'],
    ['new\nline', 'new\\x0aline'],
    ['c1\u0085', 'c1\\xc2\\x85'],
    [' lead', ' lead'],
  ])('%j', (name, text) => expect(escapeName(name)).toBe(text));

  it('is made for every name of a path', () => {
    expect(escapePath('a\\b/C:x')).toBe('a\\x5cb/C\\x3ax');
  });

  it('keeps escapes that were there when a name was typed', () => {
    expect(typedName('latin\\xe9 2')).toBe('latin\\xe9 2');
    expect(typedName('a\\b')).toBe('a\\x5cb');
    expect(typedName('C:x')).toBe('C\\x3ax');
  });
});

it.each([
  ['a.txt', 1],
  ['.profile', 8],
  ['a.tar.gz', 5],
  ['none', 4],
])('the stem of %s', (name, length) => expect(stemLength(name)).toBe(length));
