// What was dropped, pasted or picked, as files and folders: walks through folders and tells of what is in them bit by bit,
// so that the first files leave while the last ones are being found.
import { Turns } from '../lib/turns';
import type { Dropped } from './capture';

export interface GatheredFile {
  /** From the folder it goes into, with the names that the visitor's disk has. */
  path: string;
  file: File;
}

export interface Found {
  files: GatheredFile[];
  /** Folders with nothing in them: the others come with their files. */
  folders: string[];
  /** What could not be read, and why. */
  unreadable: { path: string; reason: string }[];
}

export type Tell = (found: Found) => void;

export interface Source {
  /** Folders at the top of it. */
  folders: string[];
  /** Ends when everything was told. */
  walk: (tell: Tell) => Promise<void>;
  /** By these the browser finds the files again after a reload; empty where it cannot. */
  handles: Promise<FileSystemHandle[]>;
}

export const nothing = (): Found => ({ files: [], folders: [], unreadable: [] });

export function fromDrop(dropped: Dropped): Source {
  const entries = dropped.flatMap(({ entry }) => (entry ? [entry] : []));
  const files = dropped.flatMap(({ entry, file }) => (!entry && file ? [file] : []));
  return {
    folders: entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => name),
    handles: handlesOf(dropped),
    walk: async (tell) => {
      if (files.length > 0) tell({ ...nothing(), files: files.map((file) => ({ path: file.name, file })) });
      const handles = await Promise.all(dropped.map(({ handle }) => handle));
      const known = new Map(handles.flatMap((handle) => (handle ? [[handle.name, handle]] : [])));
      await walkEntries(entries, known, '', tell);
    },
  };
}

/** Some of them would bring back only some of the files. */
async function handlesOf(dropped: Dropped): Promise<FileSystemHandle[]> {
  const handles = await Promise.all(dropped.map(({ handle }) => handle));
  return handles.every((handle) => handle !== null) ? handles : [];
}

/** Files of a picker; one for folders tells where in them they are. */
export function fromPicked(picked: Iterable<File>): Source {
  const files = [...picked].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  const [inFolders, handles] = [files.filter(({ path }) => path.includes('/')), Promise.resolve([])];
  return {
    folders: [...new Set(inFolders.map(({ path }) => path.slice(0, path.indexOf('/'))))],
    handles,
    walk: async (tell) => tell({ ...nothing(), files }),
  };
}

export function fromHandles(handles: FileSystemHandle[]): Source {
  return {
    folders: handles.filter(({ kind }) => kind === 'directory').map(({ name }) => name),
    handles: Promise.resolve(handles),
    walk: (tell) => walkHandles(handles, '', tell),
  };
}

/**
 * So much is asked of the browser at once. It answers one after the other: with all of it in the line, nothing else that
 * the page asks for would have its turn.
 */
const AT_ONCE = 8;
const turns = new Turns(AT_ONCE);

const join = (path: string, name: string) => (path ? `${path}/${name}` : name);

const reasonOf = (error: unknown) => (error instanceof Error ? error.message || error.name : String(error));

/** Reads files that lie together, and tells of them together. */
async function readAll<T extends { name: string }>(
  some: T[],
  parent: string,
  read: (one: T) => Promise<File>,
  tell: Tell,
): Promise<void> {
  const found = nothing();
  const readOne = async (one: T) => {
    const path = join(parent, one.name);
    try {
      found.files.push({ path, file: await turns.run(() => read(one)) });
    } catch (error) {
      found.unreadable.push({ path, reason: reasonOf(error) });
    }
  };
  await Promise.all(some.map(readOne));
  if (some.length > 0) tell(found);
}

/** As the browsers have it, and TypeScript's own description does not yet. */
type Folder = FileSystemDirectoryHandle & { values(): AsyncIterable<FileSystemHandle> };

const isFolder = (one: FileSystemHandle | undefined): one is Folder => one?.kind === 'directory';

/** By their names. */
type Handles = ReadonlyMap<string, FileSystemHandle>;

/**
 * What the browser knows as entries is all there is; as handles it hides some, by names that it does not trust, but gives
 * the rest in half the time.
 */
async function walkEntries(
  entries: FileSystemEntry[],
  handles: Handles,
  parent: string,
  tell: Tell,
): Promise<void> {
  const files = entries.filter((entry): entry is FileSystemFileEntry => entry.isFile);
  const folders = entries.filter((entry): entry is FileSystemDirectoryEntry => entry.isDirectory);
  await Promise.all([
    readAll(files, parent, (file) => readEntry(file, handles.get(file.name)), tell),
    ...folders.map((folder) => {
      const handle = handles.get(folder.name);
      return walkEntry(folder, isFolder(handle) ? handle : undefined, join(parent, folder.name), tell);
    }),
  ]);
}

async function readEntry(entry: FileSystemFileEntry, handle: FileSystemHandle | undefined): Promise<File> {
  const slowly = () => new Promise<File>((done, fail) => entry.file(done, fail));
  return handle?.kind === 'file' ? (handle as FileSystemFileHandle).getFile().catch(slowly) : slowly();
}

const list = (reader: FileSystemDirectoryReader) =>
  new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail));

async function walkEntry(
  folder: FileSystemDirectoryEntry,
  handle: Folder | undefined,
  path: string,
  tell: Tell,
): Promise<void> {
  const reader = folder.createReader();
  const known = handlesIn(handle);
  const inside: Promise<void>[] = [];
  try {
    for (;;) {
      // It hands out a hundred or so at a time, and nothing when there are no more.
      const some = await turns.run(() => list(reader));
      if (some.length === 0) break;
      inside.push(walkEntries(some, await known, path, tell));
    }
    if (inside.length === 0) tell({ ...nothing(), folders: [path] });
  } catch (error) {
    tell({ ...nothing(), unreadable: [{ path, reason: reasonOf(error) }] });
  }
  await Promise.all(inside);
}

async function handlesIn(folder: Folder | undefined): Promise<Handles> {
  const found = new Map<string, FileSystemHandle>();
  try {
    if (folder) for await (const one of folder.values()) found.set(one.name, one);
  } catch {
    // What is not known in this way is known in the other.
  }
  return found;
}

/** So many files of a folder are told of together. */
const TOGETHER = 100;

async function walkHandles(handles: Iterable<FileSystemHandle>, parent: string, tell: Tell): Promise<void> {
  const files = [...handles].filter((one): one is FileSystemFileHandle => one.kind === 'file');
  const folders = [...handles].filter(isFolder);
  await Promise.all([
    readAll(files, parent, (file) => file.getFile(), tell),
    ...folders.map((folder) => walkHandle(folder, join(parent, folder.name), tell)),
  ]);
}

async function walkHandle(folder: Folder, path: string, tell: Tell): Promise<void> {
  const inside: Promise<void>[] = [];
  const some: FileSystemHandle[] = [];
  const walkSome = () => inside.push(walkHandles(some.splice(0), path, tell));
  try {
    for await (const one of folder.values()) if (some.push(one) >= TOGETHER) walkSome();
    if (some.length > 0) walkSome();
    if (inside.length === 0) tell({ ...nothing(), folders: [path] });
  } catch (error) {
    tell({ ...nothing(), unreadable: [{ path, reason: reasonOf(error) }] });
  }
  await Promise.all(inside);
}
