// The files of a share: asking for lists, and the addresses that the browser itself opens.
import { lastName, parentPath } from '../routes';
import { address, request, requestJson } from './client';
import type { ArchiveFormat, Entry, ListQuery, Listing, MediaInfo, SearchEvent, SearchQuery } from './types';

/** Which share of which machine. */
export interface Place {
  device: string;
  share: string;
}

/** The address of something in a share. */
export function resource({ device, share }: Place, tail: string): string {
  return `/api/v1/devices/${encodeURIComponent(device)}/shares/${encodeURIComponent(share)}/${tail}`;
}

export const list = (place: Place, query: ListQuery, signal?: AbortSignal) =>
  requestJson<Listing>(resource(place, 'list'), { query: { ...query }, signal });

export const stat = (place: Place, path: string, signal?: AbortSignal) =>
  requestJson<Entry>(resource(place, 'stat'), { query: { path }, signal });

export const mediaInfo = (place: Place, path: string, signal?: AbortSignal) =>
  requestJson<MediaInfo>(resource(place, 'media'), { query: { path }, signal });

/** The content, to be shown or played; byte ranges work. */
export const streamUrl = (place: Place, path: string, version?: string) =>
  address(resource(place, 'stream'), { path, v: version });

/** The content, to be saved. */
export const downloadUrl = (place: Place, path: string) => address(resource(place, 'download'), { path });

/** A folder, or the named entries of it, packed. */
export const archiveUrl = (place: Place, path: string, names: string[], format: ArchiveFormat) =>
  address(resource(place, 'archive'), { path, names: names.join('/'), format });

/** A folder as one archive. It unpacks as that folder, so that its files do not spill over what is there already. */
export const folderArchiveUrl = (place: Place, path: string, format: ArchiveFormat) =>
  path === ''
    ? archiveUrl(place, '', [], format)
    : archiveUrl(place, parentPath(path), [lastName(path)], format);

export const thumbnailUrl = (place: Place, entry: Pick<Entry, 'path' | 'version'>, size: number) =>
  address(resource(place, 'thumbnail'), { path: entry.path, size, v: entry.version });

export const transcodeUrl = (place: Place, path: string, start: number, viewer: string) =>
  address(resource(place, 'transcode'), { path, start, viewer });

/** Searches all machines, or where the query says; results as each of them answers. Ends when `signal` says so. */
export async function* search(query: SearchQuery, signal: AbortSignal): AsyncGenerator<SearchEvent, void> {
  const headers = { Accept: 'application/x-ndjson' };
  const response = await request('/api/v1/files/search', { query: { ...query }, headers, signal });
  for await (const line of lines(response)) yield JSON.parse(line) as SearchEvent;
}

/** The lines of a streamed answer, without their ends; empty ones are left out. */
export async function* lines(response: Response): AsyncGenerator<string, void> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const parts = (rest + value).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) if (part) yield part;
    }
    if (rest) yield rest;
  } finally {
    // Giving up early must also end the work on the machine.
    await reader.cancel().catch(() => undefined);
  }
}
