// What can be undone, last first: kept for the tab, so that a reload forgets nothing.
import type { Place } from '../api/files';

/** One request that takes an act back: by the machine's token, or by putting what came into the trash. */
export type Part = { place: Place } & ({ token: string } | { trash: string[] });

export interface Undoable {
  id: string;
  /** In the order they were done. */
  parts: Part[];
  /** What it was, in words. */
  what: string;
}

const KEY = 'lanthorn.undo';
const MOST = 50;

function read(): Undoable[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? '[]') as Undoable[];
  } catch {
    return [];
  }
}

const write = (list: Undoable[]) => sessionStorage.setItem(KEY, JSON.stringify(list.slice(-MOST)));

export const pushUndo = (act: Undoable) => write([...read(), act]);

/** The last act, or the one of this id; it is not there a second time. */
export function takeUndo(id?: string): Undoable | undefined {
  const list = read();
  const at = id === undefined ? list.length - 1 : list.findIndex((act) => act.id === id);
  const [found] = at < 0 ? [] : list.splice(at, 1);
  if (found) write(list);
  return found;
}
