// The way to the uploads for the rest of the page: small, since all of the page has it. The uploads themselves are
// loaded when something is dropped, pasted or picked for the first time, or was under way before a reload.
import { getUploads } from '../api/acts';
import type { Place } from '../api/files';
import type { FolderPlace } from '../routes';
import type { Dropped } from '../upload/capture';
import type { Source } from '../upload/gather';
import type { Queue } from '../upload/queue.svelte';

/** Set while something may have been under way: see upload/keep.ts, which is not loaded to know it. */
const FLAG = 'lanthorn.uploads';

class Uploads {
  queue = $state.raw<Queue | null>(null);
  #loading: Promise<Queue> | undefined;
  #restored = false;
  #looked = new Set<string>();

  load(): Promise<Queue> {
    return (this.#loading ??= import('../upload/queue.svelte').then(
      ({ Queue }) => (this.queue = new Queue()),
    ));
  }

  /** What was dropped on a folder, or pasted into it. */
  async drop(folder: FolderPlace, target: string, dropped: Dropped): Promise<void> {
    const { fromDrop } = await import('../upload/gather');
    await this.#add(folder, target, fromDrop(dropped));
  }

  /** Asks the visitor for files, a folder or a photo, and takes them in. */
  async pick(folder: FolderPlace, target: string, what: 'files' | 'folder' | 'camera'): Promise<void> {
    const { pick } = await import('../upload/pick');
    const source = await pick(what);
    if (source) await this.#add(folder, target, source);
  }

  /** Asks the visitor for one file. */
  async pickOne(): Promise<File | undefined> {
    const { pick } = await import('../upload/pick');
    let one: File | undefined;
    await (await pick('files'))?.walk(({ files }) => (one ??= files[0]?.file));
    return one;
  }

  /** Once for each share: what waits there for its rest, wherever it was begun. */
  async look(place: Place): Promise<void> {
    const share = `${place.device}/${place.share}`;
    if (this.#looked.has(share)) return;
    this.#looked.add(share);
    // Whoever may not be told now is not told.
    const { uploads } = await getUploads(place).catch(() => ({ uploads: [] }));
    if (uploads.length > 0) await (await this.load()).found(place, uploads);
  }

  /** Once after signing in: takes up what a reload interrupted, and goes on where nobody was signed in any more. */
  restore(): void {
    this.queue?.nudge();
    if (this.#restored || localStorage.getItem(FLAG) === null) return;
    this.#restored = true;
    void this.load().then((queue) => queue.restore());
  }

  async #add(folder: FolderPlace, target: string, source: Source): Promise<void> {
    await (await this.load()).add(folder, target, source);
  }
}

export const uploads = new Uploads();
