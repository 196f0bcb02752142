// The paired machines: their names, who sees them, how they are reached, and the end of it.
import { requestJson } from './client';
import type { DevicePath, PairedDevice, PairedDevices, Visibility } from './types';

const device = (id: string) => `/api/v1/devices/${encodeURIComponent(id)}`;

export const getPaired = () => requestJson<PairedDevices>('/api/v1/devices');

export const renameDevice = (id: string, name: string) =>
  requestJson<PairedDevice>(device(id), { method: 'PATCH', body: { name } });

/** Ends its membership at once; it has to be paired anew. */
export const removeDevice = (id: string) => requestJson<undefined>(device(id), { method: 'DELETE' });

export const setVisible = (id: string, visible: boolean) =>
  requestJson<Visibility>(`/api/v1/catalog/devices/${encodeURIComponent(id)}/visibility`, {
    method: 'POST',
    body: { visible },
  });

export const getPath = (id: string, signal?: AbortSignal) =>
  requestJson<DevicePath>(`${device(id)}/path`, { signal });

/** Says that it is there. Asking opens a way to it. */
export const greet = (id: string) => requestJson<unknown>(`${device(id)}/info`);
