// What there is: machines and the folders they share.
import { requestJson } from './client';
import type { AddShare, Devices, Share, Shares } from './types';

export const getDevices = () => requestJson<Devices>('/api/v1/catalog/devices');

/** The shares, and the inboxes of the visitor's own machines. */
export const getShares = () => requestJson<Shares>('/api/v1/catalog/shares', { query: { inbox: true } });

export const addShare = (share: AddShare) =>
  requestJson<Share>('/api/v1/catalog/shares', { method: 'POST', body: share });

export const renameShare = (id: string, name: string) =>
  requestJson<Share>(`/api/v1/catalog/shares/${encodeURIComponent(id)}`, { method: 'PATCH', body: { name } });

export const removeShare = (id: string) =>
  requestJson<undefined>(`/api/v1/catalog/shares/${encodeURIComponent(id)}`, { method: 'DELETE' });
