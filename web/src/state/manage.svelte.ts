// The way to what changes files (renaming, moving, deleting, undoing) for the rest of the page: small, since all of the
// page has it. The acts themselves and their windows are loaded when the first one is wished for.
import type { Place } from '../api/files';
import type { Trashed } from '../api/types';
import type { Desk } from '../manage/desk.svelte';
import type { FolderPlace } from '../routes';
import type { Chosen } from './entries';

export type Way = 'move' | 'copy';

/** What was cut or copied inside the page. */
export interface Clip {
  way: Way;
  chosen: Chosen[];
}

class Manage {
  desk = $state.raw<Desk | null>(null);
  clip = $state.raw<Clip | null>(null);
  /** What is being dragged inside the page: events carry its kind only. */
  dragged: Chosen[] = [];
  #loading: Promise<Desk> | undefined;

  /** True for what was cut and waits for its new place. */
  isCut(place: Place, path: string): boolean {
    if (this.clip?.way !== 'move') return false;
    return this.clip.chosen.some((one) => one.entry.path === path && one.place.share === place.share);
  }

  hold(way: Way, chosen: Chosen[]): void {
    this.clip = chosen.length > 0 ? { way, chosen } : null;
  }

  rename = (chosen: Chosen[]) => this.#ask((desk) => desk.rename(chosen));
  remove = (chosen: Chosen[]) => this.#ask((desk) => desk.remove(chosen));
  newFolder = (folder: FolderPlace) => this.#ask((desk) => desk.newFolder(folder));
  newText = (folder: FolderPlace) => this.#ask((desk) => desk.newText(folder));
  did = (place: Place, path: string, token: string, what: string) =>
    this.#ask((desk) => desk.did(place, path, token, what));
  put = (chosen: Chosen[], folder: FolderPlace, way: Way) =>
    this.#ask((desk) => desk.put(chosen, folder, way));
  undo = (id?: string) => this.#ask((desk) => desk.undo(id));

  /** Brings things back out of the trash; tells how many came. */
  restore = async (place: Place, some: Trashed[]) => (await this.#load()).restore(place, some);

  /** Puts what was cut or copied into a folder. What was cut is so once. */
  paste(folder: FolderPlace): void {
    const { clip } = this;
    if (!clip) return;
    if (clip.way === 'move') this.clip = null;
    this.put(clip.chosen, folder, clip.way);
  }

  #load(): Promise<Desk> {
    return (this.#loading ??= import('../manage/desk.svelte').then(({ Desk }) => (this.desk = new Desk())));
  }

  #ask(wish: (desk: Desk) => unknown): void {
    void this.#load().then(wish);
  }
}

export const manage = new Manage();
