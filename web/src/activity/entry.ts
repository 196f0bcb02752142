// One entry of the log in words: what happened, by whom, to what. Pure.
import type { AuditEntry } from '../api/types';
import type { Words } from '../text/en';

/** What an entry says happened; the machine's own word where we have none for it. */
export function actionWords({ action }: AuditEntry, { activity }: Words): string {
  return activity.actions[action] ?? action;
}

/** Where it came from; this machine's own addresses say nothing to people. */
export function addressWords(address: string, { activity }: Words): string {
  return /^(127\.|::1$)/.test(address) ? activity.fromHere : activity.from(address);
}

export interface Names {
  person: (id: string) => string | undefined;
  room: (id: string) => string | undefined;
  device: (id: string) => string | undefined;
  share: (id: string) => string | undefined;
}

/** What it happened to, as far as the visitor may know it by name. */
export function subjectOf(entry: AuditEntry, names: Names): string[] {
  const { detail } = entry;
  const said = (key: string) => (typeof detail?.[key] === 'string' ? detail[key] : '');
  const subject = detail?.subject as { kind?: string; id?: string } | undefined;
  const of = subject?.kind === 'room' ? names.room(subject.id ?? '') : names.person(subject?.id ?? '');
  return [
    entry.share ? names.share(entry.share) : undefined,
    entry.device ? (names.device(entry.device) ?? entry.device.slice(0, 8)) : undefined,
    of,
    names.person(said('person')),
    names.room(said('room')),
    said('name') || undefined,
  ].filter((name): name is string => Boolean(name));
}
