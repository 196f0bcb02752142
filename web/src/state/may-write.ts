// Whether the visitor may change what is in a share: by right, and on a connection that is private enough.
import { catalog } from './catalog.svelte';
import { session } from './session.svelte';

export const mayWrite = (share: string): boolean =>
  session.me?.read_only === false && (catalog.share(share)?.permissions.includes('write') ?? false);
