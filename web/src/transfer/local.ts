// Files of this device, as they are offered: each file by itself, each folder with all that is in it.
import type { OfferedItem } from '../api/types';
import { escapePath } from '../lib/names';
import type { Found, GatheredFile, Source } from '../upload/gather';

/** What goes as one item. */
export interface LocalItem {
  offered: OfferedItem;
  /** Paths are in the folder; the one file of an item that is a file has none. */
  files: GatheredFile[];
  /** Folders in it in which nothing is. */
  folders: string[];
  /** True if something in it could not be read: the rest is sent. */
  partial: boolean;
}

/** The most items of one transfer, and the most names of what is in them that are told beforehand. */
export const MOST_ITEMS = 200;
const MOST_NAMES = 200;

/** Walks through all of it. */
export async function gatherItems(source: Source): Promise<LocalItem[]> {
  const files: LocalItem[] = [];
  const folders = new Map<string, LocalItem>();
  const inFolder = (name: string) => {
    const item = folders.get(name) ?? draft(name, 'folder');
    folders.set(name, item);
    return item;
  };
  for (const name of source.folders) inFolder(escapePath(name));
  await source.walk((found) => take(found, files, inFolder));
  return withPreviews([...files, ...folders.values()].map(counted));
}

const draft = (filename: string, kind: 'file' | 'folder'): LocalItem => ({
  offered: { filename, kind, size: 0 },
  files: [],
  folders: [],
  partial: false,
});

function take(found: Found, alone: LocalItem[], inFolder: (name: string) => LocalItem): void {
  for (const { path, file } of found.files) {
    const [name, inside] = split(path);
    if (inside === undefined) alone.push({ ...draft(name, 'file'), files: [{ path: '', file }] });
    else inFolder(name).files.push({ path: inside, file });
  }
  for (const path of found.folders) {
    const [name, inside] = split(path);
    const folder = inFolder(name);
    if (inside !== undefined) folder.folders.push(inside);
  }
  for (const { path } of found.unreadable) {
    const [name, inside] = split(path);
    if (inside !== undefined) inFolder(name).partial = true;
  }
}

/** The item that something belongs to, and where in it; names as the API writes them. */
function split(path: string): [name: string, inside: string | undefined] {
  const [name = '', ...inside] = escapePath(path).split('/');
  return [name, inside.length > 0 ? inside.join('/') : undefined];
}

function counted(item: LocalItem): LocalItem {
  const size = item.files.reduce((sum, { file }) => sum + file.size, 0);
  return { ...item, offered: { ...item.offered, size, files: item.files.length } };
}

/** Some of what is in the folders, shared out fairly. */
function withPreviews(items: LocalItem[]): LocalItem[] {
  const folders = items.filter(({ offered }) => offered.kind === 'folder').length;
  const each = folders > 0 ? Math.floor(MOST_NAMES / folders) : 0;
  return items.map((item) => {
    if (item.offered.kind !== 'folder') return item;
    const preview = [...item.folders, ...item.files.map(({ path }) => path)].slice(0, each);
    return { ...item, offered: { ...item.offered, preview } };
  });
}
