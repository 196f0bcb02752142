// Changes that are not saved yet, kept in this browser so that neither a reload nor a crash loses them. One draft for each
// file and tab; a tab that is open holds its drafts, so that another one does not offer them.
import type { Place } from '../api/files';
import type { TextFormat } from './text-format';
import type { Span } from './three-way';

/** A merge that is not saved yet: what of its result stands so far. */
export interface HalfMerge {
  base: string | undefined;
  mine: string;
  /** The other side. */
  version: string;
  text: string;
  /** Where each place is in the text. */
  spans: Span[];
  /** Places for which somebody still has to choose. */
  open: number[];
}

/** A text that was changed, and what it was changed from. */
export interface Draft {
  place: Place;
  path: string;
  /** Whose it is: the next person at this browser does not see it. */
  principal: string;
  tab: string;
  text: string;
  /** What it was made from, with its line endings; absent where there was no room for it. */
  base?: string;
  /** The version that was; empty where there was no file. */
  version: string;
  format: TextFormat;
  /** Where it is being merged. */
  merging?: HalfMerge;
  /** When it was last changed, in milliseconds. */
  changed: number;
  /** Until when the tab that made it counts as open. */
  heldUntil: number;
}

/** Where drafts are kept. What cannot be kept rejects. */
export interface DraftStore {
  put: (key: string, draft: Draft) => Promise<void>;
  delete: (key: string) => Promise<void>;
  all: () => Promise<Draft[]>;
}

/** A tab says so often that it is open, and is believed for twice as long and a little. */
export const HOLD_MS = 10_000;
export const HELD_MS = 25_000;

export const keyOf = ({ principal, place, path, tab }: Draft): string =>
  JSON.stringify([principal, place.device, place.share, path, tab]);

/** True while another open tab is at it. */
export const isHeld = (draft: Draft, tab: string, now: number): boolean =>
  draft.tab !== tab && draft.heldUntil > now;

/** The drafts of one visitor in one browser, as one tab sees them. */
export class Drafts {
  readonly #store: DraftStore;
  readonly #principal: string;
  readonly #tab: string;
  readonly #now: () => number;

  constructor(store: DraftStore, principal: string, tab: string, now: () => number = Date.now) {
    this.#store = store;
    this.#principal = principal;
    this.#tab = tab;
    this.#now = now;
  }

  /** All that no other open tab is at, the last changed first. */
  async all(): Promise<Draft[]> {
    const drafts = await this.#store.all();
    return drafts
      .filter((draft) => draft.principal === this.#principal && !isHeld(draft, this.#tab, this.#now()))
      .toSorted((a, b) => b.changed - a.changed);
  }

  /** The last changed one of a file. */
  async of(place: Place, path: string): Promise<Draft | undefined> {
    const all = await this.all();
    return all.find(
      (draft) =>
        draft.path === path && draft.place.device === place.device && draft.place.share === place.share,
    );
  }

  /** Keeps it as this tab's, held or let go. */
  async keep(draft: Omit<Draft, 'principal' | 'tab' | 'heldUntil'>, held: boolean): Promise<void> {
    const heldUntil = held ? this.#now() + HELD_MS : 0;
    const mine = { ...draft, principal: this.#principal, tab: this.#tab, heldUntil };
    await this.#store.put(keyOf(mine), mine);
  }

  /** Forgets this tab's draft of a file. */
  forget(place: Place, path: string): Promise<void> {
    const key = JSON.stringify([this.#principal, place.device, place.share, path, this.#tab]);
    return this.#store.delete(key);
  }

  /** Takes over one that was left, perhaps by another tab. */
  async adopt(draft: Draft): Promise<void> {
    await this.keep(draft, true);
    if (draft.tab !== this.#tab) await this.drop(draft);
  }

  drop(draft: Draft): Promise<void> {
    return this.#store.delete(keyOf(draft));
  }
}
