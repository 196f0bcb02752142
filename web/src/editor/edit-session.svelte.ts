// One file that is being edited: what it was made from, whether it is saved, what else happened to it, and what has to be
// decided. A state machine: the disk, the drafts and the text on the screen are handed in, so that it runs without a page.
import { ApiFailure } from '../api/client';
import { TooLarge, type Condition, type Content } from '../api/contents';
import type { Conflict, Seen } from '../api/types';
import type { Draft, HalfMerge } from './drafts';
import { PLAIN, readText, withEndings, writeText, type TextFile, type TextFormat } from './text-format';

/** The file on its machine. */
export interface Disk {
  /** Throws {@link TooLarge}, {@link ApiFailure}. */
  read: () => Promise<Content>;
  /** Answers with the version it became. Throws {@link ApiFailure}. */
  write: (bytes: Uint8Array<ArrayBuffer>, condition: Condition) => Promise<string>;
  /** A former content, if it is still kept. */
  former: (version: string) => Promise<Uint8Array | undefined>;
}

/** This browser's drafts of the file. */
export interface DraftKeeper {
  find: () => Promise<Draft | undefined>;
  keep: (draft: Kept, held: boolean) => Promise<void>;
  forget: () => Promise<void>;
  /** Takes over one that was left, perhaps by another tab. */
  adopt: (draft: Draft) => Promise<void>;
  /** Forgets one that was left. */
  drop: (draft: Draft) => Promise<void>;
}

export type Kept = Pick<Draft, 'text' | 'base' | 'version' | 'format' | 'changed' | 'merging'>;

/** A content of the file; the version is empty where there is no file. */
export interface Base extends TextFile {
  version: string;
}

/** Two texts to be joined: mine in the editor, theirs on the disk. */
export interface Merge {
  /** What both were made from, if that is still known. */
  base: string | undefined;
  mine: string;
  theirs: Base;
  /** True if it changed again while it was being merged. */
  again: boolean;
  /** Characters of the result that the file's encoding does not have. */
  lost: string[];
  /** Where it was begun before. */
  half?: HalfMerge;
}

/** What somebody has to decide before anything else happens. */
export type Question =
  /** Changes were left here earlier. */
  | { about: 'draft'; draft: Draft; stale: boolean }
  /** What is on the disk is not what the text was made from. It cannot be merged where it is not text any more. */
  | { about: 'two-versions'; mergeable: boolean; there?: Conflict }
  /** What is on the disk, before it is replaced; only its version where it is not text any more. */
  | { about: 'overwrite'; version: string; theirs?: Base }
  /** The file is not there any more. */
  | { about: 'gone' }
  /** Characters that the file's encoding does not have. */
  | { about: 'lost'; characters: string[] }
  | { about: 'merge'; merge: Merge };

export type Stage = 'loading' | 'editing' | 'too-large' | 'not-text' | 'failed';

/** Something that happened by itself. */
export type Note = 'none' | 'reloaded' | 'changed' | 'gone';

/** How long after the last key a draft is kept. */
export const KEEP_AFTER_MS = 400;

export class EditSession {
  stage = $state<Stage>('loading');
  question = $state.raw<Question | null>(null);
  note = $state<Note>('none');
  /** True while what is in the editor is not what was loaded or saved last. */
  changed = $state(false);
  /** True while something is being read or written. */
  busy = $state(false);
  /** Why the last thing that was asked for did not happen. */
  failure = $state.raw<unknown>(null);
  /** Changes whenever the editor has to show another text. */
  shown = $state.raw<{ text: string }>({ text: '' });
  /** When it was saved last, here. */
  savedAt = $state.raw<Date | null>(null);
  others = $state(0);
  /** False if this browser keeps no drafts. */
  drafts = $state(true);
  format = $state.raw<TextFormat>(PLAIN);
  size = $state(0);

  #base: Base = { text: '', raw: '', format: PLAIN, version: '' };
  /** False if only the version of what the text was made from is known. */
  #baseKnown = true;
  /** The text on the screen. */
  #text: () => string = () => this.shown.text;
  /** What was seen while a request was under way, which may have been its own doing. */
  #unlooked: Seen | undefined;
  #keeping: ReturnType<typeof setTimeout> | undefined;
  /** What of a merge stands so far; its text is only made of what is on the screen when it is kept. */
  #half: (() => HalfMerge) | undefined;
  #over = false;
  readonly #disk: Disk;
  readonly #drafts: DraftKeeper;

  constructor(disk: Disk, drafts: DraftKeeper) {
    this.#disk = disk;
    this.#drafts = drafts;
  }

  /** The version that the text was made from. */
  get version(): string {
    return this.#base.version;
  }

  /** The text on the screen. */
  get text(): string {
    return this.#text();
  }

  /** Names who knows the text on the screen. */
  attach(text: () => string): void {
    this.#text = text;
  }

  /** Reads the file, and looks for changes that were left here. With `resume` it goes on with them at once. */
  async open({ resume = false } = {}): Promise<void> {
    this.stage = 'loading';
    this.failure = null;
    const draft = await this.#findDraft();
    try {
      const base = await this.#read();
      if (!base) return void (this.stage = 'not-text');
      this.#show(base);
    } catch (error) {
      if (error instanceof TooLarge) return this.#refuse(error);
      if (!draft || !isMissing(error)) return this.#fail(error);
      this.#show({ text: '', raw: '', format: draft.format, version: '' });
    }
    this.stage = 'editing';
    if (draft) this.#offer(draft, resume);
  }

  #refuse({ size }: TooLarge): void {
    this.size = size;
    this.stage = 'too-large';
  }

  #fail(error: unknown): void {
    this.failure = error;
    this.stage = 'failed';
  }

  #offer(draft: Draft, resume: boolean): void {
    if (draft.text === this.#base.text) return void this.#drafts.drop(draft).catch(() => undefined);
    this.question = { about: 'draft', draft, stale: draft.version !== this.#base.version };
    if (resume) void this.resume();
  }

  /** Goes on with the changes that were left. What has happened to the file since is merged. */
  async resume(): Promise<void> {
    if (this.question?.about !== 'draft') return;
    const { draft, stale } = this.question;
    this.question = null;
    this.#base = baseOf(draft);
    this.#baseKnown = draft.base !== undefined;
    this.format = draft.format;
    this.shown = { text: draft.text };
    this.changed = true;
    const { merging } = draft;
    this.#half = merging && (() => merging);
    await this.#drafts.adopt(draft).catch(() => undefined);
    if (stale) await this.merge();
  }

  /** Forgets the changes that were left. */
  async discard(): Promise<void> {
    if (this.question?.about !== 'draft') return;
    const { draft } = this.question;
    this.question = null;
    await this.#drafts.drop(draft).catch(() => undefined);
  }

  /** The text on the screen has changed; `changed` says whether it differs from what was saved. */
  edited(changed: boolean): void {
    this.changed = changed;
    if (this.note === 'reloaded') this.note = 'none';
    // What was changed here was taken back: nothing stands against what is there now.
    if (!changed && this.note === 'changed' && !this.busy) void this.#reload();
    // It was a merge of another text.
    this.#half = undefined;
    this.#keepSoon();
  }

  /** So far the result of the merge is this. */
  merging(result: { text: () => string } & Pick<HalfMerge, 'spans' | 'open'>): void {
    if (this.question?.about !== 'merge') return;
    const { base, mine, theirs } = this.question.merge;
    this.#half = () => ({ ...result, text: result.text(), base, mine, version: theirs.version });
    this.#keepSoon();
  }

  #keepSoon(): void {
    clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => void this.#keep(), KEEP_AFTER_MS);
  }

  /** True if the text is what was loaded or saved last. */
  isSaved(length: number, text: () => string): boolean {
    return this.#baseKnown && length === this.#base.text.length && text() === this.#base.text;
  }

  /** Keeps the draft at once, and says that this tab is still at it. */
  hold(): Promise<void> {
    return this.#keep();
  }

  /** Ends it: the draft stays for the next time. */
  async close(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#keeping);
    if (this.changed) await this.#put(false);
  }

  /** Throws the changes away. */
  async abandon(): Promise<void> {
    this.#over = true;
    clearTimeout(this.#keeping);
    this.changed = false;
    await this.#drafts.forget().catch(() => undefined);
  }

  // Saving ----------------------------------------------------------------------------------------------------------

  /** Saves what is on the screen in the place of what it was made from. */
  async save(): Promise<void> {
    if (this.busy || this.question || this.stage !== 'editing') return;
    if (!this.changed && this.#base.version && this.note !== 'gone') return;
    const text = this.#text();
    const { bytes, lost } = this.#bytes(text);
    if (lost.length) return void (this.question = { about: 'lost', characters: lost });
    await this.#write(text, bytes, this.#base.version ? { version: this.#base.version } : 'absent');
  }

  /** Saves as UTF-8 what the file's own encoding cannot hold. */
  async saveAsUtf8(): Promise<void> {
    if (this.question?.about !== 'lost') return;
    this.question = null;
    this.format = { ...this.format, encoding: 'UTF-8' };
    const text = this.#text();
    const { bytes } = this.#bytes(text);
    await this.#write(text, bytes, this.#base.version ? { version: this.#base.version } : 'absent');
  }

  /** Goes back to editing. */
  cancel(): void {
    this.question = null;
  }

  /** Shows what would be replaced. */
  async lookBeforeOverwriting(): Promise<void> {
    const theirs = await this.#readTheirs();
    if (theirs) this.question = { about: 'overwrite', ...theirs };
  }

  /** Puts the text in the place of what was shown. */
  async overwrite(): Promise<void> {
    if (this.question?.about !== 'overwrite') return;
    const { version } = this.question;
    const text = this.#text();
    await this.#write(text, this.#bytes(text).bytes, { version });
  }

  /** Puts the text where no file is any more. */
  async saveAgain(): Promise<void> {
    if (this.question?.about !== 'gone') return;
    const text = this.#text();
    await this.#write(text, this.#bytes(text).bytes, 'absent');
  }

  /** Opens the merge of the text with what is on the disk. */
  async merge(): Promise<void> {
    const found = await this.#readTheirs();
    if (!found) return;
    const { version, theirs } = found;
    // The same again after all: there is nothing to merge.
    if (version === this.#base.version) return this.cancel();
    if (!theirs) return void (this.question = { about: 'two-versions', mergeable: false });
    const half = this.#half?.();
    if (half?.version === version) {
      const { base, mine } = half;
      this.question = { about: 'merge', merge: { base, mine, theirs, again: false, lost: [], half } };
      return;
    }
    const [mine, base] = [this.#text(), await this.#commonBase()];
    this.question = { about: 'merge', merge: { base, mine, theirs, again: false, lost: [] } };
  }

  /** Saves the result of a merge, if nothing has changed since; otherwise that is merged as well. */
  async saveMerged(text: string, { asUtf8 = false } = {}): Promise<void> {
    if (this.question?.about !== 'merge' || this.busy) return;
    const { merge } = this.question;
    const { theirs } = merge;
    const format = mergedFormat(this.format, this.#base.format, theirs.format);
    if (asUtf8) format.encoding = 'UTF-8';
    const { bytes, lost } = writeText(text, format, theirs.raw);
    if (lost.length) return void (this.question = { about: 'merge', merge: { ...merge, lost } });
    this.format = format;
    await this.#write(text, bytes, { version: theirs.version }, theirs);
  }

  /** What a save would write. */
  #bytes(text: string) {
    return writeText(text, this.format, this.#base.raw);
  }

  async #write(
    text: string,
    bytes: Uint8Array<ArrayBuffer>,
    condition: Condition,
    merged?: Base,
  ): Promise<void> {
    this.busy = true;
    this.failure = null;
    const written = await this.#disk.write(bytes, condition).then(
      (version) => ({ version }),
      (error: unknown) => ({ error }),
    );
    this.busy = false;
    if ('version' in written) await this.#saved(text, written.version, merged);
    else if (isConflict(written.error)) await this.#collide(written.error, text, merged);
    else if (isMissing(written.error) && condition !== 'absent') this.question = { about: 'gone' };
    else this.failure = written.error;
    this.#lookAgain();
  }

  async #saved(text: string, version: string, merged?: Base): Promise<void> {
    const raw = withEndings(text, this.format, merged?.raw ?? this.#base.raw);
    this.#base = { text, raw, format: this.format, version };
    this.#baseKnown = true;
    this.#half = undefined;
    this.question = null;
    this.note = 'none';
    this.savedAt = new Date();
    if (merged) this.shown = { text };
    // Keys that came while it was being saved.
    this.changed = !merged && this.#text() !== text;
    clearTimeout(this.#keeping);
    await this.#keep();
  }

  /** Something else is there by now. */
  async #collide(error: ApiFailure, text: string, merged?: Base): Promise<void> {
    if (error.conflict && !error.conflict.version) return void (this.question = { about: 'gone' });
    this.note = 'changed';
    const there = error.conflict;
    if (!merged) return void (this.question = { about: 'two-versions', mergeable: true, there });
    const theirs = (await this.#readTheirs())?.theirs;
    if (theirs)
      this.question = {
        about: 'merge',
        merge: { base: merged.text, mine: text, theirs, again: true, lost: [] },
      };
  }

  // What happens on the disk ------------------------------------------------------------------------------------------

  /** Takes in what is there now. */
  look(seen: Seen): void {
    this.others = seen.others;
    if (this.stage !== 'editing') return;
    if (this.busy) return void (this.#unlooked = seen);
    if (!seen.entry) return this.#vanished();
    if (seen.entry.version === this.#base.version) {
      if (this.note === 'changed' || this.note === 'gone') this.note = 'none';
      return;
    }
    if (this.changed || this.question) this.note = 'changed';
    else void this.#reload();
  }

  #vanished(): void {
    if (this.#base.version) this.note = 'gone';
  }

  #lookAgain(): void {
    const seen = this.#unlooked;
    this.#unlooked = undefined;
    if (seen) this.look(seen);
  }

  /** Nothing was changed here, so what is there now is simply shown. */
  async #reload(): Promise<void> {
    this.busy = true;
    try {
      const base = await this.#read();
      if (!base) return;
      if (this.changed || this.question) {
        this.note = 'changed';
      } else {
        this.#show(base);
        this.note = 'reloaded';
      }
    } catch (error) {
      if (isMissing(error)) this.#vanished();
      else this.note = 'changed';
    } finally {
      this.busy = false;
      this.#lookAgain();
    }
  }

  #show(base: Base): void {
    this.#base = base;
    this.format = base.format;
    this.shown = { text: base.text };
    this.changed = false;
  }

  /** The file; undefined if it is not text. */
  async #read(): Promise<Base | undefined> {
    const { bytes, version } = await this.#disk.read();
    this.size = bytes.length;
    const file = readText(bytes);
    return file && { ...file, version };
  }

  /** What is on the disk, to be put beside mine; what stands against that is told instead. */
  async #readTheirs(): Promise<{ version: string; theirs?: Base } | undefined> {
    this.busy = true;
    this.failure = null;
    try {
      const { bytes, version } = await this.#disk.read();
      const file = readText(bytes);
      return { version, theirs: file && { ...file, version } };
    } catch (error) {
      if (error instanceof TooLarge) return { version: error.version };
      if (isMissing(error)) this.question = { about: 'gone' };
      else this.failure = error;
      return undefined;
    } finally {
      this.busy = false;
    }
  }

  /** The text that both were made from: kept here since it was loaded, else among the versions of the file. */
  async #commonBase(): Promise<string | undefined> {
    const { text, version } = this.#base;
    if (this.#baseKnown) return version ? text : undefined;
    const former = await this.#disk.former(version).catch(() => undefined);
    return former && readText(former)?.text;
  }

  // Drafts ------------------------------------------------------------------------------------------------------------

  async #findDraft(): Promise<Draft | undefined> {
    try {
      return await this.#drafts.find();
    } catch {
      this.drafts = false;
      return undefined;
    }
  }

  async #keep(): Promise<void> {
    if (this.#over || this.question?.about === 'draft') return;
    if (this.changed) await this.#put(true);
    else await this.#drafts.forget().catch(() => undefined);
  }

  async #put(held: boolean): Promise<void> {
    const { raw, version } = this.#base;
    const draft = { text: this.#text(), version, format: this.format, changed: Date.now() };
    const base = this.#baseKnown ? raw : undefined;
    // Where there is no room for all of it, what was typed matters most: the base may be among the file's versions.
    const some = [{ ...draft, base, merging: this.#half?.() }, { ...draft, base }, draft];
    let kept = false;
    const tryToKeep = (one: Kept) =>
      this.#drafts.keep(one, held).then(
        () => true,
        () => false,
      );
    for (const one of some) kept ||= await tryToKeep(one);
    this.drafts = kept;
  }
}

/** What a draft was made from. */
function baseOf({ base = '', format, version }: Draft): Base {
  return { text: base.replace(/\r\n?/g, '\n'), raw: base, format, version };
}

/** What one side changed of the encoding and the line endings; theirs where both did. */
function mergedFormat(mine: TextFormat, base: TextFormat, theirs: TextFormat): TextFormat {
  const pick = <K extends keyof TextFormat>(key: K): TextFormat[K] =>
    theirs[key] === base[key] ? mine[key] : theirs[key];
  return { encoding: pick('encoding'), ending: pick('ending'), mixed: pick('mixed') };
}

const isConflict = (error: unknown): error is ApiFailure =>
  error instanceof ApiFailure && (error.code === 'CONFLICT' || error.code === 'EXISTS');

const isMissing = (error: unknown): boolean => error instanceof ApiFailure && error.status === 404;
