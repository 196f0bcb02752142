import { describe, expect, it } from 'vitest';
import { foldersOf, gatherDropped, gatherHandles, gatherPicked } from './gather';

type Tree = { [name: string]: Tree | string };

/** What a drop hands over of a tree; it lists two entries at a time, as browsers list a hundred. */
function entryOf(name: string, content: Tree | string | Error): FileSystemEntry {
  if (content instanceof Error) {
    const fail = (_: unknown, refuse: (error: Error) => void) => refuse(content);
    return { name, isFile: true, isDirectory: false, file: fail } as unknown as FileSystemEntry;
  }
  if (typeof content === 'string') {
    const file = (done: (file: File) => void) => done(new File([content], name));
    return { name, isFile: true, isDirectory: false, file } as unknown as FileSystemEntry;
  }
  const createReader = () => {
    const left = Object.entries(content).map(([inner, value]) => entryOf(inner, value));
    return { readEntries: (done: (some: FileSystemEntry[]) => void) => done(left.splice(0, 2)) };
  };
  return { name, isFile: false, isDirectory: true, createReader } as unknown as FileSystemEntry;
}

function handleOf(name: string, content: Tree | string): FileSystemHandle {
  if (typeof content === 'string') {
    return {
      kind: 'file',
      name,
      getFile: async () => new File([content], name),
    } as unknown as FileSystemHandle;
  }
  async function* values() {
    for (const [inner, value] of Object.entries(content)) yield handleOf(inner, value);
  }
  return { kind: 'directory', name, values } as unknown as FileSystemHandle;
}

const dropped = (entry: FileSystemEntry, handle: FileSystemHandle | null = null) => ({
  entry,
  file: null,
  handle: Promise.resolve(handle),
});

const TREE: Tree = { inner: { a: 'one', b: 'two', c: '', deep: { d: 'x' } }, empty: {}, top: 'y' };
const paths = (files: { path: string }[]) => files.map(({ path }) => path).sort();

describe('what was dropped', () => {
  it('is walked to its last folder, empty ones and empty files too', async () => {
    const found = await gatherDropped([dropped(entryOf('trip', TREE)), dropped(entryOf('note', 'n'))]);
    expect(paths(found.files)).toEqual([
      'note',
      'trip/inner/a',
      'trip/inner/b',
      'trip/inner/c',
      'trip/inner/deep/d',
      'trip/top',
    ]);
    expect(found.folders.sort()).toEqual(['trip', 'trip/empty', 'trip/inner', 'trip/inner/deep']);
    expect(found.handles).toEqual([]);
  });

  it('goes on past what cannot be read', async () => {
    const tree = { good: 'x' } as Tree;
    const folder = entryOf('f', { ...tree, bad: new Error('locked') as unknown as string });
    const found = await gatherDropped([dropped(folder)]);
    expect(paths(found.files)).toEqual(['f/good']);
    expect(found.unreadable).toEqual([{ path: 'f/bad', reason: 'locked' }]);
  });

  it('keeps handles only if there is one for all of it', async () => {
    const handle = handleOf('a', 'x');
    const one = dropped(entryOf('a', 'x'), handle);
    expect((await gatherDropped([one])).handles).toEqual([handle]);
    expect((await gatherDropped([one, dropped(entryOf('b', 'x'))])).handles).toEqual([]);
  });
});

it('handles are walked as well', async () => {
  const found = await gatherHandles([handleOf('trip', TREE)]);
  expect(paths(found.files)).toContain('trip/inner/deep/d');
  expect(found.folders).toContain('trip/empty');
});

it('a picker for folders tells where its files are', () => {
  const file = new File(['x'], 'd');
  Object.defineProperty(file, 'webkitRelativePath', { value: 'trip/deep/d' });
  const found = gatherPicked([file, new File(['y'], 'alone')]);
  expect(paths(found.files)).toEqual(['alone', 'trip/deep/d']);
  expect(found.folders).toEqual(['trip', 'trip/deep']);
});

it('folders of a path', () => {
  expect(foldersOf('a/b/c')).toEqual(['a', 'a/b']);
  expect(foldersOf('c')).toEqual([]);
});
