import { expect, it } from 'vitest';
import { safeNext } from './next';

it.each([
  ['/settings', '/settings'],
  ['/files/d/s/a%20b?show=x#y', '/files/d/s/a%20b?show=x#y'],
  [null, '/files'],
  ['', '/files'],
  ['settings', '/files'],
  ['//evil.example/settings', '/files'],
  ['/\\evil.example/settings', '/files'],
  ['/\t/evil.example', '/files'],
  ['/\n\\evil.example', '/files'],
  ['https://evil.example/', '/files'],
  ['javascript:alert(1)', '/files'],
  ['/../..//evil.example', '/files'],
  ['/sign-in?next=/sign-in', '/files'],
  ['/api/v1/auth/logout', '/files'],
])('%j → %s', (next, expected) => {
  expect(safeNext(next, '/files')).toBe(expected);
});
