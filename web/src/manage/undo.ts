// What can be undone, last first: kept for the tab, so that a reload forgets nothing.
import type { Place } from '../api/files';

/** One request of an act: the machine undoes each by its own token. */
export interface Part {
  place: Place;
  token: string;
}

export interface Undoable {
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

/** The last act, or the one with this token; it is not there a second time. */
export function takeUndo(token?: string): Undoable | undefined {
  const list = read();
  const at =
    token === undefined
      ? list.length - 1
      : list.findIndex(({ parts }) => parts.some((part) => part.token === token));
  const [found] = at < 0 ? [] : list.splice(at, 1);
  if (found) write(list);
  return found;
}
