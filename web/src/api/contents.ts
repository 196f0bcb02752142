// The content of single files: read whole, replaced, and what it was before.
import { address, ApiFailure, request, requestJson } from './client';
import { resource, streamUrl, type Place } from './files';
import type { Version, Versions, Written } from './types';

/** A content, and the version that it is. */
export interface Content {
  bytes: Uint8Array<ArrayBuffer>;
  version: string;
}

/** What must be at the place for a content to be put there: this version, or nothing. */
export type Condition = { version: string } | 'absent';

/** Reads a file of at most so many bytes. Throws {@link TooLarge}. */
export async function readContent(place: Place, path: string, limit: number): Promise<Content> {
  const response = await request(streamUrl(place, path), { headers: { Accept: '*/*' }, cache: 'no-cache' });
  const size = Number(response.headers.get('content-length') ?? 0);
  if (size > limit) {
    await response.body?.cancel();
    throw new TooLarge(size, versionOf(response));
  }
  return { bytes: await bytesOf(response), version: versionOf(response) };
}

/** A file that is too large for what was meant to be done with it. */
export class TooLarge extends Error {
  constructor(
    readonly size: number,
    readonly version: string,
  ) {
    super(`${size} bytes are too many`);
  }
}

/** Puts a content in the place of that version; the one that was there is kept. Throws CONFLICT, EXISTS. */
export function putContent(
  place: Place,
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  condition: Condition,
): Promise<Written> {
  const headers: Record<string, string> =
    condition === 'absent' ? { 'If-None-Match': '*' } : { 'If-Match': `"${condition.version}"` };
  return requestJson<Written>(resource(place, 'content'), {
    method: 'PUT',
    query: { path },
    headers,
    content: bytes,
  });
}

/** Puts a content beside what is there: under another name if this one is taken. */
export const putBeside = (place: Place, path: string, bytes: Uint8Array<ArrayBuffer>) =>
  requestJson<Written>(resource(place, 'content'), {
    method: 'PUT',
    query: { path, clash: 'rename' },
    content: bytes,
  });

/** What the file was before, newest first. */
export const getVersions = (place: Place, path: string) =>
  requestJson<Versions>(resource(place, 'versions'), { query: { path } });

/** A former content, to be saved. */
export const versionUrl = (place: Place, path: string, id: string) =>
  address(resource(place, 'versions/content'), { path, id });

export async function readVersion(place: Place, path: string, id: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await request(versionUrl(place, path, id), { headers: { Accept: '*/*' } });
  return bytesOf(response);
}

/** Makes a former content the present one, which is kept in turn. */
export const restoreVersion = (place: Place, path: string, { id }: Version) =>
  requestJson<Written>(resource(place, 'versions/restore'), { method: 'POST', body: { path, id } });

async function bytesOf(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch {
    throw ApiFailure.unreachable();
  }
}

/** The version is the entity tag without its quotes. */
const versionOf = (response: Response) => (response.headers.get('etag') ?? '').replace(/^(?:W\/)?"|"$/g, '');
