// Changing the files of a share: acts that can be undone, the trash, and where uploads go.
import { address, requestJson } from './client';
import { resource, type Place } from './files';
import type { Acted, Clash, NameRule, Step, Trash, Uploads } from './types';

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

export interface CopyAcross {
  from: Place;
  paths: string[];
  to: Place;
  /** The folder that takes them in. */
  folder: string;
  clash: Clash;
  /** Delete them where they were once all of it is in place. */
  move: boolean;
}

/** From one share to another, on whichever machine. */
export const copyAcross = ({ from, to, paths, folder, clash, move }: CopyAcross) =>
  requestJson<Acted>('/api/v1/files/copy', {
    method: 'POST',
    body: {
      from: { device_id: from.device, share_id: from.share },
      to: { device_id: to.device, share_id: to.share },
      paths,
      folder,
      clash,
      move,
    },
  });
