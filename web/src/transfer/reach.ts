// Whether the visitor may send to a machine: their own, or one with a share that takes offers from them.
import type { Device } from '../api/types';
import { catalog } from '../state/catalog.svelte';
import { session } from '../state/session.svelte';

export function mayReach({ id, owner_principal_id: owner }: Device): boolean {
  if (owner === session.me?.principal) return true;
  return catalog.sharesOf(id).some(({ permissions }) => permissions.includes('request_send'));
}
