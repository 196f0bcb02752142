// What is under way, kept in the browser, so that it is known after a reload. One record for a batch as it began, and
// marks for what was found of it and what became of its items since. Where the browser keeps nothing, uploads run without.
import type { Place } from '../api/files';
import type { Clash } from '../api/types';
import { Batch, Item } from './batch';

const NAME = 'lanthorn-uploads';
const BATCHES = 'batches';
const MARKS = 'marks';
/** Says that there may be something, so that nobody has to open the database to know. */
const FLAG = 'lanthorn.uploads';

interface BatchRecord {
  id: string;
  place: Place;
  folder: string;
  target: string;
  made: string[];
  handles: FileSystemHandle[];
}

type ItemRecord = [path: string, size: number, modified: number, to?: string];

interface Mark {
  batch: string;
  /** What was found; the batch has it in this order. */
  found?: { items: ItemRecord[]; folders: string[] };
  /** True once all of it was. */
  whole?: boolean;
  /** Items by their place in the batch. */
  settled?: number[];
  left?: number[];
  begun?: [item: number, upload: string];
  clash?: Clash;
  undo?: string;
}

const asked = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });

let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(BATCHES, { keyPath: 'id' });
    request.result.createObjectStore(MARKS, { autoIncrement: true }).createIndex('batch', 'batch');
  };
  return (opened ??= asked(request));
}

/** The places that items have in what is kept of their batch. */
const places = new WeakMap<Item, number>();
const counts = new WeakMap<Batch, number>();

function number(batch: Batch, items: readonly Item[]): void {
  let count = counts.get(batch) ?? 0;
  for (const item of items) places.set(item, count++);
  counts.set(batch, count);
}

const numbers = (items: readonly Item[]) =>
  items.map((item) => places.get(item)).filter((at) => at !== undefined);

/** Without a place to keep it the upload itself goes on. */
async function quietly(work: () => Promise<unknown>): Promise<void> {
  await work().catch(() => undefined);
}

export const keepBatch = (batch: Batch) =>
  quietly(async () => {
    const { id, place, folder, target, made, handles } = batch;
    const record: BatchRecord = { id, place, folder, target, made: [...made], handles: [...handles] };
    const store = (await database()).transaction(BATCHES, 'readwrite').objectStore(BATCHES);
    await asked(store.put(record));
    localStorage.setItem(FLAG, '1');
  });

async function mark(change: Mark): Promise<void> {
  await quietly(async () =>
    asked((await database()).transaction(MARKS, 'readwrite').objectStore(MARKS).add(change)),
  );
}

/** Written before any of it leaves, so that whatever leaves is known afterwards. */
export const markFound = (batch: Batch, items: readonly Item[], folders: readonly string[]) => {
  number(batch, items);
  const records = items.map(({ path, size, modified, to }): ItemRecord => [path, size, modified, to]);
  return mark({ batch: batch.id, found: { items: records, folders: [...folders] } });
};

export const markWhole = (batch: Batch) => mark({ batch: batch.id, whole: true });

export const markUndo = (batch: Batch, undo: string) => mark({ batch: batch.id, undo });

export const markSettled = (batch: Batch, items: readonly Item[]) =>
  mark({ batch: batch.id, settled: numbers(items.filter(isSettled)) });

export const markLeft = (batch: Batch, items: readonly Item[]) =>
  mark({ batch: batch.id, left: numbers(items) });

export const markClash = (batch: Batch) => mark({ batch: batch.id, clash: batch.clash });

export function markBegun(batch: Batch, item: Item): Promise<void> {
  const [at] = numbers([item]);
  return at === undefined || !item.upload
    ? Promise.resolve()
    : mark({ batch: batch.id, begun: [at, item.upload] });
}

const isSettled = ({ state }: Item) => state === 'done' || state === 'skipped';

export const forgetBatch = (id: string) =>
  quietly(async () => {
    const work = (await database()).transaction([BATCHES, MARKS], 'readwrite');
    work.objectStore(BATCHES).delete(id);
    const marks = work.objectStore(MARKS);
    for (const key of await asked(marks.index('batch').getAllKeys(id))) marks.delete(key);
    if ((await asked(work.objectStore(BATCHES).count())) === 0) localStorage.removeItem(FLAG);
  });

/** What was under way when the page went away; without the files, which the browser has lost sight of. */
export async function keptBatches(): Promise<Batch[]> {
  try {
    const work = (await database()).transaction([BATCHES, MARKS]);
    const records = await asked<BatchRecord[]>(work.objectStore(BATCHES).getAll());
    const marks = await asked<Mark[]>(work.objectStore(MARKS).getAll());
    return records.map((record) =>
      revive(
        record,
        marks.filter(({ batch }) => batch === record.id),
      ),
    );
  } catch {
    return [];
  }
}

/** A batch as it was, from its record and what was marked since, oldest first. */
export function revive(record: BatchRecord, marks: readonly Mark[]): Batch {
  const batch = new Batch(record);
  batch.handles = record.handles;
  batch.growing = false;
  batch.cut = !marks.some(({ whole }) => whole);
  batch.clash = marks.findLast(({ clash }) => clash)?.clash ?? batch.clash;
  batch.tokens = marks.flatMap(({ undo }) => undo ?? []);
  const items = marks.flatMap(({ found }) => found?.items.map(missing) ?? []);
  const at = (numbers: number[]) => numbers.map((n) => items[n]).filter((item) => item !== undefined);
  for (const { settled = [], left = [], begun } of marks) {
    for (const item of at(left)) item.unsure = true;
    for (const item of at(settled)) item.state = 'done';
    const item = begun && items[begun[0]];
    if (item) item.upload = begun[1];
  }
  // Folders that were made already are made once more, which changes nothing.
  const folders = marks.flatMap(({ found }) => found?.folders ?? []);
  batch.grow(items, folders);
  number(batch, items);
  return batch;
}

function missing([path, size, modified, to]: ItemRecord): Item {
  const item = new Item(path, size, modified);
  item.state = 'missing';
  item.to = to;
  return item;
}

/** The uploads that are under way somewhere in this browser. */
export const keptUploads = async (): Promise<string[]> =>
  (await keptBatches()).flatMap(({ items }) => items.flatMap(({ upload }) => upload ?? []));

/** Takes a batch for this tab, for as long as the tab lives; false if another tab has it. */
export function claim(id: string): Promise<boolean> {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((answer) => {
    void navigator.locks.request(`lanthorn-upload-${id}`, { ifAvailable: true }, (lock) => {
      answer(lock !== null);
      // Held until the tab is gone.
      return lock ? new Promise<void>(() => undefined) : undefined;
    });
  });
}
