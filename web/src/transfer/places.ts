// Where something may go: an inbox, and shares that take things in. As folders of one tree, whose first names are those of
// the shares, for the window in which one is chosen.
import { ApiFailure } from '../api/client';
import { list } from '../api/files';
import type { FolderChoice, Share } from '../api/types';
import { joinPath, parentPath } from '../routes';

/** A folder of a share. */
export interface Spot {
  share: Share;
  path: string;
}

/** Folders of one place that are listed; the others are reached by their path. */
const LISTED = 1_000;

/** What a share is called here; no two alike, if it can be helped. */
export type Named = (share: Share) => string;

/** "Inbox/2026": a folder as it is written in the window. */
export const spotName = ({ share, path }: Spot, named: Named) =>
  path ? joinPath(named(share), path) : named(share);

/** The folder that is meant; undefined if there is no such share. */
export function spotOf(typed: string, shares: readonly Share[], named: Named): Spot | undefined {
  const wanted = typed.replace(/^\/+|\/+$/g, '');
  const starts = (name: string) => wanted === name || wanted.startsWith(`${name}/`);
  // A name may be the beginning of another: the longest one is meant.
  const [share] = shares
    .filter((one) => starts(named(one)))
    .toSorted((a, b) => named(b).length - named(a).length);
  return share && { share, path: wanted.slice(named(share).length + 1) };
}

/** What is in a folder. */
export async function readSpot(
  spot: Spot,
  shares: readonly Share[],
  named: Named,
  signal: AbortSignal,
): Promise<FolderChoice> {
  const place = { device: spot.share.device_id, share: spot.share.id };
  const query = { path: spot.path, sort: 'name', limit: String(LISTED) } as const;
  const { entries, total } = await list(place, query, signal);
  // They come before files.
  const folders = entries.filter(({ type }) => type === 'folder').map(({ name }) => name);
  return {
    path: spotName(spot, named),
    parent: spot.path ? spotName({ ...spot, path: parentPath(spot.path) }, named) : null,
    folders,
    files: total - folders.length,
    truncated: folders.length === LISTED,
    places: shares.map(named).map((name) => ({ name, path: name })),
  };
}

/** Says that there is no such folder. */
export const noSuchSpot = (message: string) =>
  new ApiFailure({ code: 'NOT_FOUND', message, hint: '', request_id: '' }, 404);
