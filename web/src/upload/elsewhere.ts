// Uploads that were begun otherwise than in this browser, or of which it has forgotten: which of them wait for somebody, and
// whether a file is the one that was begun. Pure.
import type { Place } from '../api/files';
import type { Upload } from '../api/types';
import type { Answer } from './tus';

export interface Elsewhere {
  place: Place;
  upload: Upload;
}

const HOUR_MS = 3_600_000;
/** For how long the machine keeps an upload to which nothing comes. */
const KEPT_MS = 24 * HOUR_MS;
/** One to which something came so lately goes on where it was begun. */
const QUIET_MS = 60_000;

/** Those that nothing comes to, and that are not known here. */
export const waiting = (uploads: readonly Upload[], known: ReadonlySet<string>, now: number): Upload[] =>
  uploads.filter(({ id, expires }) => !known.has(id) && Date.parse(expires) - KEPT_MS < now - QUIET_MS);

/** True unless it is known that this file is another: by its size, and by its time where that was told. */
export function isSameFile(upload: Upload, about: Answer, file: File): boolean {
  if (upload.length !== null && upload.length !== file.size) return false;
  const told = metadataIn(about.header('Upload-Metadata')).modified;
  if (!told) return true;
  const modified = /^\d+$/.test(told) ? Number(told) : Date.parse(told);
  return Math.floor(modified / 1_000) === Math.floor(file.lastModified / 1_000);
}

/** `key base64,key base64` */
function metadataIn(header: string | null): Record<string, string | undefined> {
  const pairs = (header ?? '').split(',').map((pair) => pair.trim().split(' '));
  return Object.fromEntries(pairs.map(([key = '', value = '']) => [key, decode(value)]));
}

function decode(base64: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
  } catch {
    return '';
  }
}
