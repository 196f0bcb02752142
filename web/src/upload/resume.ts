// Finding, among files that were dropped or picked again, those that were under way. The same name, size and time of
// change mean the same file: nothing else of it can be known without reading all of it. Pure.
import type { Batch, Item } from './batch';
import type { GatheredFile } from './gather';

const keyOf = (path: string, size: number, modified: number) => `${path}\n${size}\n${modified}`;

export interface Match {
  batch: Batch;
  item: Item;
  file: File;
}

/** What of some batches is waited for, to be found among files again. */
export class Waited {
  readonly #by = new Map<string, { batch: Batch; item: Item }>();

  constructor(batches: readonly Batch[]) {
    for (const batch of batches) {
      for (const item of batch.items) {
        if (item.state !== 'missing' && item.state !== 'done') continue;
        this.#by.set(keyOf(item.path, item.size, item.modified), { batch, item });
      }
    }
  }

  /** Which of these files go on with which items, and which are new. */
  match(files: readonly GatheredFile[]): { matches: Match[]; rest: GatheredFile[] } {
    const matches: Match[] = [];
    const rest: GatheredFile[] = [];
    for (const one of files) {
      const { path, file } = one;
      const found = this.#by.get(keyOf(path, file.size, file.lastModified));
      if (found) matches.push({ ...found, file });
      else rest.push(one);
    }
    return { matches, rest };
  }
}
