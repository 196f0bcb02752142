// Where somebody stopped in a film or piece of music, kept in this browser by file and version of its content.
// Knows nothing of players. A browser that keeps nothing (private window, full disk) forgets, and that is all.

const KEY = 'lanthorn.positions';
/** Older places are forgotten first. */
const MAX_KEPT = 200;
/** Nobody needs to be put back to the first seconds, nor to the last ones. */
const MARGIN_SECONDS = 5;

/** A place is kept whenever it has moved this far. */
const KEEP_EVERY_SECONDS = 5;

type Kept = [file: string, seconds: number][];

/** A name for one state of one file. */
export function fileKey(device: string, share: string, path: string, version: string): string {
  return JSON.stringify([device, share, path, version]);
}

/** Where to go on, in seconds; 0 for a file not seen or seen to its end. */
export function recallPosition(file: string, store: Storage): number {
  return read(store).find(([kept]) => kept === file)?.[1] ?? 0;
}

/** Keeps a place, or forgets it when it is at the beginning or the end. `duration` may be NaN or infinite. */
export function keepPosition(file: string, seconds: number, duration: number, store: Storage): void {
  const others = read(store).filter(([kept]) => kept !== file);
  const worth = seconds > MARGIN_SECONDS && !(duration - seconds < MARGIN_SECONDS);
  const kept: Kept = worth ? [[file, Math.floor(seconds)], ...others] : others;
  try {
    store.setItem(KEY, JSON.stringify(kept.slice(0, MAX_KEPT)));
  } catch {
    // The store is full or closed: forgetting is harmless.
  }
}

/** The place somebody has reached in one file, kept while it moves on. */
export class Bookmark {
  readonly #file: string;
  readonly #store: Storage;
  #kept = 0;

  constructor(file: string, store: Storage) {
    this.#file = file;
    this.#store = store;
  }

  recall(): number {
    return recallPosition(this.#file, this.#store);
  }

  keep(seconds: number, duration: number): void {
    this.#kept = seconds;
    keepPosition(this.#file, seconds, duration, this.#store);
  }

  moved(seconds: number, duration: number): void {
    if (Math.abs(seconds - this.#kept) >= KEEP_EVERY_SECONDS) this.keep(seconds, duration);
  }
}

function read(store: Storage): Kept {
  try {
    const kept: unknown = JSON.parse(store.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isPlace) : [];
  } catch {
    return [];
  }
}

function isPlace(place: unknown): place is [string, number] {
  return Array.isArray(place) && typeof place[0] === 'string' && Number.isFinite(place[1]);
}
