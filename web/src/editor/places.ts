// A file of a share as the session of its editor wants it: the disk behind the machine's doors, the drafts of this browser.
import { getVersions, putContent, readContent, readVersion } from '../api/contents';
import type { Place } from '../api/files';
import { changes } from '../state/changes';
import type { Disk, DraftKeeper } from './edit-session.svelte';
import { myDrafts } from './draft-store';

/** The largest text that is edited in a page: as the machine says it too. */
export const MAX_EDIT_BYTES = 5 * 1024 * 1024;

export function diskOf(place: Place, path: string): Disk {
  return {
    read: () => readContent(place, path, MAX_EDIT_BYTES),
    write: async (bytes, condition) => {
      const { version } = await putContent(place, path, bytes, condition);
      changes.tell(place, []);
      return version;
    },
    former: async (version) => {
      const { versions } = await getVersions(place, path);
      const found = versions.find((one) => one.version === version);
      return found && readVersion(place, path, found.id);
    },
  };
}

export function keeperOf(place: Place, path: string): DraftKeeper {
  const drafts = myDrafts();
  return {
    find: () => drafts.of(place, path),
    keep: (draft, held) => drafts.keep({ ...draft, place, path }, held),
    forget: () => drafts.forget(place, path),
    adopt: (draft) => drafts.adopt(draft),
    drop: (draft) => drafts.drop(draft),
  };
}
