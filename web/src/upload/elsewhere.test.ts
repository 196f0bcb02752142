import { describe, expect, it } from 'vitest';
import type { Upload } from '../api/types';
import { isSameFile, waiting } from './elsewhere';
import { metadataOf } from './tus';

const NOW = Date.UTC(2026, 10, 21, 12);
const HOUR = 3_600_000;

const upload = (some: Partial<Upload> = {}): Upload => ({
  id: 'u1',
  path: 'in/film.bin',
  length: 100,
  offset: 40,
  created: new Date(NOW - 3 * HOUR).toISOString(),
  expires: new Date(NOW + 22 * HOUR).toISOString(),
  ...some,
});

describe('what waits', () => {
  it('is not known here, and nothing comes to it', () => {
    const going = upload({ id: 'going', expires: new Date(NOW + 24 * HOUR - 5_000).toISOString() });
    const all = [upload(), upload({ id: 'ours' }), going];
    expect(waiting(all, new Set(['ours']), NOW).map(({ id }) => id)).toEqual(['u1']);
  });
});

describe('the file that was begun', () => {
  const about = (modified?: string) => ({
    status: 200,
    header: (name: string) =>
      name === 'Upload-Metadata' && modified !== undefined
        ? metadataOf({ path: 'in/film.bin', modified, clash: 'ask' })
        : null,
  });
  const file = (size: number) => new File([new Uint8Array(size)], 'film.bin', { lastModified: NOW });

  it.each<[string, number, string | undefined, boolean]>([
    ['has its size and time', 100, new Date(NOW + 400).toISOString(), true],
    ['may tell its time as a number', 100, String(NOW), true],
    ['may tell no time', 100, undefined, true],
    ['is not one of another size', 99, undefined, false],
    ['is not one of another time', 100, new Date(NOW - 2_000).toISOString(), false],
  ])('%s', (_, size, modified, same) => {
    expect(isSameFile(upload(), about(modified), file(size))).toBe(same);
  });

  it('may be of any size where none was told', () => {
    expect(isSameFile(upload({ length: null }), about(), file(7))).toBe(true);
  });
});
