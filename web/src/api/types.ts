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
export type Setup = Omit<Schemas['Setup'], 'code'> & { code?: string };
export type Place = Schemas['Place'];
export type FolderChoice = Answered<Schemas['FolderChoice']>;

export type Settings = Schemas['Settings'];
export type SettingsChange = Partial<Settings>;
export type Trust = Schemas['Trust'];

export type Device = Answered<Schemas['Device']>;
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

/** The body of every error answer. */
export type ApiError = Pick<Schemas['ApiError'], 'message' | 'hint'> & {
  code: ErrorCode;
  request_id: string;
  retry_after?: number;
};
/** The program's own codes, and two of the page's: no answer at all, and an answer that is not ours. */
export type ErrorCode = Schemas['ErrorCode'] | 'UNREACHABLE' | `HTTP_${number}`;
