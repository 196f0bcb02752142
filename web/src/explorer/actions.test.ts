import { describe, expect, it } from 'vitest';
import type { Entry } from '../api/types';
import { downloadHref, pageHref } from './actions';
import type { Chosen } from '../state/entries';

function chosen(path: string, type: Entry['type'] = 'file', share = 's'): Chosen {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const entry: Entry = { name, path, type, kind: 'other', size: 1, modified: null, version: '' };
  return { place: { device: 'd', share }, entry };
}

const query = (href: string | null) =>
  Object.fromEntries(new URL(href ?? '', 'http://localhost').searchParams);
const tail = (href: string | null) => new URL(href ?? '', 'http://localhost').pathname.split('/').at(-1);

describe('saving', () => {
  it('one file is a download', () => {
    const href = downloadHref([chosen('a/b & c.txt')], 'zip');
    expect(tail(href)).toBe('download');
    expect(query(href)).toEqual({ path: 'a/b & c.txt' });
  });

  it('one folder is an archive of it', () => {
    const href = downloadHref([chosen('a/b', 'folder')], 'tar');
    expect(tail(href)).toBe('archive');
    expect(query(href)).toEqual({ path: 'a', names: 'b', format: 'tar' });
  });

  it('several of a folder are an archive of their names', () => {
    const href = downloadHref([chosen('a/x'), chosen('a/y', 'folder')], 'zip');
    expect(query(href)).toEqual({ path: 'a', names: 'x/y', format: 'zip' });
  });

  it.each([
    ['from two folders', [chosen('a/x'), chosen('b/y')]],
    ['from two shares', [chosen('a/x'), chosen('a/y', 'file', 'other')]],
    ['too many to name', Array.from({ length: 4_000 }, (_, i) => chosen(`a/a rather long name ${i}`))],
    ['nothing', []],
  ])('%s is not one archive', (_, all) => {
    expect(downloadHref(all, 'zip')).toBeNull();
  });
});

describe('links', () => {
  it('lead to a folder, or to a file opened in its folder', () => {
    expect(pageHref(chosen('a/b', 'folder'))).toBe('/files/d/s/a/b');
    expect(pageHref(chosen('a/b?.txt'))).toBe('/files/d/s/a?view=b%3F.txt');
  });
});
