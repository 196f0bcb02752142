// The shapes of writing, until the program's description of itself has them.
import type { EntryType } from './types';
type ErrorBody = {
  code: string;
  message: string;
  hint: string;
  request_id: string;
  retry_after?: number | null;
};

export type Clash = 'ask' | 'rename' | 'replace' | 'skip';
export type Outcome = 'done' | 'replaced' | 'renamed' | 'skipped' | 'failed';
export interface ActItem {
  from: string;
  to?: string | null;
  outcome: Outcome;
  error?: ErrorBody | null;
}
export interface Acted {
  items: ActItem[];
  undo?: string | null;
}
export type NameRule =
  | { kind: 'replace'; find: string; with: string; match_case?: boolean }
  | { kind: 'number'; text: string; start: number };
export interface Trashed {
  id: string;
  path: string;
  type: EntryType;
  size: number;
  deleted_at: string;
  deleted_by: string;
}
export interface Trash {
  items: Trashed[];
  days: number;
}
export interface Upload {
  id: string;
  path: string;
  length: number | null;
  offset: number;
  created: string;
  expires: string;
}
export interface Uploads {
  uploads: Upload[];
}
export type UnpackEvent =
  | ({ event: 'item' } & ActItem)
  | { event: 'done'; files: number; folders: number; bytes: number; undo?: string | null }
  | { event: 'broken'; error: ErrorBody };
export interface CopyAcross {
  from: { device: string; share: string; paths: string[] };
  to: { device: string; share: string; path: string };
  move: boolean;
  clash: Clash;
}
export type CopyEvent =
  | ({ event: 'item' } & ActItem)
  | {
      event: 'done';
      files: number;
      folders: number;
      bytes: number;
      moved: boolean;
      undo?: string | null;
      undo_source?: string | null;
    }
  | { event: 'broken'; error: ErrorBody };
export interface Step {
  from: string;
  to: string;
}
