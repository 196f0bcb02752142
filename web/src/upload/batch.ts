// What goes into one folder at one time: its items, where each of them stands, and how much of it there is. It grows while
// its files are being found. Counts are kept as states change, since there may be a hundred thousand. Knows no request.
import type { ApiFailure } from '../api/client';
import type { Place } from '../api/files';
import type { Clash } from '../api/types';
import { escapePath } from '../lib/names';
import { joinPath } from '../routes';

export type State =
  /** Its turn will come. */
  | 'waiting'
  /** On its way. */
  | 'going'
  /** Its name is taken: somebody has to choose. */
  | 'asking'
  /** In its place. */
  | 'done'
  | 'skipped'
  | 'failed'
  /** The browser has lost sight of the file: it must be dropped or picked again. */
  | 'missing';

/** What has no part in how far the batch is. */
const OUT: ReadonlySet<State> = new Set<State>(['skipped', 'failed']);

/** Files up to this size travel together. */
export const SMALL = 1024 * 1024;

export class Item {
  /** From the batch's folder, with the names of the visitor's disk. */
  readonly path: string;
  readonly size: number;
  readonly modified: number;
  file: File | undefined;
  /** Where it goes, where that is known otherwise than from the batch's folder. */
  to: string | undefined;
  state: State = 'waiting';
  sent = 0;
  /** The upload at the machine, once it has begun. */
  upload: string | null = null;
  /** Its key: kept in memory alone. */
  key: string | null = null;
  /** What was chosen for this one. */
  clash: Clash | undefined;
  /** What the machine was last told to do about a taken name. */
  tried: Clash = 'ask';
  /** True if it may have come though no answer did. */
  unsure = false;
  failure: ApiFailure | undefined;

  constructor(path: string, size: number, modified: number, file?: File) {
    this.path = path;
    this.size = size;
    this.modified = modified;
    this.file = file;
  }

  get isSmall(): boolean {
    return this.size <= SMALL && this.upload === null;
  }
}

export interface BatchStart {
  id: string;
  place: Place;
  /** The folder that takes it in, in the text form of the API. */
  folder: string;
  /** What that folder is called. */
  target: string;
  /** Folders at the top of it that were not there when it began. */
  made: string[];
}

export class Batch {
  readonly id: string;
  readonly place: Place;
  readonly folder: string;
  readonly target: string;
  readonly made: readonly string[];
  readonly items: Item[] = [];
  /** Folders with nothing in them, still to be made. */
  folders: string[] = [];
  /** True while more may be found. */
  growing = true;
  /** True if a reload came before all of it was found. */
  cut = false;
  /** What was chosen for all of it. */
  clash: Clash = 'ask';
  /** By these the browser finds the files again after a reload. */
  handles: FileSystemHandle[] = [];
  /** By these the machine undoes what has come, except for what is in the folders that it made. */
  tokens: string[] = [];
  /** Bytes that count, and of them those that have come. */
  bytes = 0;
  sent = 0;
  /** Where something has come, by the names at the top. */
  #came = new Set<string>();
  #taken = new Set<string>();
  #counts = new Map<State, number>();
  #small = new Line();
  #large = new Line();

  constructor({ id, place, folder, target, made }: BatchStart) {
    this.id = id;
    this.place = place;
    this.folder = folder;
    this.target = target;
    this.made = made;
  }

  /** More of it was found. */
  grow(items: readonly Item[], folders: readonly string[] = []): void {
    for (const item of items) {
      this.items.push(item);
      this.#enter(item);
    }
    this.folders.push(...folders);
  }

  count(state: State): number {
    return this.#counts.get(state) ?? 0;
  }

  /** True while something can still go on by itself. */
  get open(): boolean {
    return this.growing || this.folders.length > 0 || this.count('waiting') + this.count('going') > 0;
  }

  /** True when nothing is left of it, good or bad. */
  get over(): boolean {
    return (
      !this.open && !this.cut && this.count('asking') + this.count('failed') + this.count('missing') === 0
    );
  }

  /** True if it goes into a folder that this batch made. */
  isInside(path: string): boolean {
    return this.made.includes(topOf(path));
  }

  /** Something has come to this place. */
  came(path: string): void {
    this.#came.add(topOf(path));
  }

  /** How what has come since the last time is taken away again: by the machine's tokens, and folders as a whole. */
  takeUndo(): { tokens: string[]; folders: string[] } {
    const folders = this.made.filter((name) => this.#came.has(name) && !this.#taken.has(name));
    for (const name of folders) this.#taken.add(name);
    return { tokens: this.tokens.splice(0), folders: folders.map((path) => this.pathOf({ path })) };
  }

  /** Items in this state, the first ones. */
  some(state: State, most: number): Item[] {
    if (this.count(state) === 0) return [];
    const found: Item[] = [];
    for (const item of this.items) {
      if (item.state === state && found.push(item) >= most) break;
    }
    return found;
  }

  /** Where an item goes, in the text form of the API. */
  pathOf({ path, to }: Pick<Item, 'path'> & Partial<Item>): string {
    return to ?? joinPath(this.folder, escapePath(path));
  }

  clashOf(item: Item): Clash {
    return item.clash ?? this.clash;
  }

  move(item: Item, state: State): void {
    this.#leave(item);
    item.state = state;
    this.#enter(item);
  }

  setSent(item: Item, sent: number): void {
    if (!OUT.has(item.state)) this.sent += sent - item.sent;
    item.sent = sent;
  }

  /** The next file that goes alone. */
  takeLarge(): Item | undefined {
    return this.#large.take();
  }

  /** The next small files that may travel together: those for which the same was chosen. */
  takeSmall(mostFiles: number, mostBytes: number): Item[] {
    const taken: Item[] = [];
    let bytes = 0;
    for (let item = this.#small.peek(); item && taken.length < mostFiles; item = this.#small.peek()) {
      const [first = item] = taken;
      if (this.clashOf(item) !== this.clashOf(first)) break;
      if (taken.length > 0 && bytes + item.size > mostBytes) break;
      taken.push(item);
      bytes += item.size;
      this.#small.take();
    }
    return taken;
  }

  takeFolders(): string[] {
    return this.folders.splice(0);
  }

  #leave(item: Item): void {
    this.#counts.set(item.state, this.count(item.state) - 1);
    if (OUT.has(item.state)) return;
    this.bytes -= item.size;
    this.sent -= item.sent;
  }

  #enter(item: Item): void {
    this.#counts.set(item.state, this.count(item.state) + 1);
    if (item.state === 'done') {
      item.sent = item.size;
      this.came(item.path);
    }
    if (!OUT.has(item.state)) {
      this.bytes += item.size;
      this.sent += item.sent;
    }
    if (item.state === 'waiting') (item.isSmall ? this.#small : this.#large).add(item);
  }
}

const topOf = (path: string) => path.split('/', 1)[0] ?? '';

/** Items in the order they came; those that do not wait any more are passed over. */
class Line {
  #items: Item[] = [];
  #first = 0;

  add(item: Item): void {
    this.#items.push(item);
  }

  peek(): Item | undefined {
    while (this.#first < this.#items.length) {
      const item = this.#items[this.#first];
      if (item?.state === 'waiting') return item;
      this.#first += 1;
    }
    this.#items = [];
    this.#first = 0;
    return undefined;
  }

  take(): Item | undefined {
    const item = this.peek();
    if (item) this.#first += 1;
    return item;
  }
}
