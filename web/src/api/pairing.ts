// Letting another machine in: its code, a look at who asks, and the word of whoever compared.
import { requestJson } from './client';
import type { WaitingMachine, WaitingMachines, Whose } from './types';

/** The machines that wait to be let in. */
export const getWaiting = () => requestJson<WaitingMachines>('/api/v1/pairing/waiting');

/** Which machine shows this code. Lets nobody in yet. */
export const lookAtCode = (pairing_code: string) =>
  requestJson<WaitingMachine>('/api/v1/pairing/look', { method: 'POST', body: { pairing_code } });

/** Lets it in, once it claims. The words were compared. */
export const confirmPairing = (pending_pairing_id: string, pairing_code: string, whose: Whose) =>
  requestJson<WaitingMachine>('/api/v1/pairing/confirm', {
    method: 'POST',
    body: { pending_pairing_id, pairing_code, ...whose },
  });

/** Sends the machine away: its code ends. */
export const turnAway = (pending_pairing_id: string) =>
  requestJson<undefined>(`/api/v1/pairing/waiting/${encodeURIComponent(pending_pairing_id)}`, {
    method: 'DELETE',
  });
