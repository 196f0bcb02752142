// Changes files and says so: carries acts out, asks where something has to be chosen, offers to undo. Its windows are in
// Host.svelte. One for the whole page; loaded when it is first needed.
import { ApiFailure } from '../api/client';
import { stat, type Place } from '../api/files';
import type { Acted, ActItem, Clash, Trashed } from '../api/types';
import * as api from '../api/acts';
import { putContent } from '../api/contents';
import { formatCount } from '../lib/format';
import { editHref, joinPath, lastName, parentPath, type FolderPlace } from '../routes';
import { catalog } from '../state/catalog.svelte';
import { changes } from '../state/changes';
import type { Way } from '../state/manage.svelte';
import type { Chosen } from '../state/entries';
import { router } from '../state/router.svelte';
import { toasts } from '../state/toasts.svelte';
import { managingWords } from '../text/managing.svelte';
import { t, text } from '../text/text.svelte';
import { sentenceOf } from '../ui/failure';
import { byFolder, groupsOf, isIdle, isWithin, samePlace, stepsInto, type Group } from './plan';
import { pushUndo, takeUndo, type Part } from './undo';

/** A window that is open. */
export type Window =
  | { kind: 'name'; title: string; label: string; name: string; save: (name: string) => Promise<unknown> }
  | { kind: 'names'; place: Place; chosen: Chosen[] }
  | { kind: 'delete'; chosen: Chosen[]; run: () => Promise<unknown> }
  | { kind: 'clash'; name: string; others: number; folder: boolean; answer: (answer: Answer | null) => void }
  | { kind: 'problems'; problems: Problem[] };

export interface Answer {
  clash: Exclude<Clash, 'ask'>;
  forAll: boolean;
}

export interface Problem {
  path: string;
  failure: ApiFailure;
}

/** Something done in one share, in as many requests as it takes. */
interface Deed {
  place: Place;
  tokens: string[];
  /** Items that are where they shall be. */
  done: ActItem[];
  problems: Problem[];
}

const newDeed = (place: Place): Deed => ({ place, tokens: [], done: [], problems: [] });

export class Desk {
  window = $state.raw<Window | null>(null);

  close = () => {
    const { window } = this;
    this.window = null;
    if (window?.kind === 'clash') window.answer(null);
  };

  /** Closes this window, unless another has taken its place. */
  closeIf(window: Window | null): void {
    if (this.window === window) this.close();
  }

  rename(chosen: Chosen[]): void {
    const [first] = chosen;
    if (!first) return;
    if (chosen.length > 1) this.window = { kind: 'names', place: first.place, chosen };
    else this.window = this.#nameWindow(first);
  }

  #nameWindow({ place, entry }: Chosen): Window {
    const words = managingWords().manage;
    return {
      kind: 'name',
      title: words.renameTitle(entry.name),
      label: words.newName,
      name: entry.name,
      save: async (name) => {
        const to = joinPath(parentPath(entry.path), name);
        if (to === entry.path) return;
        const deed = newDeed(place);
        this.#take(deed, await api.moveItems(place, [{ from: entry.path, to }], 'ask'));
        // A name that is taken or cannot be is said in the window, where another can be typed.
        throwFirst(deed);
        this.#finish([deed], managingWords().manage.renamed(lastName(to)));
      },
    };
  }

  newFolder(folder: FolderPlace): void {
    const words = managingWords().manage;
    this.window = {
      kind: 'name',
      title: words.newFolder,
      label: words.folderName,
      name: '',
      save: async (name) => {
        const deed = newDeed({ device: folder.device, share: folder.share });
        this.#take(deed, await api.makeFolder(deed.place, joinPath(folder.path, name)));
        throwFirst(deed);
        this.#finish([deed], managingWords().manage.made(name));
      },
    };
  }

  /** An empty text file, opened to be written. */
  newText(folder: FolderPlace): void {
    const words = managingWords().manage;
    this.window = {
      kind: 'name',
      title: words.newText,
      label: words.textName,
      name: words.textSuggested,
      save: async (name) => {
        const { path } = await putContent(folder, joinPath(folder.path, name), new Uint8Array(), 'absent');
        changes.tell(folder, [path]);
        router.go(editHref({ ...folder, path }));
      },
    };
  }

  /** What another part of the page did to a file: says so, with the way back. */
  did({ device, share }: Place, path: string, token: string, what: string): void {
    const done: ActItem[] = [{ from: path, to: path, outcome: 'replaced' }];
    this.#finish([{ ...newDeed({ device, share }), tokens: [token], done }], what);
  }

  /** Names changed alike. */
  async renameAll(
    place: Place,
    chosen: Chosen[],
    rule: Parameters<typeof api.renameItems>[2],
  ): Promise<void> {
    const deed = newDeed(place);
    this.#take(deed, await api.renameItems(place, pathsOf(chosen), rule, false));
    this.#finish([deed], managingWords().manage.renamedSome(deed.done.length, shown(deed.done.length)));
  }

  remove(chosen: Chosen[]): void {
    if (chosen.length === 0) return;
    const run = () => this.#remove(chosen);
    if (chosen.some(({ entry }) => entry.type === 'folder')) this.window = { kind: 'delete', chosen, run };
    else void this.#quietly(run);
  }

  async #remove(chosen: Chosen[]): Promise<void> {
    const deeds = await this.#each(groupsOf(chosen), ({ place, chosen: some }) =>
      api.deleteItems(place, pathsOf(some)),
    );
    const count = deeds.reduce((sum, { done }) => sum + done.length, 0);
    const [one] = chosen;
    const words = managingWords().manage;
    this.#finish(
      deeds,
      one && chosen.length === 1 ? words.deleted(one.entry.name) : words.deletedSome(count, shown(count)),
    );
  }

  /** Moves or copies into a folder, of the same share or another. */
  put(chosen: Chosen[], folder: FolderPlace, way: Way): void {
    void this.#quietly(() => this.#put(chosen, folder, way));
  }

  async #put(chosen: Chosen[], folder: FolderPlace, way: Way): Promise<void> {
    // A copy beside the original is meant; moving something to where it is does nothing.
    const going = way === 'move' ? chosen.filter((one) => !isIdle(one, folder)) : chosen;
    const deeds: Deed[] = [];
    for (const group of groupsOf(going)) {
      if (samePlace(group.place, folder)) deeds.push(await this.#within(group, folder, way));
      else deeds.push(...(await this.#across(group, folder, way)));
    }
    const count = deeds.reduce((sum, { done }) => sum + done.length, 0);
    const target = lastName(folder.path) || (catalog.share(folder.share)?.name ?? '');
    const said = way === 'move' ? managingWords().manage.moved : managingWords().manage.copied;
    this.#finish(deeds, said(count, shown(count), target));
  }

  async #within({ place, chosen }: Group, folder: FolderPlace, way: Way): Promise<Deed> {
    const act = way === 'move' ? api.moveItems : api.copyItems;
    const beside = way === 'copy' && chosen.every(({ entry }) => parentPath(entry.path) === folder.path);
    const run = (some: Chosen[], clash: Clash) => act(place, stepsInto(some, folder.path), clash);
    return this.#asking(place, chosen, beside ? 'rename' : 'ask', labelOf, run);
  }

  /**
   * To another share. What is taken there is asked for before anything leaves: once some of it has come, it would be
   * taken by that.
   */
  async #across({ place, chosen }: Group, folder: FolderPlace, way: Way): Promise<Deed[]> {
    const answers = await this.#askAhead(chosen, folder);
    const deeds: Deed[] = [];
    for (const clash of ['ask', 'rename', 'replace'] as const) {
      const some = chosen.filter((one) => answers.get(one) === clash);
      for (const group of byFolder({ place, chosen: some })) {
        deeds.push(...(await this.#send(group, folder, way, clash)));
      }
    }
    return deeds;
  }

  /** What is to be done with each: `ask` for whatever is not there yet. */
  async #askAhead(chosen: Chosen[], folder: FolderPlace): Promise<Map<Chosen, Clash>> {
    const answers = new Map<Chosen, Clash>();
    const taken: Chosen[] = [];
    const waiting = [...chosen];
    const look = async () => {
      for (let one = waiting.pop(); one; one = waiting.pop()) {
        if (await isTaken(folder, joinPath(folder.path, lastName(one.entry.path)))) taken.push(one);
        else answers.set(one, 'ask');
      }
    };
    await Promise.all(Array.from({ length: LOOKS }, look));
    while (taken.length > 0) {
      const { name, folder: isFolder } = labelOf(taken[0] as Chosen);
      const answer = await this.#clashWindow(name, taken.length - 1, isFolder);
      if (!answer) break;
      for (const one of taken.splice(0, answer.forAll ? taken.length : 1)) answers.set(one, answer.clash);
    }
    return answers;
  }

  /** What came about is undone where it is now; what was taken away, where it was. */
  async #send({ place, chosen }: Group, to: FolderPlace, way: Way, clash: Clash): Promise<Deed[]> {
    const here = newDeed({ device: to.device, share: to.share });
    const there = newDeed(place);
    const wish = { from: { ...place, paths: pathsOf(chosen) }, to: { ...to }, move: way === 'move', clash };
    for await (const event of api.copyAcross(wish)) {
      if (event.event === 'broken') throw failureIn(event.error);
      if (event.event === 'item') this.#take(here, { items: [event] });
      else {
        if (event.undo) here.tokens.push(event.undo);
        if (event.undo_source) there.tokens.push(event.undo_source);
      }
    }
    // Those that are not named came to the place that was asked for.
    const came = chosen.filter(({ entry }) => !here.problems.some(({ path }) => concerns(path, entry.path)));
    here.done = stepsInto(came, to.path).map((step) => ({ ...step, outcome: 'done' as const }));
    return [here, there];
  }

  /** Brings things back out of the trash; says how many came. */
  async restore(place: Place, some: Trashed[]): Promise<number> {
    const label = ({ path, type }: Trashed) => ({ name: lastName(path), folder: type === 'folder' });
    const run = (items: Trashed[], clash: Clash) =>
      api.restoreItems(
        place,
        items.map(({ id }) => id),
        clash,
      );
    const deed = await this.#asking(place, some, 'ask', label, run);
    const [one] = some;
    const { restored, restoredSome } = managingWords().trash;
    const count = deed.done.length;
    this.#finish(
      [deed],
      count === 1 && one ? restored(lastName(one.path)) : restoredSome(count, shown(count)),
    );
    return count;
  }

  /** Carries something out; where names are taken again, as the visitor chooses. */
  async #asking<T>(
    place: Place,
    items: T[],
    clash: Clash,
    label: (item: T) => { name: string; folder: boolean },
    run: (items: T[], clash: Clash) => Promise<Acted>,
  ): Promise<Deed> {
    const deed = newDeed(place);
    const taken = this.#take(deed, await run(items, clash), clash === 'ask');
    const left = items.filter((_, at) => taken.has(at));
    while (left.length > 0) {
      const { name, folder } = label(left[0] as T);
      const answer = await this.#clashWindow(name, left.length - 1, folder);
      if (!answer) break;
      const some = left.splice(0, answer.forAll ? left.length : 1);
      if (answer.clash !== 'skip') this.#take(deed, await run(some, answer.clash));
    }
    return deed;
  }

  #clashWindow(name: string, others: number, folder: boolean): Promise<Answer | null> {
    return new Promise((done) => {
      const answer = (given: Answer | null) => {
        if (this.window?.kind === 'clash') this.window = null;
        done(given);
      };
      this.window = { kind: 'clash', name, others, folder, answer };
    });
  }

  async #each(groups: Group[], run: (group: Group) => Promise<Acted>): Promise<Deed[]> {
    const deeds: Deed[] = [];
    for (const group of groups) {
      const deed = newDeed(group.place);
      this.#take(deed, await run(group));
      deeds.push(deed);
    }
    return deeds;
  }

  /** Notes what an answer says; hands back which items have a taken name, where that is asked about. */
  #take(deed: Deed, acted: Acted, asks = false): Set<number> {
    const taken = new Set<number>();
    if (acted.undo) deed.tokens.push(acted.undo);
    for (const [at, item] of acted.items.entries()) {
      if (asks && item.error?.code === 'EXISTS') taken.add(at);
      else if (item.error) deed.problems.push({ path: item.from, failure: failureIn(item.error) });
      else if (item.outcome !== 'skipped') deed.done.push(item);
    }
    return taken;
  }

  /** Says what was done, with the way back; and what was not. */
  #finish(deeds: Deed[], what: string): void {
    const problems = deeds.flatMap((deed) => deed.problems);
    for (const deed of deeds) changes.tell(deed.place, placesOf(deed));
    if (deeds.some(({ done }) => done.length > 0)) this.#say(deeds, what);
    if (problems.length > 0) this.window = { kind: 'problems', problems };
  }

  #say(deeds: Deed[], what: string): void {
    const parts = deeds.flatMap(({ place, tokens }) => tokens.map((token) => ({ place, token })));
    const [first] = parts;
    if (!first) return toasts.show(what);
    pushUndo({ id: first.token, parts, what });
    const run = () => this.undo(first.token);
    toasts.show(what, { action: { label: managingWords().manage.undo, run } });
  }

  /** Takes back the last act, or the one of this id. */
  undo(id?: string): void {
    void this.#quietly(() => this.#undo(id));
  }

  /** Its parts, last first. */
  async #undo(id?: string): Promise<void> {
    const act = takeUndo(id);
    if (!act) return toasts.show(managingWords().manage.nothingToUndo);
    const problems: Problem[] = [];
    /** What went as a whole cannot go once more by itself. */
    const gone: string[] = [];
    for (const part of act.parts.toReversed()) {
      const deed = newDeed(part.place);
      this.#take(deed, await takeBack(part));
      problems.push(...deed.problems.filter(({ path }) => !gone.some((whole) => isWithin(path, whole))));
      if ('trash' in part) gone.push(...part.trash);
      changes.tell(part.place, placesOf(deed));
    }
    if (problems.length > 0) this.window = { kind: 'problems', problems };
    else toasts.show(managingWords().manage.undone(act.what));
  }

  /** What goes wrong as a whole is said where nothing else can say it. */
  async #quietly(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      toasts.show(sentenceOf(error, t()), { tone: 'danger' });
    }
  }
}

const takeBack = (part: Part) =>
  'token' in part ? api.undoAct(part.place, part.token) : api.deleteItems(part.place, part.trash);

/** Whether a path, from the share's root or from the folder of what is copied, is this entry or in it. */
const concerns = (path: string, entry: string) => isWithin(path, entry) || isWithin(path, lastName(entry));

/** Where what was done is now. */
const placesOf = ({ done }: Deed) => done.map(({ to }) => to ?? '');

/** Questions at once about names that may be taken. */
const LOOKS = 6;

async function isTaken(place: Place, path: string): Promise<boolean> {
  try {
    await stat(place, path);
    return true;
  } catch (error) {
    if (error instanceof ApiFailure && error.code === 'NOT_FOUND') return false;
    throw error;
  }
}

const labelOf = ({ entry }: Chosen) => ({ name: entry.name, folder: entry.type === 'folder' });
const pathsOf = (chosen: readonly Chosen[]) => chosen.map(({ entry }) => entry.path);
const shown = (count: number) => formatCount(count, text.language);

export const failureIn = (error: NonNullable<ActItem['error']>) =>
  new ApiFailure(error as ConstructorParameters<typeof ApiFailure>[0], 0);

/** Throws what was wrong with the only item. */
function throwFirst({ problems }: Deed): void {
  const [problem] = problems;
  if (problem) throw problem.failure;
}
