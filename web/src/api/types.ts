// The shapes of the HTTP API by their short names. They are generated from the description that the program gives
// of itself (`make api`); only what a description cannot say is written here.

import type { components, paths } from './schema.gen';

type Schemas = components['schemas'];
/** The query of a GET route of the device API. */
type DeviceQuery<Route extends 'list' | 'search'> = NonNullable<
  paths[`/agent/v1/shares/{share}/${Route}`]['get']['parameters']['query']
>;
/** What an answer of ours holds: the program always writes every field, an empty one as null. */
type Answered<T> = { [K in keyof T]-?: Exclude<T[K], undefined> };

export type Privacy = Schemas['Privacy'];
export type Me = Schemas['Me'];
export type Status = Omit<Answered<Schemas['Status']>, 'me'> & { me: Me | null };
export type Session = Schemas['Session'];
export type Sessions = Schemas['Sessions'];
export type Login = Schemas['Login'];
export type ChangePin = Schemas['ChangePin'];

export type SetupState = Schemas['SetupState'];
export type Setup = Omit<Schemas['Setup'], 'code' | 'everyone_may_read'> & {
  code?: string;
  everyone_may_read?: boolean;
};
export type Place = Schemas['Place'];
export type FolderChoice = Answered<Schemas['FolderChoice']>;

export type Settings = Schemas['Settings'];
export type SettingsChange = Partial<Settings>;
export type Trust = Schemas['Trust'];

export type Device = Answered<Schemas['Device']> & { owner_principal_id?: string; visible?: boolean };
export type Devices = { devices: Device[] };
export type Permission = Schemas['Permission'];
export type Share = Schemas['Share'];
export type Shares = Schemas['Shares'];
export type AddShare = Schemas['AddShare'];
export type RenameShare = Schemas['RenameShare'];

export type EntryType = Schemas['EntryType'];
export type Kind = Schemas['Kind'];
export type Entry = Omit<Schemas['Entry'], 'modified'> & { modified: string | null };
export type Listing = Omit<Answered<Schemas['Listing']>, 'entries'> & { entries: Entry[] };
export type ListQuery = DeviceQuery<'list'>;
export type SortBy = NonNullable<ListQuery['sort']>;
export type SortOrder = NonNullable<ListQuery['order']>;
export type SearchQuery = DeviceQuery<'search'> & { q: string };
export type MatchType = Schemas['MatchType'];
export type SearchHit = Entry & { match_type: MatchType };
export type SearchResult = Omit<Schemas['SearchResult'], 'entries'> & { entries: SearchHit[] };
export type SearchDone = Omit<SearchResult, 'entries'>;
/** One line of a streamed search. */
export type SearchEvent = ({ event: 'hit' } & SearchHit) | ({ event: 'done' } & SearchDone);
export type ArchiveFormat = Schemas['ArchiveFormat'];
export type MediaInfo = Answered<Schemas['MediaInfo']>;

export type WaitingMachine = Schemas['WaitingMachine'];

export type DevicePath = Schemas['DevicePath'];

export interface Room {
  id: string;
  name: string;
  members: string[];
}

/** Whom a grant is for. */
export type Subject = { kind: 'principal'; id: string } | { kind: 'room'; id: string } | { kind: 'everyone' };

/** A right to be given, or put in place of the one that is there. */
export interface PutGrant {
  share: string;
  subject: Subject;
  permissions: Permission[];
  expires_at: string | null;
}

export interface Grant extends PutGrant {
  id: string;
  granted_by: string;
  created: string;
}

/** What one person may do with a share, and by which grants. */
export interface Effective {
  principal: string;
  share: string;
  permissions: Permission[];
  because: string[];
}
export type InviteGrant = Schemas['InviteGrant'];
export type Invite = Schemas['Invite'];
export type MakeInvite = Schemas['MakeInvite'];
/** A new invite with its secret, which is never told again. */
export type MadeInvite = Schemas['MadeInvite'];

export interface EventsToken {
  ws_token: string;
  expires_in: number;
}

/** Something that happened. */
export type Happening =
  | { type: 'device_online' | 'device_offline'; device: string }
  | { type: 'share_changed'; device: string; share: string }
  | { type: 'catalog_changed' | 'pairing_waiting' | 'events_lost' };
export type LiveEvent = Happening & { seq: number; time: string };

export interface AuditEntry {
  seq: number;
  time: string;
  actor: string | null;
  action: string;
  allowed: boolean;
  device: string | null;
  share: string | null;
  address: string | null;
  request_id: string;
  detail: Record<string, unknown> | null;
  hash: string;
}

export interface AuditPage {
  entries: AuditEntry[];
  next: number | null;
}

export interface AuditQuery {
  before?: number;
  action?: string;
  actor?: string;
  limit?: number;
}

/** The body of every error answer. */
export type ApiError = Pick<Schemas['ApiError'], 'message' | 'hint'> & {
  code: ErrorCode;
  request_id: string;
  retry_after?: number;
};
/** The program's own codes, and two of the page's: no answer at all, and an answer that is not ours. */
export type ErrorCode = Schemas['ErrorCode'] | 'UNREACHABLE' | `HTTP_${number}`;

export type Person = Schemas['Person'];
export type People = Schemas['People'];
export type PairedDevice = Schemas['PairedDevice'];
export type PairedDevices = Schemas['PairedDevices'];
