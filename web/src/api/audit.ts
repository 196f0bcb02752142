// The log of what was done and refused.
import { address, requestJson } from './client';
import type { AuditPage, AuditQuery } from './types';

export const getAudit = (query: AuditQuery, signal?: AbortSignal) =>
  requestJson<AuditPage>('/api/v1/audit', { query: { ...query }, signal });

/** Everything that fits, one JSON object a line. */
export const auditExportUrl = ({ action, actor }: AuditQuery) =>
  address('/api/v1/audit/export', { action, actor });

/** Reads the whole log and says whether each entry is as it was written. */
export const checkAudit = () =>
  requestJson<{ intact: boolean; entries: number; broken_at?: number }>('/api/v1/audit/verify');
