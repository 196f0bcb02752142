// The settings that the page can change, and what a person compares to trust this machine.
import { requestJson } from './client';
import type { Settings, SettingsChange, Trust } from './types';

export const getSettings = () => requestJson<Settings>('/api/v1/settings');

export const changeSettings = (change: SettingsChange) =>
  requestJson<Settings>('/api/v1/settings', { method: 'PATCH', body: change });

export const getTrust = () => requestJson<Trust>('/api/v1/trust');
