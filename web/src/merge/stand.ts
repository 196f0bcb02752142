// How a change that was left in this browser stands to what is on its machine now. Pure.
import type { Entry } from '../api/types';
import type { Draft } from '../editor/drafts';

/**
 * `open`: the file was changed elsewhere as well. `gone`: it is not there any more. `unsaved`: nothing else happened to
 * it. `away`: its machine cannot be asked.
 */
export type Stand = 'open' | 'gone' | 'unsaved' | 'away';

/** What is at the place now: nothing, or nobody knows. */
export type Now = Entry | null | 'away';

export function standOf({ version }: Draft, now: Now): Stand {
  if (now === 'away') return 'away';
  if (!now) return version ? 'gone' : 'unsaved';
  return now.version === version ? 'unsaved' : 'open';
}

/** `notes.txt` → `notes (mine).txt`, in the visitor's words. */
export function mineName(name: string, words: (stem: string, ending: string) => string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? words(name.slice(0, dot), name.slice(dot)) : words(name, '');
}
