// What a list on the screen needs to know of what it shows: a folder and a search both are this.
import type { Place } from '../api/files';
import type { Entry } from '../api/types';

/** An entry, and which share it is in. */
export interface Chosen {
  place: Place;
  entry: Entry;
}

export interface EntrySource {
  /** How many entries there are, loaded or not. */
  readonly total: number;
  /** The entry at this place, if it has come. */
  at(index: number): Entry | undefined;
  /** Says which entries are on the screen, so that they come first. */
  want(first: number, end: number): void;
}
