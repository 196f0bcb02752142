// The uploads of this page: takes in what is dropped, keeps the engine running while one browses, and tells the screen
// how it stands. One for the whole page; loaded when it is first needed.
import { ApiFailure, tellSignedOut } from '../api/client';
import { stat, type Place } from '../api/files';
import { getUploads } from '../api/acts';
import type { Clash, Entry, Upload } from '../api/types';
import type { FolderPlace } from '../routes';
import { changes } from '../state/changes';
import { Batch, Item } from './batch';
import { Engine, type Hold } from './engine';
import { gatherHandles, type Gathered } from './gather';
import * as keep from './keep';
import { Rate, secondsLeft } from './rate';
import { matchFiles } from './resume';
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
  paused: boolean;
  hold: Hold | null;
  /** The folder that all of it goes into; empty if there are several. */
  target: string;
  going: Line[];
  failures: Line[];
  question: Line | undefined;
  /** Batches of which the browser has lost the files. */
  interrupted: Batch[];
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
  paused: false,
  hold: null,
  target: '',
  going: [],
  failures: [],
  question: undefined,
  interrupted: [],
};

export class Queue {
  view = $state.raw<View>(NOTHING);

  #engine: Engine;
  #rate = new Rate();
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
      changed: () => this.#changed(),
      signedOut: tellSignedOut,
    });
    addEventListener('online', () => this.#engine.nudge());
    addEventListener('beforeunload', (event) => {
      if (this.#engine.batches.some((batch) => batch.open)) event.preventDefault();
    });
  }

  /** Takes in what was dropped or picked for a folder. */
  async add(folder: FolderPlace, target: string, gathered: Gathered): Promise<void> {
    this.#clearIfOver();
    const { device, share, path } = folder;
    const interrupted = this.#engine.batches.filter(
      ({ place, folder: into }) => place.share === share && place.device === device && into === path,
    );
    const { matches, rest } = matchFiles(gathered.files, interrupted);
    const goingOn = matches.some(({ item }) => item.state === 'missing');
    for (const { batch, item, file } of matches) if (item.state === 'missing') goOn(batch, item, file);
    // What had come before is dropped along with the rest of its batch; alone it is meant to go again.
    const fresh = goingOn ? rest : gathered.files;
    const folders = goingOn && fresh.length === 0 ? [] : gathered.folders;
    if (fresh.length + folders.length + gathered.unreadable.length > 0) {
      await this.#begin(folder, target, { ...gathered, files: fresh, folders });
    }
    this.#engine.resume();
  }

  async #begin({ device, share, path }: FolderPlace, target: string, gathered: Gathered): Promise<void> {
    const items = gathered.files.map(({ path, file }) => new Item(path, file.size, file.lastModified, file));
    const unreadable = gathered.unreadable.map(({ path }) => unreadableItem(path));
    const batch = new Batch({
      id: newId(),
      place: { device, share },
      folder: path,
      target,
      folders: gathered.folders,
      items: [...items, ...unreadable],
    });
    batch.handles = gathered.handles;
    await keep.claim(batch.id);
    // Written before anything leaves, so that whatever leaves is known afterwards.
    await keep.keepBatch(batch);
    this.#engine.add(batch);
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
      if (batch.count('missing') === 0) void keep.forgetBatch(batch.id);
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

  /** Reads the files of an interrupted batch again, where the browser can; false if they must be dropped again. */
  async goOn(batch: Batch): Promise<boolean> {
    if (!(await mayRead(batch.handles, 'requestPermission'))) return false;
    return this.#reread(batch);
  }

  async #reread(batch: Batch): Promise<boolean> {
    const { files } = await gatherHandles(batch.handles);
    const { matches } = matchFiles(files, [batch]);
    for (const { item, file } of matches) if (item.state === 'missing') goOn(batch, item, file);
    this.#engine.pump();
    return batch.count('missing') === 0;
  }

  #settled(batch: Batch, items: readonly Item[]): void {
    void (items.length > 0 ? keep.markSettled(batch, items) : keep.markFolders(batch));
    if (batch.over) void keep.forgetBatch(batch.id);
    changes.tell(batch.place);
  }

  /** What is done and seen makes room for what comes. */
  #clearIfOver(): void {
    const { batches } = this.#engine;
    if (!batches.every((batch) => batch.over)) return;
    for (const batch of [...batches]) this.#engine.cancel(batch);
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
      secondsLeft: secondsLeft(bytes - sent, this.#rate.perSecond),
      running,
      paused: engine.paused,
      hold: engine.hold,
      target: targets.size === 1 ? ([...targets][0] ?? '') : '',
      going: engine.going.map(lineOf),
      failures: batches
        .flatMap((batch) => linesOf(batch, batch.some('failed', MOST_LINES)))
        .slice(0, MOST_LINES),
      question: asking && question && linesOf(asking, [question])[0],
      interrupted: batches.filter((batch) => batch.count('missing') > 0),
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

function unreadableItem(path: string): Item {
  const item = new Item(path, 0, 0);
  item.state = 'failed';
  item.failure = ApiFailure.local('FILE_GONE');
  return item;
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
