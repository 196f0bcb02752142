// Where a result of a search is, in the words of its line. Pure.
import type { Place } from '../api/files';
import type { FoundEntry } from '../api/types';
import { parentPath } from '../routes';

export interface Where {
  /** Machine and share, where more than one was searched. */
  origin: string;
  /** The folder in the share; empty for its top. */
  path: string;
}

export const placeOf = ({ device_id, share_id }: FoundEntry): Place => ({
  device: device_id,
  share: share_id,
});

export function whereIs(found: FoundEntry, everywhere: boolean): Where {
  const origin = everywhere ? `${found.device_name} › ${found.share_name}` : '';
  return { origin, path: parentPath(found.path) };
}
