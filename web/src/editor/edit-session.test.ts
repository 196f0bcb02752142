import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiFailure } from '../api/client';
import { TooLarge, type Condition } from '../api/contents';
import type { Entry, ErrorCode } from '../api/types';
import type { Draft } from './drafts';
import {
  EditSession,
  KEEP_AFTER_MS,
  type Disk,
  type DraftKeeper,
  type Kept,
  type Merge,
} from './edit-session.svelte';
import { PLAIN } from './text-format';

const utf8 = (text: string) => new TextEncoder().encode(text);
const failure = (code: ErrorCode, status: number, version?: string) =>
  new ApiFailure(
    {
      code,
      message: '',
      hint: '',
      request_id: '',
      conflict: version === undefined ? undefined : { version, size: 0, modified: null, content: '' },
    },
    status,
  );

/** A file on a machine, with all it ever was. */
class FakeDisk implements Disk {
  contents: Uint8Array<ArrayBuffer>[] = [];
  there = true;
  /** Settled before each write is done. */
  gate: Promise<void> = Promise.resolve();
  limit = Infinity;

  constructor(...texts: string[]) {
    this.contents = texts.map(utf8);
  }

  get version(): string {
    return `v${this.contents.length}`;
  }

  get text(): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.contents.at(-1));
  }

  /** Somebody else writes. */
  put(text: string | Uint8Array<ArrayBuffer>): void {
    this.contents.push(typeof text === 'string' ? utf8(text) : text);
    this.there = true;
  }

  read = async () => {
    if (!this.there) throw failure('NOT_FOUND', 404);
    const bytes = this.contents.at(-1) as Uint8Array<ArrayBuffer>;
    if (bytes.length > this.limit) throw new TooLarge(bytes.length, this.version);
    return { bytes, version: this.version };
  };

  write = async (bytes: Uint8Array<ArrayBuffer>, condition: Condition) => {
    await this.gate;
    if (condition === 'absent' ? this.there : condition.version !== this.version || !this.there)
      throw failure(condition === 'absent' ? 'EXISTS' : 'CONFLICT', 409, this.there ? this.version : '');
    this.put(bytes);
    return this.version;
  };

  former = async (version: string) => this.contents[Number(version.slice(1)) - 1];
}

class FakeDrafts implements DraftKeeper {
  kept: Kept | undefined;
  held = false;
  full = false;
  find = async () => this.kept && ({ ...this.kept, place: {}, path: 'a' } as Draft);
  keep = async (draft: Kept, held: boolean) => {
    if (this.full) throw new Error('no room');
    this.kept = draft;
    this.held = held;
  };
  forget = async () => void (this.kept = undefined);
  adopt = async () => undefined;
  drop = async () => void (this.kept = undefined);
}

let disk: FakeDisk;
let drafts: FakeDrafts;
let session: EditSession;
/** What is on the screen. */
let screen: string;

function begin(): EditSession {
  session = new EditSession(disk, drafts);
  session.attach(() => screen);
  return session;
}

async function opened(...texts: string[]): Promise<void> {
  disk = new FakeDisk(...texts);
  await begin().open();
  screen = session.shown.text;
}

function type(text: string): void {
  screen = text;
  session.edited(!session.isSaved(text.length, () => text));
}

const tellOf = (version: string | null, others = 0) =>
  session.look({ entry: version === null ? null : ({ version } as Entry), others });

const asked = () => session.question?.about;
const merge = () => (session.question as { merge: Merge }).merge;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000 });
  drafts = new FakeDrafts();
  screen = '';
});

afterEach(() => {
  vi.useRealTimers();
});

describe('saving', () => {
  it('puts the text in the place of what was loaded', async () => {
    await opened('one\r\ntwo\r\n');
    type('one\n2\n');
    expect(session.changed).toBe(true);
    await session.save();
    expect(disk.text).toBe('one\r\n2\r\n');
    expect(session.changed).toBe(false);
    type('one\n3\n');
    await session.save();
    expect(disk.contents).toHaveLength(3);
  });

  it('does nothing where nothing was changed', async () => {
    await opened('one');
    type('two');
    type('one');
    await session.save();
    expect(disk.contents).toHaveLength(1);
  });

  it('keeps what was typed meanwhile as changed', async () => {
    await opened('one');
    type('two');
    let done: () => void = () => undefined;
    disk.gate = new Promise((settle) => (done = settle));
    const saving = session.save();
    type('three');
    done();
    await saving;
    expect(disk.text).toBe('two');
    expect(session.changed).toBe(true);
    expect(drafts.kept).toMatchObject({ text: 'three', base: 'two', version: 'v2' });
  });

  it('tells why it could not be done, and keeps the text', async () => {
    await opened('one');
    type('two');
    disk.write = () => Promise.reject(failure('DEVICE_OFFLINE', 503));
    await session.save();
    expect(session.failure).toMatchObject({ code: 'DEVICE_OFFLINE' });
    expect(session.changed).toBe(true);
    expect(session.busy).toBe(false);
  });

  it('asks before characters are lost, and can write UTF-8 instead', async () => {
    disk = new FakeDisk();
    disk.put(Uint8Array.from([0xe9]));
    await begin().open();
    type('é ş');
    await session.save();
    expect(session.question).toEqual({ about: 'lost', characters: ['ş'] });
    expect(disk.contents).toHaveLength(1);
    await session.saveAsUtf8();
    expect(disk.text).toBe('é ş');
    expect(asked()).toBeUndefined();
  });
});

describe('where something else is there by now', () => {
  beforeEach(async () => {
    await opened('a\nb\nc\n');
    type('a\nb\nMINE\n');
    disk.put('THEIRS\nb\nc\n');
    await session.save();
  });

  it('nothing is written before somebody has decided', () => {
    expect(session.question).toMatchObject({
      about: 'two-versions',
      mergeable: true,
      there: { version: 'v2' },
    });
    expect(disk.contents).toHaveLength(2);
    expect(session.changed).toBe(true);
  });

  it('merging has both and the common base, and saves on top of theirs', async () => {
    await session.merge();
    expect(merge()).toMatchObject({ base: 'a\nb\nc\n', mine: 'a\nb\nMINE\n', again: false });
    expect(merge().theirs).toMatchObject({ text: 'THEIRS\nb\nc\n', version: 'v2' });
    await session.saveMerged('THEIRS\nb\nMINE\n');
    expect(disk.text).toBe('THEIRS\nb\nMINE\n');
    expect(asked()).toBeUndefined();
    expect(session.shown.text).toBe('THEIRS\nb\nMINE\n');
    expect(session.changed).toBe(false);
    expect(drafts.kept).toBeUndefined();
  });

  it('is kept half done, and gone on with', async () => {
    await session.merge();
    const { base, mine } = merge();
    session.merging({ text: () => 'half done', spans: [{ from: 0, to: 4 }], open: [0] });
    await session.hold();
    const half = { base, mine, version: 'v2', text: 'half done', spans: [{ from: 0, to: 4 }], open: [0] };
    expect(drafts.kept?.merging).toEqual(half);
    // After a reload.
    await begin().open({ resume: true });
    await vi.waitFor(() => expect(session.question?.about).toBe('merge'));
    expect(merge()).toMatchObject({ base, mine, half });
  });

  it('is begun anew where the other side changed, or mine did', async () => {
    await session.merge();
    session.merging({ text: () => 'half done', spans: [], open: [] });
    session.cancel();
    await session.merge();
    expect(merge().half?.text).toBe('half done');
    session.cancel();
    disk.put('THEIRS AGAIN\nb\nc\n');
    await session.merge();
    expect(merge().half).toBeUndefined();
    session.merging({ text: () => 'half done', spans: [], open: [] });
    session.cancel();
    type('a\nb\nMINE AGAIN\n');
    await session.merge();
    expect(merge().mine).toBe('a\nb\nMINE AGAIN\n');
    expect(merge().half).toBeUndefined();
  });

  it('a change while it is merged is merged as well', async () => {
    await session.merge();
    disk.put('THEIRS\nb\nc\nmore\n');
    await session.saveMerged('THEIRS\nb\nMINE\n');
    expect(disk.contents).toHaveLength(3);
    expect(merge()).toMatchObject({ base: 'THEIRS\nb\nc\n', mine: 'THEIRS\nb\nMINE\n', again: true });
    await session.saveMerged('THEIRS\nb\nMINE\nmore\n');
    expect(disk.text).toBe('THEIRS\nb\nMINE\nmore\n');
  });

  it('overwriting shows what goes, and replaces just that', async () => {
    await session.lookBeforeOverwriting();
    expect(session.question).toMatchObject({ about: 'overwrite', theirs: { text: 'THEIRS\nb\nc\n' } });
    disk.put('newer\n');
    await session.overwrite();
    expect(asked()).toBe('two-versions');
    expect(disk.text).toBe('newer\n');
    await session.lookBeforeOverwriting();
    await session.overwrite();
    expect(disk.text).toBe('a\nb\nMINE\n');
    expect(session.changed).toBe(false);
  });

  it('cancelling leaves all as it is', async () => {
    session.cancel();
    expect(asked()).toBeUndefined();
    expect(session.changed).toBe(true);
    expect(session.note).toBe('changed');
    await session.save();
    expect(asked()).toBe('two-versions');
  });

  it('what is not text any more can be replaced only', async () => {
    disk.put(Uint8Array.from([0, 1, 2]));
    await session.merge();
    expect(session.question).toEqual({ about: 'two-versions', mergeable: false });
    await session.lookBeforeOverwriting();
    expect(session.question).toEqual({ about: 'overwrite', version: 'v3', theirs: undefined });
    await session.overwrite();
    expect(disk.text).toBe('a\nb\nMINE\n');
  });

  it('a result that the encoding cannot hold is asked about', async () => {
    disk.put(Uint8Array.from([0xe9]));
    await session.merge();
    await session.saveMerged('é ş');
    expect(merge().lost).toEqual(['ş']);
    expect(disk.contents).toHaveLength(3);
    await session.saveMerged('é ş', { asUtf8: true });
    expect(disk.text).toBe('é ş');
  });
});

describe('what happens on the disk', () => {
  beforeEach(() => opened('one'));

  it('is shown at once where nothing was changed', async () => {
    disk.put('two');
    tellOf('v2');
    await vi.runAllTimersAsync();
    expect(session.shown.text).toBe('two');
    expect(session.note).toBe('reloaded');
    expect(session.changed).toBe(false);
  });

  it('is told where something was', async () => {
    type('mine');
    disk.put('two');
    tellOf('v2', 2);
    await vi.runAllTimersAsync();
    expect(session.shown.text).toBe('one');
    expect(session.note).toBe('changed');
    expect(session.others).toBe(2);
    tellOf('v1');
    expect(session.note).toBe('none');
  });

  it('is shown after all when what was changed here is taken back', async () => {
    type('mine');
    disk.put('two');
    tellOf('v2');
    type('one');
    await vi.runAllTimersAsync();
    expect(session.shown.text).toBe('two');
    expect(session.note).toBe('reloaded');
  });

  it('is no news where it is what was saved here', async () => {
    type('two');
    let done: () => void = () => undefined;
    disk.gate = new Promise((settle) => (done = settle));
    const saving = session.save();
    tellOf('v2');
    expect(session.note).toBe('none');
    done();
    await saving;
    expect(session.note).toBe('none');
    expect(session.shown.text).toBe('one');
  });

  it('a file that is gone can be saved again', async () => {
    disk.there = false;
    tellOf(null);
    expect(session.note).toBe('gone');
    await session.save();
    expect(asked()).toBe('gone');
    screen = 'one';
    await session.saveAgain();
    expect(disk.text).toBe('one');
    expect(disk.there).toBe(true);
    expect(session.note).toBe('none');
  });

  it('what is typed while it is read again is not lost', async () => {
    disk.put('two');
    tellOf('v2');
    type('mine');
    await vi.runAllTimersAsync();
    expect(session.shown.text).toBe('one');
    expect(session.note).toBe('changed');
  });
});

describe('drafts', () => {
  it('are kept when the keys rest, with what they were made from', async () => {
    await opened('one\r\n');
    type('two\n');
    await vi.advanceTimersByTimeAsync(KEEP_AFTER_MS - 1);
    expect(drafts.kept).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(drafts.kept).toMatchObject({ text: 'two\n', base: 'one\r\n', version: 'v1' });
    await session.close();
    expect(drafts.held).toBe(false);
  });

  it('go when they are saved, taken back or thrown away', async () => {
    await opened('one');
    for (const end of [() => session.save(), async () => type('one'), () => session.abandon()]) {
      type('two, three');
      await session.hold();
      expect(drafts.kept).toBeDefined();
      screen = 'two, three';
      await end();
      await vi.runAllTimersAsync();
      expect(drafts.kept).toBeUndefined();
      await opened('one');
    }
  });

  it('are offered, and gone on with', async () => {
    drafts.kept = { text: 'mine', base: 'one', version: 'v1', format: PLAIN, changed: 500 };
    await opened('one');
    expect(session.question).toMatchObject({ about: 'draft', stale: false });
    await session.resume();
    expect(session.shown.text).toBe('mine');
    screen = 'mine';
    await session.save();
    expect(disk.text).toBe('mine');
  });

  it('are not touched before that is decided', async () => {
    drafts.kept = { text: 'mine', base: 'one', version: 'v1', format: PLAIN, changed: 500 };
    await opened('one');
    await session.hold();
    await session.close();
    expect(drafts.kept?.text).toBe('mine');
  });

  it('of another version are merged', async () => {
    drafts.kept = { text: 'one\nmine', base: 'one', version: 'v1', format: PLAIN, changed: 500 };
    disk = new FakeDisk('one', 'first\none');
    begin();
    session.attach(() => session.shown.text);
    await session.open({ resume: true });
    await vi.runAllTimersAsync();
    expect(merge()).toMatchObject({ base: 'one', mine: 'one\nmine', theirs: { text: 'first\none' } });
  });

  it('without their base find it among the versions', async () => {
    drafts.kept = { text: 'one\nmine', version: 'v1', format: PLAIN, changed: 500 };
    disk = new FakeDisk('one', 'first\none');
    begin();
    session.attach(() => session.shown.text);
    await session.open({ resume: true });
    await vi.runAllTimersAsync();
    expect(merge().base).toBe('one');
  });

  it('of a file that is gone can be saved', async () => {
    drafts.kept = { text: 'mine', base: 'one', version: 'v1', format: PLAIN, changed: 500 };
    disk = new FakeDisk('one');
    disk.there = false;
    await begin().open();
    await session.resume();
    expect(asked()).toBe('gone');
    screen = session.shown.text;
    await session.saveAgain();
    expect(disk.text).toBe('mine');
  });

  it('that say what is there already are dropped', async () => {
    drafts.kept = { text: 'one', base: 'zero', version: 'v0', format: PLAIN, changed: 500 };
    await opened('one');
    expect(session.question).toBeNull();
    expect(drafts.kept).toBeUndefined();
  });

  it('are said not to be kept where they are not', async () => {
    await opened('one');
    drafts.full = true;
    type('two');
    await vi.advanceTimersByTimeAsync(KEEP_AFTER_MS);
    expect(session.drafts).toBe(false);
  });
});

describe('opening', () => {
  it('says what cannot be edited', async () => {
    disk = new FakeDisk('four');
    disk.limit = 3;
    await begin().open();
    expect(session.stage).toBe('too-large');
    expect(session.size).toBe(4);
    disk = new FakeDisk();
    disk.put(Uint8Array.from([0, 1]));
    await begin().open();
    expect(session.stage).toBe('not-text');
    disk.there = false;
    await begin().open();
    expect(session.stage).toBe('failed');
  });
});
