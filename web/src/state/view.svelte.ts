// How a folder is shown: order and list or grid, remembered for each folder, and a few choices for all of them.
import type { SortBy, SortOrder } from '../api/types';
import type { FolderPlace } from '../routes';

export type Layout = 'list' | 'grid';

export interface FolderView {
  sort: SortBy;
  order: SortOrder;
  layout: Layout;
}

const FOLDERS = 'lanthorn.views';
const LAYOUT = 'lanthorn.layout';
const INSPECTOR = 'lanthorn.inspector';
const DOTFILES = 'lanthorn.dotfiles';
/** Folders remembered; the one changed longest ago goes first. */
const MOST_FOLDERS = 500;
/** Newest and largest first is what people look for; names and kinds start at A. */
const FIRST_ORDER: Record<SortBy, SortOrder> = { name: 'asc', kind: 'asc', size: 'desc', modified: 'desc' };

function readFolders(): [string, FolderView][] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(FOLDERS) ?? '[]');
    return Array.isArray(kept) ? (kept as [string, FolderView][]) : [];
  } catch {
    return [];
  }
}

const keyOf = (place: FolderPlace) => `${place.device}/${place.share}/${place.path}`;

export class Views {
  #folders = $state.raw(new Map(readFolders()));
  /** What a folder that was never changed looks like: as the last choice anywhere. */
  #layout = $state<Layout>(localStorage.getItem(LAYOUT) === 'grid' ? 'grid' : 'list');
  inspector = $state(localStorage.getItem(INSPECTOR) !== 'closed');
  showDotfiles = $state(localStorage.getItem(DOTFILES) === 'shown');

  of(place: FolderPlace): FolderView {
    return this.#folders.get(keyOf(place)) ?? { sort: 'name', order: 'asc', layout: this.#layout };
  }

  setLayout(place: FolderPlace, layout: Layout): void {
    this.#layout = layout;
    localStorage.setItem(LAYOUT, layout);
    this.#change(place, { layout });
  }

  /** Orders by this; by the same again turns the order round. */
  sortBy(place: FolderPlace, sort: SortBy): void {
    const now = this.of(place);
    const turned = now.order === 'asc' ? 'desc' : 'asc';
    this.#change(place, { sort, order: now.sort === sort ? turned : FIRST_ORDER[sort] });
  }

  toggleInspector(): void {
    this.inspector = !this.inspector;
    localStorage.setItem(INSPECTOR, this.inspector ? 'open' : 'closed');
  }

  toggleDotfiles(): void {
    this.showDotfiles = !this.showDotfiles;
    localStorage.setItem(DOTFILES, this.showDotfiles ? 'shown' : 'hidden');
  }

  #change(place: FolderPlace, change: Partial<FolderView>): void {
    const folders = new Map(this.#folders);
    const key = keyOf(place);
    const view = { ...this.of(place), ...change };
    folders.delete(key);
    folders.set(key, view);
    this.#folders = new Map([...folders].slice(-MOST_FOLDERS));
    localStorage.setItem(FOLDERS, JSON.stringify([...this.#folders]));
  }
}

export const views = new Views();
