// What was dropped, pasted or picked, as a list of files and folders: walks through folders, empty ones too.
import type { Dropped } from './capture';

export interface GatheredFile {
  /** From the folder it goes into, with the names that the visitor's disk has. */
  path: string;
  file: File;
}

export interface Gathered {
  files: GatheredFile[];
  folders: string[];
  /** What could not be read, and why. */
  unreadable: { path: string; reason: string }[];
  /** By these the browser finds the files again after a reload; empty where it cannot. */
  handles: FileSystemHandle[];
}

const nothing = (): Gathered => ({ files: [], folders: [], unreadable: [], handles: [] });

export async function gatherDropped(dropped: Dropped): Promise<Gathered> {
  const found = nothing();
  for (const { entry, file } of dropped) {
    if (entry) await walkEntry(entry, '', found);
    else if (file) found.files.push({ path: file.name, file });
  }
  const handles = await Promise.all(dropped.map(({ handle }) => handle));
  if (handles.every((handle) => handle !== null)) found.handles = handles;
  return found;
}

/** Files of a picker; one for folders tells where in them they are. */
export function gatherPicked(files: Iterable<File>): Gathered {
  const found = nothing();
  found.files = [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  found.folders = [...new Set(found.files.flatMap(({ path }) => foldersOf(path)))];
  return found;
}

/** The folders that a path goes through: `a/b/c` → `a`, `a/b`. */
export function foldersOf(path: string): string[] {
  const names = path.split('/');
  return names.slice(0, -1).map((_, i) => names.slice(0, i + 1).join('/'));
}

export async function gatherHandles(handles: FileSystemHandle[]): Promise<Gathered> {
  const found = nothing();
  for (const handle of handles) await walkHandle(handle, '', found);
  found.handles = handles;
  return found;
}

const join = (path: string, name: string) => (path ? `${path}/${name}` : name);

const reasonOf = (error: unknown) => (error instanceof Error ? error.message || error.name : String(error));

async function walkEntry(entry: FileSystemEntry, parent: string, found: Gathered): Promise<void> {
  const path = join(parent, entry.name);
  try {
    if (entry.isFile) {
      const file = await new Promise<File>((done, fail) => (entry as FileSystemFileEntry).file(done, fail));
      found.files.push({ path, file });
    } else {
      found.folders.push(path);
      const reader = (entry as FileSystemDirectoryEntry).createReader();
      for (;;) {
        // It hands out a hundred or so at a time, and nothing when there are no more.
        const some = await new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail));
        if (some.length === 0) break;
        await Promise.all(some.map((one) => walkEntry(one, path, found)));
      }
    }
  } catch (error) {
    found.unreadable.push({ path, reason: reasonOf(error) });
  }
}

/** As the browsers have it, and TypeScript's own description does not yet. */
type Folder = FileSystemDirectoryHandle & { values(): AsyncIterable<FileSystemHandle> };

async function walkHandle(handle: FileSystemHandle, parent: string, found: Gathered): Promise<void> {
  const path = join(parent, handle.name);
  try {
    if (handle.kind === 'file') {
      found.files.push({ path, file: await (handle as FileSystemFileHandle).getFile() });
      return;
    }
    found.folders.push(path);
    const inside: Promise<void>[] = [];
    for await (const one of (handle as Folder).values()) inside.push(walkHandle(one, path, found));
    await Promise.all(inside);
  } catch (error) {
    found.unreadable.push({ path, reason: reasonOf(error) });
  }
}
