// What is under way, kept in the browser, so that it is known after a reload. One record for a batch as it began, and
// short marks for what became of its items since. Where the browser keeps nothing, uploads run without it.
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
  clash: Clash;
  folders: string[];
  items: [path: string, size: number, modified: number][];
  handles: FileSystemHandle[];
}

interface Mark {
  batch: string;
  /** Items by their place in the record. */
  settled?: number[];
  left?: number[];
  begun?: [item: number, upload: string];
  clash?: Clash;
  /** True once its folders are made. */
  folders?: boolean;
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

const places = new WeakMap<Batch, Map<Item, number>>();

function placesIn(batch: Batch): Map<Item, number> {
  const known = places.get(batch) ?? new Map(batch.items.map((item, at) => [item, at]));
  places.set(batch, known);
  return known;
}

const numbers = (batch: Batch, items: readonly Item[]) =>
  items.map((item) => placesIn(batch).get(item)).filter((at) => at !== undefined);

/** Without a place to keep it the upload itself goes on. */
async function quietly(work: () => Promise<unknown>): Promise<void> {
  await work().catch(() => undefined);
}

export const keepBatch = (batch: Batch) =>
  quietly(async () => {
    const { id, place, folder, target, clash, folders, items, handles } = batch;
    const record: BatchRecord = {
      id,
      place,
      folder,
      target,
      clash,
      folders: [...folders],
      items: items.map(({ path, size, modified }) => [path, size, modified]),
      handles: [...handles],
    };
    const store = (await database()).transaction(BATCHES, 'readwrite').objectStore(BATCHES);
    await asked(store.put(record));
    localStorage.setItem(FLAG, '1');
  });

async function mark(change: Mark): Promise<void> {
  await quietly(async () =>
    asked((await database()).transaction(MARKS, 'readwrite').objectStore(MARKS).add(change)),
  );
}

export const markSettled = (batch: Batch, items: readonly Item[]) =>
  mark({ batch: batch.id, settled: numbers(batch, items.filter(isSettled)) });

export const markLeft = (batch: Batch, items: readonly Item[]) =>
  mark({ batch: batch.id, left: numbers(batch, items) });

export const markFolders = (batch: Batch) => mark({ batch: batch.id, folders: true });

export const markClash = (batch: Batch) => mark({ batch: batch.id, clash: batch.clash });

export function markBegun(batch: Batch, item: Item): Promise<void> {
  const [at] = numbers(batch, [item]);
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
  const items = record.items.map(([path, size, modified]) => {
    const item = new Item(path, size, modified);
    item.state = 'missing';
    return item;
  });
  const at = (numbers: number[]) => numbers.map((n) => items[n]).filter((item) => item !== undefined);
  for (const { settled = [], left = [], begun } of marks) {
    for (const item of at(left)) item.unsure = true;
    for (const item of at(settled)) item.state = 'done';
    const item = begun && items[begun[0]];
    if (item) item.upload = begun[1];
  }
  const made = marks.some((mark) => mark.folders);
  const batch = new Batch({ ...record, folders: made ? [] : record.folders, items });
  batch.clash = marks.findLast(({ clash }) => clash)?.clash ?? record.clash;
  batch.handles = record.handles;
  return batch;
}

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
