// Changing the files of a share: acts that can be undone, the trash, and where uploads go.
import { address, request, requestJson } from './client';
import { lines, resource, type Place } from './files';
import type { Acted, Clash, CopyAcross, CopyEvent, NameRule, Step, Trash, Uploads } from './types';

const act = (place: Place, door: string, body: unknown) =>
  requestJson<Acted>(resource(place, door), { method: 'POST', body });

export const makeFolder = (place: Place, path: string) => act(place, 'mkdir', { path, parents: false });

export const moveItems = (place: Place, items: Step[], clash: Clash) => act(place, 'move', { items, clash });

export const copyItems = (place: Place, items: Step[], clash: Clash) => act(place, 'copy', { items, clash });

/** Names changed alike; as a preview nothing is done. */
export const renameItems = (place: Place, paths: string[], rule: NameRule, preview: boolean) =>
  act(place, 'rename', { paths, rule, preview });

/** To the share's trash. */
export const deleteItems = (place: Place, paths: string[]) => act(place, 'delete', { paths });

export const restoreItems = (place: Place, ids: string[], clash: Clash) =>
  act(place, 'restore', { ids, clash });

export const undoAct = (place: Place, token: string) => act(place, 'undo', { token });

export const getTrash = (place: Place) => requestJson<Trash>(resource(place, 'trash'));

/** For good: one thing, or with no id all of them. */
export const emptyTrash = (place: Place, id?: string) =>
  requestJson<unknown>(resource(place, 'trash'), { method: 'DELETE', query: { id } });

/** The visitor's own uploads that have not come to their end. */
export const getUploads = (place: Place) => requestJson<Uploads>(resource(place, 'uploads'));

export const uploadsUrl = (place: Place) => resource(place, 'uploads');

export const uploadUrl = (place: Place, id: string) => resource(place, `uploads/${encodeURIComponent(id)}`);

/** Takes a tar archive and unpacks it into a folder. */
export const unpackUrl = (place: Place, path: string, clash: Clash) =>
  address(resource(place, 'unpack'), { path, clash });

/**
 * From one share to another, on whichever machines. Tells what did not come to its place, then how it ended; `paths` are of
 * one folder.
 */
export async function* copyAcross(wish: CopyAcross): AsyncGenerator<CopyEvent, void> {
  const headers = { Accept: 'application/x-ndjson' };
  const response = await request('/api/v1/files/copy', { method: 'POST', body: wish, headers });
  for await (const line of lines(response)) yield JSON.parse(line) as CopyEvent;
}
