// Who may do what with a share, and what would be if.
import { requestJson } from './client';
import type { EffectiveRights, Grant, Grants, PutGrant } from './types';

export const getGrants = (share: string) => requestJson<Grants>('/api/v1/grants', { query: { share } });

/** Everybody who may do anything with the share, and why. */
export const getAccess = (share: string) =>
  requestJson<EffectiveRights>(`/api/v1/shares/${encodeURIComponent(share)}/access`);

/** Gives a right, or puts it in place of the one that the same subject has on the share. */
export const putGrant = (grant: PutGrant) =>
  requestJson<Grant>('/api/v1/grants', { method: 'PUT', body: grant });

/** Ends a right at once. */
export const endGrant = (id: string) =>
  requestJson<undefined>(`/api/v1/grants/${encodeURIComponent(id)}`, { method: 'DELETE' });

/** What those it is for could then do. Nothing is kept. */
export const dryRun = (grant: PutGrant, signal?: AbortSignal) =>
  requestJson<EffectiveRights>('/api/v1/grants/dry-run', { method: 'POST', body: grant, signal });
