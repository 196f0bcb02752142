// What has to be asked of which share, so that chosen entries come where they shall be. Pure.
import type { Place } from '../api/files';
import type { Step } from '../api/types';
import { joinPath, lastName, parentPath, type FolderPlace } from '../routes';
import type { Chosen } from '../state/entries';

/** The most that one act takes. */
export const MOST_ITEMS = 10_000;

export const samePlace = (a: Place, b: Place) => a.share === b.share && a.device === b.device;

export interface Group {
  place: Place;
  chosen: Chosen[];
}

/** The same entries by the share they are in, in pieces that one act takes. */
export function groupsOf(chosen: readonly Chosen[]): Group[] {
  const groups = new Map<string, Group>();
  for (const one of chosen) {
    const key = `${one.place.device}/${one.place.share}`;
    const group = groups.get(key) ?? { place: one.place, chosen: [] };
    group.chosen.push(one);
    groups.set(key, group);
  }
  return [...groups.values()].flatMap(inPieces);
}

/** The same, by the folder they are in as well. */
export function byFolder({ place, chosen }: Group): Group[] {
  const folders = new Map<string, Chosen[]>();
  for (const one of chosen) {
    const parent = parentPath(one.entry.path);
    folders.set(parent, [...(folders.get(parent) ?? []), one]);
  }
  return [...folders.values()].map((some) => ({ place, chosen: some }));
}

function inPieces({ place, chosen }: Group): Group[] {
  const count = Math.ceil(chosen.length / MOST_ITEMS);
  return Array.from({ length: count }, (_, at) => ({
    place,
    chosen: chosen.slice(at * MOST_ITEMS, (at + 1) * MOST_ITEMS),
  }));
}

/** Each into this folder, under its own name. */
export const stepsInto = (chosen: readonly Chosen[], folder: string): Step[] =>
  chosen.map(({ entry }) => ({ from: entry.path, to: joinPath(folder, lastName(entry.path)) }));

/** True if an entry cannot go there: it is there already, or the folder is the entry or in it. */
export function isIdle({ place, entry }: Chosen, folder: FolderPlace): boolean {
  if (!samePlace(place, folder)) return false;
  return parentPath(entry.path) === folder.path || isWithin(folder.path, entry.path);
}

/** True if a path is another or below it. */
export const isWithin = (path: string, of: string) => path === of || path.startsWith(`${of}/`);
