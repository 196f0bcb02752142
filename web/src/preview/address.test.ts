import { describe, expect, it } from 'vitest';
import { escapeName, resolveLink } from './address';

const file = (path: string, fragment = '') => ({ to: 'file', path, fragment });
const nowhere = { to: 'nowhere' };

describe('resolveLink from docs/guide/README.md', () => {
  it.each([
    ['img/a.png', file('docs/guide/img/a.png')],
    ['./a%20b.png', file('docs/guide/a b.png')],
    ['../a.png', file('docs/a.png')],
    ['../../a.png', file('a.png')],
    ['../../../a.png', nowhere],
    ['/top.md', file('top.md')],
    ['other.md#part', file('docs/guide/other.md', 'part')],
    ['a.png?raw=true', file('docs/guide/a.png')],
    ['a%2fb', nowhere],
    ['%2e%2e/a.png', file('docs/a.png')],
    ['%zz', nowhere],
    ['..', file('docs')],
    ['a%5cb', file('docs/guide/a\\x5cb')],
    ['', file('docs/guide')],
    ['#part%20two', { to: 'here', fragment: 'part two' }],
    ['https://example.org/x', { to: 'outside', url: 'https://example.org/x' }],
    ['mailto:a@example.org', { to: 'outside', url: 'mailto:a@example.org' }],
    ['//example.org/x', nowhere],
    ['\\\\example.org\\x', nowhere],
    ['javascript:alert(1)', nowhere],
    [' JaVaScRiPt:alert(1)', nowhere],
    ['java\nscript:alert(1)', file('docs/guide/java\\x0ascript:alert(1)')],
    ['data:text/html,x', nowhere],
    ['vbscript:x', nowhere],
    ['blob:https://x/y', nowhere],
    ['file:///etc/passwd', nowhere],
  ])('%j', (link, expected) => {
    expect(resolveLink(link, 'docs/guide/README.md')).toEqual(expected);
  });
});

it('escapeName writes what a path may not hold raw', () => {
  expect(['a\\b', 'a\nb', 'C:x', 'ab:c', 'é', '\u0085'].map(escapeName)).toEqual([
    'a\\x5cb',
    'a\\x0ab',
    'C\\x3ax',
    'ab:c',
    'é',
    '\\xc2\\x85',
  ]);
});
