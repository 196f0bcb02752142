// What is sent to somebody's machine: offers, answers, and how they end.
import { requestJson } from './client';
import type {
  ApproveTransfer,
  OfferTransfer,
  OpenedTransfer,
  Transfer,
  Transfers,
  TrustedSender,
  TrustedSenders,
} from './types';

const ALL = '/api/v1/transfers';
const one = (id: string, tail = '') => `${ALL}/${encodeURIComponent(id)}${tail}`;
const act = (id: string, tail: string, body?: unknown) =>
  requestJson<Transfer>(one(id, tail), { method: 'POST', body });

export const getTransfers = () => requestJson<Transfers>(ALL);

export const getTransfer = (id: string) => requestJson<Transfer>(one(id));

export const offerTransfer = (offer: OfferTransfer) =>
  requestJson<Transfer>(ALL, { method: 'POST', body: offer });

export const approveTransfer = (id: string, wish: ApproveTransfer) => act(id, '/approve', wish);

/** The reason is for the other side. */
export const rejectTransfer = (id: string, reason?: string) => act(id, '/reject', { reason });
export const cancelTransfer = (id: string, reason?: string) => act(id, '/cancel', { reason });

export const pauseTransfer = (id: string) => act(id, '/pause');
export const resumeTransfer = (id: string) => act(id, '/resume');

/** What the visitor calls it; the other side does not see that. Nothing takes the name away. */
export const labelTransfer = (id: string, label?: string) =>
  requestJson<Transfer>(one(id, '/label'), { method: 'PUT', body: { label } });

/** Says the passcode, or has the ticket renewed while it is open. */
export const openTransfer = (id: string, passcode?: string) =>
  requestJson<OpenedTransfer>(one(id, '/passcode/open'), { method: 'POST', body: { passcode } });

/** What came to its end is not shown any more. */
export const clearHistory = () =>
  requestJson<{ deleted: number }>(`${ALL}/history/clear`, { method: 'POST' });

export const getTrusted = () => requestJson<TrustedSenders>(`${ALL}/trusted`);

export const endTrust = ({ device_id, sender_principal_id }: TrustedSender) =>
  requestJson<undefined>(
    `${ALL}/trusted/${encodeURIComponent(device_id)}/${encodeURIComponent(sender_principal_id)}`,
    { method: 'DELETE' },
  );
