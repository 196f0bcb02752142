// The shapes of the HTTP API by their short names. They are generated from the description that the program gives
// of itself (`make api`); only what the page makes of them besides is written here.

import type { components, paths } from './schema.gen';

type Schemas = components['schemas'];
/** The query of a GET route. */
type QueryOf<Route extends QueriedRoute> = NonNullable<paths[Route]['get']['parameters']['query']>;
type QueriedRoute = '/agent/v1/shares/{share}/list' | '/api/v1/files/search' | '/api/v1/audit';

export type Privacy = Schemas['Privacy'];
export type Me = Schemas['Me'];
export type Status = Schemas['Status'];
export type Session = Schemas['Session'];
export type Sessions = Schemas['Sessions'];
export type ChangePin = Schemas['ChangePin'];

export type SetupState = Schemas['SetupState'];
export type Setup = Schemas['Setup'];
export type Place = Schemas['Place'];
export type FolderChoice = Schemas['FolderChoice'];

export type Settings = Schemas['Settings'];
/** What is absent stays as it is. */
export type SettingsChange = Partial<Settings>;
export type Trust = Schemas['Trust'];

export type Device = Schemas['Device'];
export type Devices = Schemas['Devices'];
export type JoinedCoordinator = Schemas['JoinedCoordinator'];
export type PairedDevice = Schemas['PairedDevice'];
export type PairedDevices = Schemas['PairedDevices'];
export type DevicePath = Schemas['DevicePath'];
export type Visibility = Schemas['Visibility'];
export type WaitingMachine = Schemas['WaitingMachine'];
export type WaitingMachines = Schemas['WaitingMachines'];
/** Whose machine it becomes: the visitor's own where nothing is said. */
export type Whose = Pick<Schemas['ConfirmPairing'], 'principal' | 'newcomer'>;

export type Permission = Schemas['Permission'];
export type Share = Schemas['Share'];
export type Shares = Schemas['Shares'];
export type AddShare = Schemas['AddShare'];

export type EntryType = Schemas['EntryType'];
export type Kind = Schemas['Kind'];
export type Entry = Schemas['Entry'];
export type Listing = Schemas['Listing'];
export type ListQuery = QueryOf<'/agent/v1/shares/{share}/list'>;
export type SortBy = NonNullable<ListQuery['sort']>;
export type SortOrder = NonNullable<ListQuery['order']>;
export type ArchiveFormat = Schemas['ArchiveFormat'];
export type MediaInfo = Schemas['MediaInfo'];

export type Written = Schemas['Written'];
export type Version = Schemas['Version'];
export type Versions = Schemas['Versions'];
/** What is at a place now, where a change was made to something else. */
export type Conflict = Schemas['Conflict'];

export type SearchQuery = QueryOf<'/api/v1/files/search'>;
/** One line of a streamed search. */
export type SearchEvent = Schemas['SearchAcrossEvent'];
/** A result, and where it is. */
export type FoundEntry = Schemas['FoundEntry'];
export type OfflineDevice = Schemas['OfflineDevice'];
export type ShareError = Schemas['ShareError'];
export type SearchEnd = Schemas['SearchEnd'];

export type Person = Schemas['Person'];
export type People = Schemas['People'];
export type Room = Schemas['Room'];
export type Rooms = Schemas['Rooms'];
/** Whom a grant is for. */
export type Subject = Schemas['Subject'];
export type Grant = Schemas['Grant'];
export type Grants = Schemas['Grants'];
export type PutGrant = Schemas['PutGrant'];
export type Effective = Schemas['Effective'];
export type EffectiveRights = Schemas['EffectiveRights'];
export type Invite = Schemas['Invite'];
export type Invites = Schemas['Invites'];
export type InviteGrant = Schemas['InviteGrant'];
export type MakeInvite = Schemas['MakeInvite'];
export type MadeInvite = Schemas['MadeInvite'];

export type EventsToken = Schemas['EventsToken'];
/** A place to be told of. */
export type Watch = Schemas['Watch'];
/** What is at a watched place. */
export type Seen = Schemas['Seen'];
/** The same as it is told, under a name beside those of what happens. */
export type FileChanged = Schemas['FileChanged'] & { type: 'file_changed' };
/** Something that can happen. */
export type Happening = Schemas['Happening'] | FileChanged;
/** Something that happened. */
export type LiveEvent = Schemas['Event'] | FileChanged;

export type AuditEntry = Schemas['AuditEntry'];
export type AuditPage = Schemas['AuditPage'];
export type AuditQuery = QueryOf<'/api/v1/audit'>;
export type AuditCheck = Schemas['AuditCheck'];

export type Transfer = Schemas['Transfer'];
export type Transfers = Schemas['Transfers'];
export type TransferSource = Schemas['TransferSource'];
/** How the bytes flow. */
export type Way = Schemas['Way'];
/** What keeps them from flowing faster. */
export type Limit = Schemas['Limit'];
export type TransferItem = Schemas['TransferItem'];
export type TransferState = Schemas['TransferState'];
export type OfferTransfer = Schemas['OfferTransfer'];
export type OfferedItem = Schemas['OfferedItem'];
export type ApproveTransfer = Schemas['ApproveTransfer'];
export type OpenedTransfer = Schemas['OpenedTransfer'];
export type TrustLimits = Schemas['TrustLimits'];
export type TrustedSender = Schemas['TrustedSender'];
export type TrustedSenders = Schemas['TrustedSenders'];

export type MakeDrop = Schemas['MakeDrop'];
export type MadeDrop = Schemas['MadeDrop'];
export type OwnDrop = Schemas['OwnDrop'];
export type OwnDrops = Schemas['OwnDrops'];
export type OpenedDrop = Schemas['OpenedDrop'];
export type DropItem = Schemas['DropItem'];
export type TakenDrop = Schemas['TakenDrop'];

/** The body of every error answer. */
export type ApiError = Omit<Schemas['ApiError'], 'code'> & { code: ErrorCode };
/** The program's own codes, those of the page, and an answer that is not ours. */
export type ErrorCode = Schemas['ErrorCode'] | LocalCode | `HTTP_${number}`;
/** No answer at all; a file of the visitor's that cannot be read any more. */
export type LocalCode = 'UNREACHABLE' | 'FILE_GONE';

export type Clash = Schemas['Clash'];
export type Acted = Schemas['Acted'];
export type ActItem = Schemas['ActItem'];
export type NameRule = Schemas['NameRule'];
export type Step = Schemas['Step'];
export type Trash = Schemas['Trash'];
export type Trashed = Schemas['Trashed'];
export type Upload = Schemas['Upload'];
export type Uploads = Schemas['Uploads'];
export type CopyAcross = Schemas['CopyAcross'];
export type CopyEvent = Schemas['CopyEvent'];
/** One line of the answer to an archive that was unpacked. */
export type UnpackEvent = Schemas['UnpackEvent'];
