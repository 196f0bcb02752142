// The tus protocol (1.0.0) as far as the page speaks it: what is sent, and what an answer means for the next step.
// Pure: it knows no request and no clock. https://tus.io/protocols/resumable-upload

import { ApiFailure } from '../api/client';
import type { ApiError, Clash } from '../api/types';

/** What came back. */
export interface Answer {
  status: number;
  header: (name: string) => string | null;
  /** The body, where it is one of the machine's errors. */
  error?: ApiError;
}

/** What to do after an answer. */
export type Step =
  /** Send what follows this byte. */
  | { do: 'send'; offset: number }
  /** The file is in its place. */
  | { do: 'done'; outcome: string; path: string; undo?: string }
  /** The name is taken: somebody has to say what happens. */
  | { do: 'ask'; failure: ApiFailure }
  /** Ask the machine how far it is. */
  | { do: 'look' }
  /** It does not know this upload (any more). */
  | { do: 'begin' }
  /** Try again, later. */
  | { do: 'wait'; seconds: number | undefined; failure: ApiFailure }
  | { do: 'fail'; failure: ApiFailure };

const VERSION = { 'Tus-Resumable': '1.0.0' };
const PIECE = { 'Content-Type': 'application/offset+octet-stream' };

export interface Target {
  /** Where it shall be, in the text form of the API. */
  path: string;
  size: number;
  /** When it was last changed, in milliseconds since 1970. */
  modified: number;
  clash: Clash;
}

/** The headers that begin an upload; with a piece if it is sent at once. */
export function beginning(
  { path, size, modified, clash }: Target,
  withPiece: boolean,
): Record<string, string> {
  const metadata = { path, modified: new Date(modified).toISOString(), clash };
  return {
    ...VERSION,
    'Upload-Length': String(size),
    'Upload-Metadata': metadataOf(metadata),
    ...(withPiece ? PIECE : {}),
  };
}

/** The header in which an upload's key comes, and with which the upload goes on after the login that began it. */
export const KEY = 'Lanthorn-Upload-Key';

/** The headers of a piece. With a choice it publishes an upload that waited for one. */
export function piece(offset: number, key: string | null, clash?: Clash): Record<string, string> {
  const choice: Record<string, string> = clash ? { 'Lanthorn-Clash': clash } : {};
  return { ...plain(key), ...PIECE, 'Upload-Offset': String(offset), ...choice };
}

/** The headers of a question, or of giving an upload up. */
export const plain = (key: string | null): Record<string, string> => ({
  ...VERSION,
  ...(key === null ? {} : { [KEY]: key }),
});

/** `key base64,key base64`; what is empty is left out. */
export function metadataOf(values: Record<string, string>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key} ${base64(value)}`)
    .join(',');
}

function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''));
}

/** The last name in where an upload goes on: the upload's id. */
export function idFrom(location: string | null): string | null {
  const id = location?.split(/[?#]/)[0]?.split('/').filter(Boolean).at(-1);
  return id ? decodeURIComponent(id) : null;
}

/** After beginning, with a piece or without. */
export function afterBegin(answer: Answer, size: number): Step {
  if (answer.status !== 201) return afterRefusal(answer);
  return reached(answer, size, 0);
}

/** After a piece. */
export function afterPiece(answer: Answer, size: number): Step {
  if (answer.status !== 204 && answer.status !== 200) return afterRefusal(answer);
  return reached(answer, size, undefined);
}

/** After the question how far it is. */
export function afterLook(answer: Answer): Step {
  if (answer.status !== 200 && answer.status !== 204) return afterRefusal(answer);
  const offset = offsetOf(answer);
  return offset === undefined ? { do: 'begin' } : { do: 'send', offset };
}

function reached(answer: Answer, size: number, otherwise: number | undefined): Step {
  const outcome = answer.header('Lanthorn-Outcome');
  const offset = offsetOf(answer) ?? (outcome ? size : otherwise);
  if (offset === undefined) return { do: 'look' };
  if (offset < size) return { do: 'send', offset };
  const [path, undo] = [decode(answer.header('Lanthorn-Path')), answer.header('Lanthorn-Undo') ?? undefined];
  return { do: 'done', outcome: outcome ?? 'done', path, undo };
}

function offsetOf(answer: Answer): number | undefined {
  const text = answer.header('Upload-Offset');
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}

function decode(path: string | null): string {
  try {
    return decodeURIComponent(path ?? '');
  } catch {
    return '';
  }
}

/** Answers after which the same may work later: it is too much, or too early, or nobody is there or known. */
const LATER = new Set([401, 408, 423, 425, 429, 502, 503, 504]);
const LATER_CODES = new Set(['BUSY', 'TOO_MANY', 'TIMED_OUT', 'DEVICE_OFFLINE', 'DEVICE_UNREACHABLE']);

/** True if the same may work later. */
export const isPassing = ({ status, code }: ApiFailure) => LATER.has(status) || LATER_CODES.has(code);

function afterRefusal(answer: Answer): Step {
  const failure = failureOf(answer);
  if (isPassing(failure)) return { do: 'wait', seconds: failure.retryAfter, failure };
  if (answer.status === 404 || answer.status === 410) {
    // Without words it is the upload that is not there; with them it may be the share.
    return failure.code === 'NOT_FOUND' || failure.code === 'GONE' || failure.code.startsWith('HTTP_')
      ? { do: 'begin' }
      : { do: 'fail', failure };
  }
  if (failure.code === 'OFFSET_CONFLICT') return { do: 'look' };
  if (failure.code === 'EXISTS') return { do: 'ask', failure };
  return { do: 'fail', failure };
}

/** What the machine said against it. An answer to HEAD has no words. */
export function failureOf({ status, header, error }: Answer): ApiFailure {
  const nothing = { code: `HTTP_${status}` as const, message: '', hint: '', request_id: '' };
  const retry_after = error?.retry_after ?? (Number(header('Retry-After')) || undefined);
  return new ApiFailure({ ...(error ?? nothing), retry_after }, status);
}
