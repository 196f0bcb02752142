import { describe, expect, it } from 'vitest';
import type { Found, Source } from '../upload/gather';
import { gatherItems } from './local';

const file = (path: string, size = 1) => ({ path, file: new File(['x'.repeat(size)], path) });

const source = (folders: string[], ...told: Partial<Found>[]): Source => ({
  folders,
  handles: Promise.resolve([]),
  walk: async (tell) => {
    for (const found of told) tell({ files: [], folders: [], unreadable: [], ...found });
  },
});

describe('files of this device', () => {
  it('are an item each, and a folder is one with all in it', async () => {
    const items = await gatherItems(
      source(
        ['photos', 'nothing'],
        { files: [file('note.txt', 3), file('photos/2026/a.jpg', 5)] },
        { files: [file('photos/b.jpg', 2)], folders: ['photos/empty', 'nothing'] },
      ),
    );
    expect(items.map(({ offered }) => offered)).toEqual([
      { filename: 'note.txt', kind: 'file', size: 3, files: 1 },
      {
        filename: 'photos',
        kind: 'folder',
        size: 7,
        files: 2,
        preview: ['empty', '2026/a.jpg', 'b.jpg'],
      },
      { filename: 'nothing', kind: 'folder', size: 0, files: 0, preview: [] },
    ]);
    expect(items[1]?.folders).toEqual(['empty']);
  });

  it('of one name stay apart, and names are written as the API does', async () => {
    const items = await gatherItems(source([], { files: [file('a\nb'), file('a\nb')] }));
    expect(items.map(({ offered }) => offered.filename)).toEqual(['a\\x0ab', 'a\\x0ab']);
  });

  it('tell fairly of what is in many folders, and say what could not be read', async () => {
    const many = ['x', 'y'].flatMap((folder) =>
      Array.from({ length: 300 }, (_, i) => file(`${folder}/${i}`)),
    );
    const items = await gatherItems(
      source(['x', 'y'], { files: many, unreadable: [{ path: 'x/secret', reason: 'no' }] }),
    );
    expect(items.map(({ offered }) => offered.preview?.length)).toEqual([100, 100]);
    expect(items.map(({ partial }) => partial)).toEqual([true, false]);
  });
});
