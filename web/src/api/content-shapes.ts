// The shapes of writing, by hand until the description of the API tells them.
import type { components } from './schema.gen';

type Entry = components['schemas']['Entry'];

export interface Written extends Entry {
  outcome: 'done' | 'replaced' | 'renamed' | 'skipped' | 'failed';
  sha256?: string;
  undo?: string;
}

export interface Version {
  id: string;
  size: number;
  modified: string | null;
  version: string;
  replaced_at: string;
  replaced_by: string;
}

export interface Versions {
  path: string;
  versions: Version[];
}

/** What is at a watched place. */
export interface Seen {
  entry: Entry | null;
  changed_by?: string;
  others: number;
}

/** A file to be told of. */
export interface Watch {
  device: string;
  share: string;
  path: string;
  editing: boolean;
}

export interface FileChanged {
  type: 'file_changed';
  device: string;
  share: string;
  path: string;
  seen: Seen;
}
