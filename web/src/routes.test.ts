import { describe, expect, it } from 'vitest';
import { childToward, folderHref, joinPath, lastName, parentPath, parseRoute } from './routes';

describe('addresses', () => {
  it.each([
    ['/', { page: 'machines' }],
    ['/files', { page: 'machines' }],
    ['/files/', { page: 'machines' }],
    ['/settings', { page: 'settings' }],
    ['/devices', { page: 'devices' }],
    ['/people', { page: 'people' }],
    ['/activity', { page: 'activity' }],
    ['/invite', { page: 'invite' }],
    ['/files/d1/s1', { page: 'folder', device: 'd1', share: 's1', path: '' }],
    ['/files/d1/s1/a/b', { page: 'folder', device: 'd1', share: 's1', path: 'a/b' }],
    ['/files/d1', { page: 'missing' }],
    ['/settings/x', { page: 'missing' }],
    ['/elsewhere', { page: 'missing' }],
    ['/files/d1/s1/%zz', { page: 'missing' }],
    ['/constructor', { page: 'missing' }],
  ])('%s', (pathname, route) => {
    expect(parseRoute(pathname)).toEqual(route);
  });

  it.each(['', 'plain', 'a b/ü#?&%25', '%2e%2e', 'back\\x5cslash', '日本/語', '...'])(
    'a folder named %j survives its address',
    (path) => {
      const place = { device: 'd:1', share: 's', path };
      const { pathname } = new URL(folderHref(place), 'http://localhost');
      expect(parseRoute(pathname)).toEqual({ page: 'folder', ...place });
    },
  );
});

describe('paths', () => {
  it('climb to the root and stay there', () => {
    expect(parentPath('a/b/c')).toBe('a/b');
    expect(parentPath('a')).toBe('');
    expect(parentPath('')).toBe('');
  });

  it('have a last name and take one more', () => {
    expect(lastName('a/b')).toBe('b');
    expect(lastName('')).toBe('');
    expect(joinPath('', 'a')).toBe('a');
    expect(joinPath('a', 'b')).toBe('a/b');
  });

  it.each([
    ['', 'a/b', 'a'],
    ['a', 'a/b/c', 'a/b'],
    ['a', 'a', ''],
    ['a', 'ab/c', ''],
    ['', '', ''],
  ])('from %j toward %j leads %j', (folder, path, child) => {
    expect(childToward(folder, path)).toBe(child);
  });
});
