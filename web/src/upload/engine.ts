// Moves batches to the machines: what goes next and how many at once, what becomes of each item, waiting when there is
// no way, pausing, going on. Knows requests by `World.send` alone, and nothing of the screen.
import { ApiFailure, isAbort, UNREACHABLE } from '../api/client';
import { unpackUrl, uploadsUrl, uploadUrl } from '../api/acts';
import type { Place } from '../api/files';
import type { ActItem, Clash, Entry } from '../api/types';
import { escapePath } from '../lib/names';
import { Item, type Batch } from './batch';
import { FIRST, nextChunk, smallerChunk } from './chunk';
import { tarOf, type TarItem } from './tar';
import * as tus from './tus';
import { readUnpacked } from './unpacked';
import type { Send, Sent } from './xhr';

/** Files, or packs of small ones, that go at once. */
export const LANES = 4;
/** Of them packs: while one is put into its place the next ones are on their way. */
const PACK_LANES = 3;
const PACK_FILES = 2_000;
const PACK_BYTES = 32 * 1024 * 1024;
/** Questions at once about files that may have come. */
const STATS = 8;
/** Steps without a byte moved before it is left alone for a while. */
const MOST_IDLE = 6;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;

export type Hold = 'network' | 'busy' | 'signed-out';

export interface World {
  send: Send;
  /** What is at a path; null if nothing is. */
  stat: (place: Place, path: string, signal: AbortSignal) => Promise<Entry | null>;
  now: () => number;
  /** Something came to its place, or stopped on the way. */
  settled: (batch: Batch, items: readonly Item[]) => void;
  /** These leave now: whether they came is known when `settled` says so. */
  leaving: (batch: Batch, items: readonly Item[]) => void;
  /** An upload has begun at the machine. */
  begun: (batch: Batch, item: Item) => void;
  /** Something can be undone by this. */
  undoable: (batch: Batch, token: string) => void;
  /** Something is not as it was: to be shown. */
  changed: () => void;
  signedOut: (failure: ApiFailure) => void;
}

interface Task {
  batch: Batch;
  kind: 'pack' | 'file';
  items: Item[];
  /** Empty folders that a pack makes as well. */
  folders: string[];
  /** Bytes of a pack on their way. */
  flying: number;
  stop: AbortController;
}

export class Engine {
  readonly batches: Batch[] = [];
  paused = false;
  /** Why nothing is sent at the moment, though something waits. */
  hold: Hold | null = null;

  #world: World;
  #tasks = new Set<Task>();
  #chunk = FIRST;
  #waits = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** Bytes of packs that are on their way, in all or of one batch. */
  flying(batch?: Batch): number {
    let bytes = 0;
    for (const task of this.#tasks) if (!batch || task.batch === batch) bytes += task.flying;
    return bytes;
  }

  /** What is on its way: one file, or a pack of small ones. */
  get going(): { batch: Batch; items: readonly Item[]; flying: number }[] {
    return [...this.#tasks].filter(({ items }) => items.length > 0);
  }

  /** True while requests are under way. */
  get busy(): boolean {
    return this.#tasks.size > 0;
  }

  add(batch: Batch): void {
    this.batches.push(batch);
    this.pump();
  }

  pause(): void {
    this.paused = true;
    this.#release();
    for (const task of this.#tasks) task.stop.abort();
    this.#world.changed();
  }

  resume(): void {
    this.paused = false;
    this.#release();
    this.pump();
  }

  /** There may be a way again. */
  nudge(): void {
    if (this.hold === null) return;
    this.#release();
    this.pump();
  }

  /** All that failed is tried again. */
  retry(): void {
    for (const batch of this.batches)
      for (const item of batch.some('failed', Infinity)) if (item.file) this.#again(batch, item);
    this.resume();
  }

  /** Says what happens to something whose name is taken, or to all for which that will be asked. */
  choose(batch: Batch, item: Item, clash: Exclude<Clash, 'ask'>, forAll: boolean): void {
    if (forAll) batch.clash = clash;
    for (const one of forAll ? batch.some('asking', Infinity) : [item]) {
      one.clash = clash;
      if (clash === 'skip') this.#drop(batch, one, 'skipped');
      else batch.move(one, 'waiting');
    }
    this.pump();
  }

  /** Gives one item up. */
  skip(batch: Batch, item: Item): void {
    for (const task of this.#tasks) if (task.kind === 'file' && task.items[0] === item) task.stop.abort();
    this.#drop(batch, item, 'skipped');
    this.pump();
  }

  /** Gives up what is left of a batch. What has come stays. */
  cancel(batch: Batch): void {
    const at = this.batches.indexOf(batch);
    if (at >= 0) this.batches.splice(at, 1);
    for (const task of this.#tasks) if (task.batch === batch) task.stop.abort();
    for (const item of batch.items) if (item.state !== 'done') this.#forget(batch, item);
    this.pump();
  }

  /** Begins what there is room for. */
  pump(): void {
    while (!this.paused && this.hold === null && this.#tasks.size < LANES) {
      const task = this.#next();
      if (!task) break;
      this.#tasks.add(task);
      void this.#run(task).finally(() => {
        this.#tasks.delete(task);
        this.pump();
      });
    }
    this.#world.changed();
  }

  #next(): Task | undefined {
    for (const batch of this.batches) {
      const packs = [...this.#tasks].filter(({ kind }) => kind === 'pack').length;
      const small = packs < PACK_LANES ? batch.takeSmall(PACK_FILES, PACK_BYTES) : [];
      const folders = packs < PACK_LANES ? batch.takeFolders() : [];
      if (small.length + folders.length > 0) return newTask(batch, 'pack', small, folders);
      const large = batch.takeLarge();
      if (large) return newTask(batch, 'file', [large]);
    }
    return undefined;
  }

  async #run(task: Task): Promise<void> {
    const { batch, items } = task;
    for (const item of items) batch.move(item, 'going');
    try {
      if (task.kind === 'pack') await this.#pack(task);
      else await this.#file(task);
    } catch (error) {
      await this.#broke(task, error);
    } finally {
      task.flying = 0;
      // Whatever was not settled has its turn again.
      for (const item of items) if (item.state === 'going') batch.move(item, 'waiting');
      batch.folders.push(...task.folders);
    }
  }

  async #pack(task: Task): Promise<void> {
    const { batch } = task;
    await this.#settleUnsure(task);
    const items = task.items.filter(({ state }) => state === 'going');
    if (items.length + task.folders.length === 0) return;
    const contents = items.map(({ path, file, modified }) => ({ path, file, modified }));
    const folders = task.folders.map((path) => ({ path }));
    // From here on nobody can tell from outside whether they have come.
    for (const item of items) {
      item.unsure = true;
      item.tried = batch.clashOf(item);
    }
    this.#world.leaving(batch, items);
    const clash = items[0] ? batch.clashOf(items[0]) : 'skip';
    const { items: named, whole, undo, error } = await this.#unpack(task, [...folders, ...contents], clash);
    const saidOf = (path: string) => named.get(batch.pathOf({ path })) ?? named.get(escapePath(path));
    const settled: Item[] = [];
    for (const item of items) {
      const said = saidOf(item.path);
      if (!said && !whole) continue;
      item.unsure = false;
      settled.push(item);
      if (said?.error) this.#refuse(batch, item, failureOf(said.error));
      else batch.move(item, said?.outcome === 'skipped' ? 'skipped' : 'done');
    }
    task.flying = 0;
    if (undo) this.#undoable(batch, items, undo);
    if (whole) this.#made(task, saidOf);
    this.#world.settled(batch, settled);
    if (!whole) throw brokenOff(error);
    this.#moved();
  }

  /** What takes the place of an empty folder stands in its way like in a file's. */
  #made(task: Task, saidOf: (path: string) => ActItem | undefined): void {
    for (const path of task.folders.splice(0)) {
      const error = saidOf(path)?.error;
      if (error) task.batch.grow([failedItem(path, failureOf(error))]);
      else task.batch.came(path);
    }
  }

  /** Notes how it is undone, unless it goes with a folder that was made for it. */
  #undoable(batch: Batch, items: readonly Item[], token: string): void {
    if (items.length > 0 && items.every(({ path }) => batch.isInside(path))) return;
    batch.tokens.push(token);
    this.#world.undoable(batch, token);
  }

  async #unpack(task: Task, contents: TarItem[], clash: Clash): Promise<ReturnType<typeof readUnpacked>> {
    const { batch, stop } = task;
    const body = tarOf(contents);
    const bytes = contents.reduce((sum, { file }) => sum + (file?.size ?? 0), 0);
    const answer = await this.#world.send({
      method: 'POST',
      url: unpackUrl(batch.place, batch.folder, clash),
      headers: { 'Content-Type': 'application/x-tar', Accept: 'application/x-ndjson' },
      body,
      signal: stop.signal,
      onsent: (sent) => {
        task.flying = Math.round((sent / body.size) * bytes);
        this.#moved();
      },
    });
    if (answer.status >= 400) throw tus.failureOf(answer);
    return readUnpacked(answer.text);
  }

  /** Items that were on their way when the line broke may be there already. */
  async #settleUnsure(task: Task): Promise<void> {
    const { batch, stop } = task;
    const unsure = task.items.filter((item) => item.unsure);
    const workers = Array.from({ length: STATS }, async () => {
      for (let item = unsure.pop(); item; item = unsure.pop()) {
        const there = await this.#world.stat(batch.place, batch.pathOf(item), stop.signal);
        item.unsure = false;
        if (!there || !isSame(there, item)) continue;
        batch.move(item, 'done');
        this.#world.settled(batch, [item]);
      }
    });
    await Promise.all(workers);
  }

  async #file(task: Task): Promise<void> {
    const { batch } = task;
    const item = task.items[0] as Item;
    item.tried = batch.clashOf(item);
    let step: tus.Step = item.upload ? { do: 'look' } : { do: 'begin' };
    for (let idle = 0; idle < MOST_IDLE;) {
      const before = item.sent;
      step = await this.#step(task, item, step);
      idle = item.sent > before ? 0 : idle + 1;
      if (step.do === 'done') {
        item.upload = null;
        if (step.undo) this.#undoable(batch, [item], step.undo);
        batch.move(item, step.outcome === 'skipped' ? 'skipped' : 'done');
        this.#world.settled(batch, [item]);
        return this.#moved();
      }
      if (step.do === 'ask' || step.do === 'fail') return this.#refuse(batch, item, step.failure);
      if (step.do === 'wait') throw step.failure;
    }
    throw new ApiFailure({ code: 'BUSY', message: '', hint: '', request_id: '' }, 503);
  }

  async #step(task: Task, item: Item, step: tus.Step): Promise<tus.Step> {
    const { batch, stop } = task;
    const { signal } = stop;
    if (step.do === 'send') return this.#piece(task, item, step.offset);
    if (step.do === 'look' && item.upload) {
      const url = uploadUrl(batch.place, item.upload);
      return tus.afterLook(
        await this.#world.send({ method: 'HEAD', url, headers: tus.plain(item.key), signal }),
      );
    }
    item.upload = null;
    batch.setSent(item, 0);
    return (await this.#lookFirst(task, item)) ?? this.#begin(task, item);
  }

  /** Before much is sent: is the name taken, and has the file come already? */
  async #lookFirst(task: Task, item: Item): Promise<tus.Step | undefined> {
    const { batch, stop } = task;
    if (!item.unsure && batch.clashOf(item) !== 'ask') return undefined;
    const path = batch.pathOf(item);
    const there = await this.#world.stat(batch.place, path, stop.signal);
    if (there && item.unsure && isSame(there, item)) return { do: 'done', outcome: 'done', path };
    item.unsure = false;
    if (!there || batch.clashOf(item) !== 'ask') return undefined;
    const taken = { code: 'EXISTS', message: '', hint: '', request_id: '' } as const;
    return { do: 'ask', failure: new ApiFailure(taken, 409) };
  }

  async #begin(task: Task, item: Item): Promise<tus.Step> {
    const { batch, stop } = task;
    const file = fileOf(item);
    const whole = item.size <= this.#chunk;
    const { size, modified } = item;
    const target = { path: batch.pathOf(item), size, modified, clash: batch.clashOf(item) };
    if (whole) {
      item.unsure = true;
      this.#world.leaving(batch, [item]);
    }
    const answer = await this.#timed(whole ? size : 0, {
      method: 'POST',
      url: uploadsUrl(batch.place),
      headers: tus.beginning(target, whole),
      body: whole ? file : undefined,
      signal: stop.signal,
      onsent: (bytes) => whole && this.#shown(batch, item, bytes),
    });
    item.unsure = false;
    item.upload = tus.idFrom(answer.header('Location'));
    item.key = answer.header(tus.KEY);
    if (item.upload) this.#world.begun(batch, item);
    return this.#reached(batch, item, tus.afterBegin(answer, size));
  }

  async #piece(task: Task, item: Item, offset: number): Promise<tus.Step> {
    const { batch, stop } = task;
    batch.setSent(item, offset);
    const end = Math.min(item.size, offset + this.#chunk);
    const clash = offset === item.size && batch.clashOf(item) !== 'ask' ? batch.clashOf(item) : undefined;
    if (end === item.size) item.unsure = true;
    const answer = await this.#timed(end - offset, {
      method: 'PATCH',
      url: uploadUrl(batch.place, item.upload ?? ''),
      headers: tus.piece(offset, item.key, clash),
      body: end > offset ? fileOf(item).slice(offset, end) : undefined,
      signal: stop.signal,
      onsent: (bytes) => this.#shown(batch, item, offset + bytes),
    });
    item.unsure = false;
    return this.#reached(batch, item, tus.afterPiece(answer, item.size));
  }

  /** Sends, and learns from it how much to send at a time. */
  async #timed(bytes: number, sending: Parameters<Send>[0]): Promise<Sent> {
    const begun = this.#world.now();
    try {
      const answer = await this.#world.send(sending);
      if (bytes > 0) this.#chunk = nextChunk(this.#chunk, bytes, this.#world.now() - begun);
      return answer;
    } catch (error) {
      if (error instanceof ApiFailure) this.#chunk = smallerChunk(this.#chunk);
      throw error;
    }
  }

  #reached(batch: Batch, item: Item, step: tus.Step): tus.Step {
    if (step.do === 'send') {
      batch.setSent(item, step.offset);
      this.#moved();
    }
    return step;
  }

  #shown(batch: Batch, item: Item, sent: number): void {
    batch.setSent(item, Math.min(item.size, sent));
    this.#moved();
  }

  /** Bytes have moved: there is a way. */
  #moved(): void {
    this.#waits = 0;
    this.#world.changed();
  }

  #refuse(batch: Batch, item: Item, failure: ApiFailure): void {
    item.failure = failure;
    const asks = failure.code === 'EXISTS' && item.tried === 'ask';
    // The choice for all may have come while this one was on its way.
    const chosen = asks && batch.clashOf(item) !== 'ask';
    batch.move(item, chosen ? 'waiting' : asks ? 'asking' : 'failed');
    this.#world.settled(batch, [item]);
  }

  async #broke(task: Task, error: unknown): Promise<void> {
    if (isAbort(error)) return;
    if (!(error instanceof ApiFailure)) return this.#fail(task, ApiFailure.local('FILE_GONE'));
    if (error.status === 401) {
      this.#wait('signed-out', undefined);
      return this.#world.signedOut(error);
    }
    if (error.code === UNREACHABLE) {
      // A file that changed or went away on this side breaks a request in the same way as the line does.
      const lost = await lostFiles(task.items);
      for (const item of lost) this.#refuse(task.batch, item, ApiFailure.local('FILE_GONE'));
      return lost.length > 0 ? undefined : this.#wait('network', undefined);
    }
    if (tus.isPassing(error)) return this.#wait('busy', error.retryAfter);
    this.#fail(task, error);
  }

  #fail(task: Task, failure: ApiFailure): void {
    const { batch } = task;
    for (const item of task.items) if (item.state === 'going') this.#refuse(batch, item, failure);
    const failed = task.folders.splice(0).map((path) => failedItem(path, failure));
    if (failed.length === 0) return;
    batch.grow(failed);
    this.#world.settled(batch, []);
  }

  #wait(hold: Hold, seconds: number | undefined): void {
    if (this.paused) return;
    this.hold = hold;
    const ms = seconds ? seconds * 1_000 : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#waits);
    this.#waits += 1;
    clearTimeout(this.#timer);
    // Nothing goes on by itself for whom nobody knows.
    if (hold !== 'signed-out') this.#timer = setTimeout(() => this.nudge(), ms);
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.hold = null;
  }

  #again(batch: Batch, item: Item): void {
    item.failure = undefined;
    batch.move(item, 'waiting');
  }

  #drop(batch: Batch, item: Item, state: 'skipped'): void {
    this.#forget(batch, item);
    batch.move(item, state);
    this.#world.settled(batch, [item]);
  }

  /** Lets the machine throw away what has come of an item. */
  #forget({ place }: Batch, item: Item): void {
    if (!item.upload) return;
    const url = uploadUrl(place, item.upload);
    item.upload = null;
    const { signal } = new AbortController();
    // Where it cannot be told now, the machine forgets by itself after a day.
    this.#world.send({ method: 'DELETE', url, headers: tus.plain(item.key), signal }).catch(() => undefined);
  }
}

const newTask = (batch: Batch, kind: Task['kind'], items: Item[], folders: string[] = []): Task => ({
  batch,
  kind,
  items,
  folders,
  flying: 0,
  stop: new AbortController(),
});

/** Stands for something that never had a turn. */
export function failedItem(path: string, failure: ApiFailure): Item {
  const item = new Item(path, 0, 0);
  item.state = 'failed';
  item.failure = failure;
  return item;
}

function fileOf(item: Item): File {
  if (!item.file) throw ApiFailure.local('FILE_GONE');
  return item.file;
}

/** Times are kept to the second on some disks. */
function isSame(entry: Entry, item: Item): boolean {
  if (entry.type !== 'file' || entry.size !== item.size || !entry.modified) return false;
  return Math.floor(Date.parse(entry.modified) / 1_000) === Math.floor(item.modified / 1_000);
}

/** Those of these whose content cannot be read any more. */
async function lostFiles(items: readonly Item[]): Promise<Item[]> {
  const read = await Promise.all(
    items.map(async (item) => {
      if (!item.file || item.size === 0) return false;
      return item.file
        .slice(item.size - 1)
        .arrayBuffer()
        .then(
          () => false,
          () => true,
        );
    }),
  );
  return items.filter((_, at) => read[at]);
}

const failureOf = (error: { code: string; message: string; hint: string; request_id: string }) =>
  new ApiFailure(error as ConstructorParameters<typeof ApiFailure>[0], 0);

/** An archive that was not unpacked to its end: for a reason, or because the line broke. */
const brokenOff = (error: Parameters<typeof failureOf>[0] | undefined) =>
  error ? failureOf(error) : ApiFailure.unreachable();
