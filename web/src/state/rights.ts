// What the visitor may do with a share, here and now.
import type { Place } from '../api/files';
import { catalog } from './catalog.svelte';
import { session } from './session.svelte';

/** Whether files may be added, changed and deleted: by right, by the share, and by how private the connection is. */
export function mayWrite({ share: id }: Pick<Place, 'share'>): boolean {
  const share = catalog.share(id);
  return (
    share !== undefined &&
    share.permissions.includes('write') &&
    !share.read_only &&
    session.me?.read_only === false
  );
}
