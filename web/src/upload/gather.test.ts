import { describe, expect, it } from 'vitest';
import { fromDrop, fromHandles, fromPicked, nothing, type Found, type Source } from './gather';

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

/** All that it tells of. */
async function all(source: Source): Promise<Found> {
  const found = nothing();
  await source.walk(({ files, folders, unreadable }) => {
    found.files.push(...files);
    found.folders.push(...folders);
    found.unreadable.push(...unreadable);
  });
  return found;
}

describe('what was dropped', () => {
  it('is walked to its last folder, empty ones and empty files too', async () => {
    const source = fromDrop([dropped(entryOf('trip', TREE)), dropped(entryOf('note', 'n'))]);
    expect(source.folders).toEqual(['trip']);
    const found = await all(source);
    expect(paths(found.files)).toEqual([
      'note',
      'trip/inner/a',
      'trip/inner/b',
      'trip/inner/c',
      'trip/inner/deep/d',
      'trip/top',
    ]);
    expect(found.folders).toEqual(['trip/empty']);
  });

  it('is told of before all of it is found', async () => {
    const told: string[][] = [];
    let more: ((some: FileSystemEntry[]) => void) | undefined;
    const readers = [(done: (some: FileSystemEntry[]) => void) => done([entryOf('a', 'x')])];
    readers.push((done) => (more = done));
    const createReader = () => ({ readEntries: (done: never) => readers.shift()?.(done) });
    const folder = { name: 'f', isFile: false, isDirectory: true, createReader };
    const walked = fromDrop([dropped(folder as unknown as FileSystemEntry)]).walk(({ files }) =>
      told.push(paths(files)),
    );
    await expect.poll(() => told).toEqual([['f/a']]);
    readers.push((done) => done([]));
    more?.([entryOf('b', 'x')]);
    await walked;
    expect(told).toEqual([['f/a'], ['f/b']]);
  });

  it('goes on past what cannot be read', async () => {
    const tree = { good: 'x' } as Tree;
    const folder = entryOf('f', { ...tree, bad: new Error('locked') as unknown as string });
    const found = await all(fromDrop([dropped(folder)]));
    expect(paths(found.files)).toEqual(['f/good']);
    expect(found.unreadable).toEqual([{ path: 'f/bad', reason: 'locked' }]);
  });

  it('is read by handles where there are some, and whole where they hide something', async () => {
    const folder = entryOf('trip', { a: 'by entry', 'hidden.lnk': 'by entry', deep: { b: 'by entry' } });
    const handle = handleOf('trip', { a: 'by handle', deep: { b: 'by handle' } });
    const found = await all(fromDrop([dropped(folder, handle)]));
    const texts = await Promise.all(found.files.map(async ({ path, file }) => [path, await file.text()]));
    expect(Object.fromEntries(texts)).toEqual({
      'trip/a': 'by handle',
      'trip/hidden.lnk': 'by entry',
      'trip/deep/b': 'by handle',
    });
  });

  it('keeps handles only if there is one for all of it', async () => {
    const handle = handleOf('a', 'x');
    const one = dropped(entryOf('a', 'x'), handle);
    expect(await fromDrop([one]).handles).toEqual([handle]);
    expect(await fromDrop([one, dropped(entryOf('b', 'x'))]).handles).toEqual([]);
  });
});

it('handles are walked as well', async () => {
  const source = fromHandles([handleOf('trip', TREE)]);
  expect(source.folders).toEqual(['trip']);
  const found = await all(source);
  expect(paths(found.files)).toContain('trip/inner/deep/d');
  expect(found.folders).toEqual(['trip/empty']);
});

it('a picker for folders tells where its files are', async () => {
  const file = new File(['x'], 'd');
  Object.defineProperty(file, 'webkitRelativePath', { value: 'trip/deep/d' });
  const source = fromPicked([file, new File(['y'], 'alone')]);
  expect(source.folders).toEqual(['trip']);
  expect(paths((await all(source)).files)).toEqual(['alone', 'trip/deep/d']);
});
