// Signing in and out, and the signed-in browsers.
import { requestJson } from './client';
import type { ChangePin, Me, Sessions, Status } from './types';

export const getStatus = () => requestJson<Status>('/api/v1/status');

/** Who is signed in. Being asked counts as use of the session. */
export const getMe = () => requestJson<Me>('/api/v1/auth/me');

export const login = (pin: string) =>
  requestJson<Me>('/api/v1/auth/login', { method: 'POST', body: { pin } });

export const logout = () => requestJson<undefined>('/api/v1/auth/logout', { method: 'POST' });

export const changePin = (change: ChangePin) =>
  requestJson<undefined>('/api/v1/auth/pin', { method: 'POST', body: change });

export const getSessions = () => requestJson<Sessions>('/api/v1/sessions');

export const endSession = (id: string) =>
  requestJson<undefined>(`/api/v1/sessions/${encodeURIComponent(id)}`, { method: 'DELETE' });
