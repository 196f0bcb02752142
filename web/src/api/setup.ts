// The first run: what to start from, the folder chooser, and doing it.
import { requestJson } from './client';
import type { FolderChoice, Me, Setup, SetupState } from './types';

/** Shows that the visitor has read the code on the machine's terminal. */
const codeHeader = (code?: string | null): Record<string, string> =>
  code ? { 'X-Lanthorn-Setup-Code': code } : {};

export const getSetup = (code?: string | null) =>
  requestJson<SetupState>('/api/v1/setup', { headers: codeHeader(code) });

export const doSetup = (setup: Setup) =>
  requestJson<Me>('/api/v1/setup', { method: 'POST', body: setup, headers: codeHeader(setup.code) });

export const getFolders = (path: string, signal?: AbortSignal, code?: string) =>
  requestJson<FolderChoice>('/api/v1/folders', { query: { path }, headers: codeHeader(code), signal });
