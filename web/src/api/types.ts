// The shapes of the HTTP API, as the machine sends them. Every other file takes its types from here, so that
// the day they are generated from /api/openapi.json only this file changes.

export type Privacy = 'local' | 'private' | 'open';

export interface Me {
  principal: string;
  display_name: string;
  session: string;
  /** True if the session can only look and copy, because it began on an open connection. */
  read_only: boolean;
  idle_seconds: number;
}

export interface Status {
  set_up: boolean;
  device_name: string;
  version: string;
  privacy: Privacy;
  open_allowed: boolean;
  private_url: string | null;
  me: Me | null;
}

export interface Session {
  id: string;
  browser: string;
  address: string;
  privacy: Privacy;
  created: string;
  last_seen: string;
  current: boolean;
}

export interface Sessions {
  sessions: Session[];
}

export interface Login {
  pin: string;
}

export interface ChangePin {
  current_pin: string;
  new_pin: string;
}

export interface SetupState {
  done: boolean;
  code_needed: boolean;
  device_name: string;
  folder: string;
}

export interface Setup {
  code?: string;
  folder: string;
  device_name: string;
  pin: string;
}

export interface Place {
  name: string;
  path: string;
}

export interface FolderChoice {
  path: string;
  parent: string | null;
  folders: string[];
  files: number;
  truncated: boolean;
  places: Place[];
}

export interface Settings {
  device_name: string;
  session_idle_seconds: number;
  allow_open: boolean;
  open_browser: boolean;
}

export type SettingsChange = Partial<Settings>;

export interface Trust {
  certificate_fingerprint: string;
  authority_fingerprint: string;
  authority_url: string;
  private_urls: string[];
  own_authority: boolean;
}

export interface Device {
  id: string;
  name: string;
  online: boolean;
  local: boolean;
  last_seen: string | null;
}

export interface Devices {
  devices: Device[];
}

export type Permission = 'read' | 'download' | 'write' | 'request_send' | 'accept_incoming' | 'manage_share';

export interface Share {
  id: string;
  device_id: string;
  name: string;
  permissions: Permission[];
  folder?: string;
}

export interface Shares {
  shares: Share[];
}

export interface AddShare {
  folder: string;
  name?: string;
}

export interface RenameShare {
  name: string;
}

export type EntryType = 'folder' | 'file' | 'link_out' | 'special';

export type Kind =
  'folder' | 'image' | 'video' | 'audio' | 'document' | 'code' | 'text' | 'archive' | 'other';

export interface Entry {
  name: string;
  /** From the share's root, in text form; empty for the root. */
  path: string;
  type: EntryType;
  kind: Kind;
  size: number;
  modified: string | null;
  /** Changes with the content; empty for folders. */
  version: string;
  link?: boolean;
}

export interface Listing {
  path: string;
  parent: string | null;
  total: number;
  offset: number;
  /** Pages with the same version fit together. */
  version: string;
  entries: Entry[];
}

export type SortBy = 'name' | 'size' | 'modified' | 'kind';
export type SortOrder = 'asc' | 'desc';

export interface ListQuery {
  path?: string;
  sort?: SortBy;
  order?: SortOrder;
  filter?: string;
  kind?: Kind;
  offset?: number;
  limit?: string;
  hide_dotfiles?: boolean;
}

export interface SearchQuery {
  q: string;
  path?: string;
  kind?: Kind;
  min_size?: number;
  max_size?: number;
  after?: string;
  before?: string;
  limit?: number;
}

export type MatchType = 'exact' | 'prefix' | 'substring' | 'wildcard' | 'path' | 'fuzzy';

export type SearchHit = Entry & { match_type: MatchType };

export interface SearchResult {
  entries: SearchHit[];
  total: number;
  truncated: boolean;
  complete: boolean;
  took_ms: number;
}

export interface SearchDone {
  total: number;
  truncated: boolean;
  complete: boolean;
  took_ms: number;
}

export type SearchEvent = ({ event: 'hit' } & SearchHit) | ({ event: 'done' } & SearchDone);

export type ArchiveFormat = 'zip' | 'tar';

export interface MediaInfo {
  duration: number | null;
  width: number | null;
  height: number | null;
  video_codec: string | null;
  audio_codec: string | null;
  can_transcode: boolean;
}

/** The body of every error answer. */
export interface ApiError {
  code: string;
  message: string;
  hint: string;
  request_id: string;
  retry_after?: number;
}
