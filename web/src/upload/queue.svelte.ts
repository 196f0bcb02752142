// The uploads of this page: takes in what is dropped, keeps the engine running while one browses, and tells the screen
// how it stands. One for the whole page; loaded when it is first needed.
import { ApiFailure, tellSignedOut } from '../api/client';
import { stat, type Place } from '../api/files';
import { getUploads, uploadUrl } from '../api/acts';
import type { Clash, Entry, Upload } from '../api/types';
import { escapePath } from '../lib/names';
import { joinPath, lastName, parentPath, type FolderPlace } from '../routes';
import { catalog } from '../state/catalog.svelte';
import { formatCount } from '../lib/format';
import { pushUndo, type Part } from '../manage/undo';
import { changes } from '../state/changes';
import { manage } from '../state/manage.svelte';
import { managingWords } from '../text/managing.svelte';
import { text } from '../text/text.svelte';
import { Batch, Item } from './batch';
import { isSameFile, waiting, type Elsewhere } from './elsewhere';
import { Engine, failedItem, type Hold } from './engine';
import { fromHandles, type Found, type Source } from './gather';
import { Intake } from './intake';
import * as keep from './keep';
import { Rate, secondsLeft } from './rate';
import { Waited } from './resume';
import { plain } from './tus';
import { send } from './xhr';

/** How often the screen is told how it stands. */
const TELL_EVERY_MS = 150;
/** More lines than these nobody reads. */
const MOST_LINES = 50;

/** One line of the tray. */
export interface Line {
  batch: Batch;
  item: Item;
  /** How many items it stands for: a pack of small files is one line. */
  count: number;
  sent: number;
  size: number;
}

export interface View {
  files: number;
  done: number;
  failed: number;
  asking: number;
  missing: number;
  bytes: number;
  sent: number;
  perSecond: number;
  secondsLeft: number | undefined;
  /** True while something goes, or would if it could. */
  running: boolean;
  /** True while more is being found. */
  growing: boolean;
  /** True if what has come can be taken away again. */
  undoable: boolean;
  paused: boolean;
  hold: Hold | null;
  /** The folder that all of it goes into; empty if there are several. */
  target: string;
  going: Line[];
  failures: Line[];
  question: Line | undefined;
  /** Batches of which the browser has lost the files. */
  interrupted: Batch[];
  /** Uploads that were begun otherwise than here. */
  elsewhere: Elsewhere[];
}

const NOTHING: View = {
  files: 0,
  done: 0,
  failed: 0,
  asking: 0,
  missing: 0,
  bytes: 0,
  sent: 0,
  perSecond: 0,
  secondsLeft: undefined,
  running: false,
  growing: false,
  undoable: false,
  paused: false,
  hold: null,
  target: '',
  going: [],
  failures: [],
  question: undefined,
  interrupted: [],
  elsewhere: [],
};

export class Queue {
  view = $state.raw<View>(NOTHING);

  #engine: Engine;
  #rate = new Rate();
  /** Of what has come since the tray was empty: by these names it is undone. */
  #undoable: string[] = [];
  #elsewhere: Elsewhere[] = [];
  /** True while the screen will be told shortly. */
  #due = false;

  constructor() {
    this.#engine = new Engine({
      send,
      stat: statOrNull,
      now: () => performance.now(),
      settled: (batch, items) => this.#settled(batch, items),
      leaving: (batch, items) => void keep.markLeft(batch, items),
      begun: (batch, item) => void keep.markBegun(batch, item),
      undoable: (batch, token) => void keep.markUndo(batch, token),
      changed: () => this.#changed(),
      signedOut: tellSignedOut,
    });
    addEventListener('online', () => this.#engine.nudge());
    addEventListener('beforeunload', (event) => {
      if (this.#engine.batches.some((batch) => batch.open)) event.preventDefault();
    });
  }

  /** Takes in what was dropped or picked for a folder. It leaves while the rest of it is being found. */
  async add(folder: FolderPlace, target: string, source: Source): Promise<void> {
    this.#clearIfOver();
    this.#engine.resume();
    const interrupted = this.#engine.batches.filter(
      (batch) => samePlace(batch.place, folder) && batch.folder === folder.path && isInterrupted(batch),
    );
    const waited = new Waited(interrupted);
    let fresh: Promise<Batch> | undefined;
    const into = () => (fresh ??= this.#begin(folder, target, source));
    await takeIn(source, async (found) => {
      const { matches, rest } = waited.match(found.files);
      for (const { batch, item, file } of matches) if (item.state === 'missing') goOn(batch, item, file);
      const isNew = rest.length + found.folders.length + found.unreadable.length > 0;
      if (isNew) await this.#grow(await into(), { ...found, files: rest });
      this.#engine.pump();
    });
    if (fresh) this.#whole(await fresh);
    for (const batch of interrupted) if (batch.count('missing') === 0) this.#whole(batch);
  }

  async #begin({ device, share, path }: FolderPlace, target: string, source: Source): Promise<Batch> {
    const place = { device, share };
    const T = (w: string) => performance.mark('T ' + w);
    T('begin');
    const made = await absent(place, path, source.folders);
    const batch = new Batch({ id: newId(), place, folder: path, target, made });
    T('absent');
    batch.handles = await source.handles;
    T('handles');
    await keep.claim(batch.id);
    T('claim');
    await keep.keepBatch(batch);
    T('kept');
    this.#engine.add(batch);
    return batch;
  }

  async #grow(batch: Batch, { files, folders, unreadable }: Found): Promise<void> {
    if (!this.#has(batch)) return;
    const items = files.map(({ path, file }) => new Item(path, file.size, file.lastModified, file));
    performance.mark('T found ' + items.length);
    await keep.markFound(batch, items, folders);
    performance.mark('T marked');
    const failed = unreadable.map(({ path }) => failedItem(path, ApiFailure.local('FILE_GONE')));
    batch.grow([...items, ...failed], folders);
  }

  /** All of it was found. */
  #whole(batch: Batch): void {
    if (!this.#has(batch)) return;
    batch.growing = batch.cut = false;
    void keep.markWhole(batch);
    this.#ended(batch);
    this.#changed();
  }

  pause = () => {
    this.#engine.pause();
    this.#rate.reset();
  };

  resume = () => this.#engine.resume();

  retry = () => this.#engine.retry();

  /** There is a visitor again, or a way. */
  nudge = () => this.#engine.nudge();

  choose(line: Line, clash: Exclude<Clash, 'ask'>, forAll: boolean): void {
    this.#engine.choose(line.batch, line.item, clash, forAll);
    if (forAll) void keep.markClash(line.batch);
  }

  skip = ({ batch, item }: Line) => this.#engine.skip(batch, item);

  /** Calls off all that has not come, and forgets it. */
  cancel = () => {
    for (const batch of [...this.#engine.batches]) this.discard(batch);
  };

  discard(batch: Batch): void {
    this.#engine.cancel(batch);
    void keep.forgetBatch(batch.id);
    this.#changed();
  }

  /** Takes up what was under way when the page went away. */
  async restore(): Promise<void> {
    const known = new Set(this.#engine.batches.map(({ id }) => id));
    for (const batch of await keep.keptBatches()) {
      if (known.has(batch.id) || !(await keep.claim(batch.id))) continue;
      if (!isInterrupted(batch)) void keep.forgetBatch(batch.id);
      else await this.#takeUp(batch);
    }
    this.#changed();
  }

  async #takeUp(batch: Batch): Promise<void> {
    const { uploads } = await getUploads(batch.place).catch(() => ({ uploads: [] as Upload[] }));
    const known = new Map(uploads.map((upload) => [upload.id, upload]));
    for (const item of batch.some('missing', Infinity)) {
      const upload = item.upload ? known.get(item.upload) : undefined;
      if (item.upload && !upload) {
        item.upload = null;
        item.unsure = true;
      }
      if (!upload) continue;
      batch.setSent(item, upload.offset);
      // All of it is there, and only the answer to a question is wanted.
      if (upload.offset === item.size) batch.move(item, 'waiting');
    }
    this.#engine.add(batch);
    if (await mayRead(batch.handles, 'queryPermission')) await this.#reread(batch);
  }

  /** What waits on a machine for its rest; what is known here is told of otherwise. */
  async found(place: Place, uploads: Upload[]): Promise<void> {
    const ours = this.#engine.batches.flatMap(({ items }) => items.flatMap(({ upload }) => upload ?? []));
    const known = new Set([...ours, ...(await keep.keptUploads())]);
    this.#elsewhere.push(...waiting(uploads, known, Date.now()).map((upload) => ({ place, upload })));
    this.#changed();
  }

  /** Goes on with what was begun elsewhere; false if this is another file. */
  async goOnWith(one: Elsewhere, file: File): Promise<boolean> {
    const { place, upload } = one;
    const about = await this.#ask('HEAD', one);
    if (!about || !isSameFile(upload, about, file)) return false;
    const folder = parentPath(upload.path);
    const target = lastName(folder) || (catalog.share(place.share)?.name ?? '');
    const batch = new Batch({ id: newId(), place, folder, target, made: [] });
    const item = new Item(file.name, file.size, file.lastModified, file);
    [item.to, item.upload] = [upload.path, upload.id];
    await keep.claim(batch.id);
    await keep.keepBatch(batch);
    await keep.markFound(batch, [item], []);
    await keep.markBegun(batch, item);
    batch.grow([item]);
    this.#forgetElsewhere(one);
    this.#engine.add(batch);
    this.#whole(batch);
    this.#engine.resume();
    return true;
  }

  /** Lets the machine forget what was begun elsewhere. */
  async giveUp(one: Elsewhere): Promise<void> {
    this.#forgetElsewhere(one);
    await this.#ask('DELETE', one);
  }

  #ask(method: 'HEAD' | 'DELETE', { place, upload }: Elsewhere) {
    const { signal } = new AbortController();
    const url = uploadUrl(place, upload.id);
    return send({ method, url, headers: plain(null), signal }).catch(() => undefined);
  }

  #forgetElsewhere(one: Elsewhere): void {
    this.#elsewhere = this.#elsewhere.filter((other) => other !== one);
    this.#changed();
  }

  /** Reads the files of an interrupted batch again, where the browser can; false if they must be dropped again. */
  async goOn(batch: Batch): Promise<boolean> {
    if (!(await mayRead(batch.handles, 'requestPermission'))) return false;
    return this.#reread(batch);
  }

  async #reread(batch: Batch): Promise<boolean> {
    const waited = new Waited([batch]);
    await takeIn(fromHandles(batch.handles), async (found) => {
      const { matches, rest } = waited.match(found.files);
      for (const { item, file } of matches) if (item.state === 'missing') goOn(batch, item, file);
      // The rest of what had not been found when the page went away.
      if (batch.cut) await this.#grow(batch, { ...found, files: rest });
      this.#engine.pump();
    });
    this.#whole(batch);
    return batch.count('missing') === 0;
  }

  #settled(batch: Batch, items: readonly Item[]): void {
    void keep.markSettled(batch, items);
    this.#ended(batch);
    changes.tell(batch.place);
  }

  #ended(batch: Batch): void {
    if (batch.over) void keep.forgetBatch(batch.id);
    if (!batch.open) this.#offerUndo(batch);
  }

  #offerUndo(batch: Batch): void {
    const { place, target } = batch;
    const { tokens, folders } = batch.takeUndo();
    const parts: Part[] = tokens.map((token) => ({ place, token }));
    // What was done last is undone first: folders go as a whole, before anything that is in them.
    if (folders.length > 0) parts.push({ place, trash: folders });
    if (parts.length === 0) return;
    const [id, count] = [newId(), batch.count('done')];
    const what = managingWords().upload.uploadedTo(count, formatCount(count, text.language), target);
    pushUndo({ id, parts, what });
    this.#undoable.push(id);
  }

  /** Takes away again what has come. */
  undo = () => {
    for (const id of this.#undoable.splice(0).reverse()) manage.undo(id);
    this.#clearIfOver();
    this.#changed();
  };

  #has(batch: Batch): boolean {
    return this.#engine.batches.includes(batch);
  }

  /** What is done and seen makes room for what comes. */
  #clearIfOver(): void {
    const { batches } = this.#engine;
    if (!batches.every((batch) => batch.over)) return;
    for (const batch of [...batches]) this.#engine.cancel(batch);
    this.#undoable = [];
    this.#rate.reset();
  }

  #changed(): void {
    if (this.#due) return;
    this.#due = true;
    setTimeout(() => {
      this.#due = false;
      this.#look();
    }, TELL_EVERY_MS);
  }

  #look(): void {
    const engine = this.#engine;
    const { batches } = engine;
    const sum = (of: (batch: Batch) => number) => batches.reduce((total, batch) => total + of(batch), 0);
    const sent = sum((batch) => batch.sent) + engine.flying();
    const bytes = sum((batch) => batch.bytes);
    const running = batches.some((batch) => batch.open);
    const growing = batches.some((batch) => batch.growing);
    if (running && !engine.paused && !engine.hold) this.#rate.add(sent, performance.now());
    else this.#rate.reset();
    const targets = new Set(batches.map(({ target }) => target));
    const asking = batches.find((batch) => batch.count('asking') > 0);
    const [question] = asking?.some('asking', 1) ?? [];
    this.view = {
      files: sum((batch) => batch.items.length - batch.count('skipped')),
      done: sum((batch) => batch.count('done')),
      failed: sum((batch) => batch.count('failed')),
      asking: sum((batch) => batch.count('asking')),
      missing: sum((batch) => batch.count('missing')),
      bytes,
      sent,
      perSecond: this.#rate.perSecond,
      secondsLeft: growing ? undefined : secondsLeft(bytes - sent, this.#rate.perSecond),
      running,
      growing,
      undoable: !running && this.#undoable.length > 0,
      paused: engine.paused,
      hold: engine.hold,
      target: targets.size === 1 ? ([...targets][0] ?? '') : '',
      going: engine.going.map(lineOf),
      failures: batches
        .flatMap((batch) => linesOf(batch, batch.some('failed', MOST_LINES)))
        .slice(0, MOST_LINES),
      question: asking && question && linesOf(asking, [question])[0],
      interrupted: batches.filter(isInterrupted),
      elsewhere: this.#elsewhere,
    };
  }
}

function lineOf({ batch, items, flying }: Engine['going'][number]): Line {
  const item = items[0] as Item;
  const size = items.reduce((sum, one) => sum + one.size, 0);
  return { batch, item, count: items.length, sent: items.length > 1 || flying ? flying : item.sent, size };
}

const linesOf = (batch: Batch, items: Item[]): Line[] =>
  items.map((item) => ({ batch, item, count: 1, sent: item.sent, size: item.size }));

function goOn(batch: Batch, item: Item, file: File): void {
  item.file = file;
  batch.move(item, 'waiting');
}

const isInterrupted = (batch: Batch) => batch.cut || batch.count('missing') > 0;

const samePlace = (a: Place, b: Place) => a.device === b.device && a.share === b.share;

/** Hands on what a source tells of, until all of it is taken. */
async function takeIn(source: Source, take: (found: Found) => Promise<void>): Promise<void> {
  const intake = new Intake(take);
  await source.walk((f) => {
    performance.mark('T tell ' + f.files.length);
    intake.take(f);
  });
  performance.mark('T walked');
  await intake.end();
}

/** More folders side by side are not asked about. */
const MOST_ASKED = 20;

/** Which of these names are free in a folder: what is made there can be taken away as a whole. */
async function absent(place: Place, folder: string, names: string[]): Promise<string[]> {
  if (names.length > MOST_ASKED) return [];
  const { signal } = new AbortController();
  const isFree = (name: string) =>
    statOrNull(place, joinPath(folder, escapePath(name)), signal).then(
      (there) => there === null,
      () => false,
    );
  const free = await Promise.all(names.map(isFree));
  return names.filter((_, at) => free[at]);
}

async function statOrNull(place: Place, path: string, signal: AbortSignal): Promise<Entry | null> {
  try {
    return await stat(place, path, signal);
  } catch (error) {
    const absent = error instanceof ApiFailure && ['NOT_FOUND', 'NOT_FOLDER'].includes(error.code);
    if (absent) return null;
    throw error;
  }
}

interface Permitting extends FileSystemHandle {
  queryPermission?: (wanted: { mode: 'read' }) => Promise<PermissionState>;
  requestPermission?: (wanted: { mode: 'read' }) => Promise<PermissionState>;
}

/** Whether the browser lets the page read these again; asking its user takes a click first. */
async function mayRead(
  handles: Permitting[],
  how: 'queryPermission' | 'requestPermission',
): Promise<boolean> {
  if (handles.length === 0) return false;
  for (const handle of handles) {
    const state = await handle[how]?.({ mode: 'read' }).catch(() => 'denied');
    if (state !== 'granted') return false;
  }
  return true;
}

/** Where no secure context gives one, it need only differ from the others of this browser. */
const newId = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
