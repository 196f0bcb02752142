// What a list on the screen needs to know of what it shows: a folder and a search both are this.
import type { Entry } from '../api/types';

export interface EntrySource {
  /** How many entries there are, loaded or not. */
  readonly total: number;
  /** The entry at this place, if it has come. */
  at(index: number): Entry | undefined;
  /** Says which entries are on the screen, so that they come first. */
  want(first: number, end: number): void;
}
