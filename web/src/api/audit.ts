// The log of what was done and refused.
import { address, requestJson } from './client';
import type { AuditCheck, AuditPage, AuditQuery } from './types';

export const getAudit = (query: AuditQuery, signal?: AbortSignal) =>
  requestJson<AuditPage>('/api/v1/audit', { query: { ...query }, signal });

/** Everything that fits, one JSON object a line. */
export const auditExportUrl = (query: AuditQuery) => address('/api/v1/audit/export', { ...query });

/** Reads the whole log and says whether each entry is as it was written. */
export const checkAudit = () => requestJson<AuditCheck>('/api/v1/audit/verify');
