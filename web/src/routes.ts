// The site map: every address of the page, read and written in this file alone.

export type Route =
  | { page: 'machines' }
  | { page: 'folder'; device: string; share: string; path: string }
  | { page: 'edit'; device: string; share: string; path: string }
  | { page: 'merge' }
  | { page: 'trash'; device: string; share: string }
  | { page: 'inbox' }
  | { page: 'transfers' }
  | { page: 'drop'; secret: string }
  | { page: 'devices' }
  | { page: 'people' }
  | { page: 'activity' }
  | { page: 'settings' }
  | { page: 'invite' }
  | { page: 'trust' }
  | { page: 'setup' }
  | { page: 'sign-in' }
  | { page: 'missing' };

/** A place in a share, in the text form of the API (names joined with `/`, empty for the root). */
export interface FolderPlace {
  device: string;
  share: string;
  path: string;
}

const SIMPLE = new Map<string, Route>([
  ['', { page: 'machines' }],
  ['files', { page: 'machines' }],
  ['merge', { page: 'merge' }],
  ['inbox', { page: 'inbox' }],
  ['transfers', { page: 'transfers' }],
  ['devices', { page: 'devices' }],
  ['people', { page: 'people' }],
  ['activity', { page: 'activity' }],
  ['settings', { page: 'settings' }],
  ['invite', { page: 'invite' }],
  ['trust', { page: 'trust' }],
  ['setup', { page: 'setup' }],
  ['sign-in', { page: 'sign-in' }],
]);

/** What an address shows. Never throws: what is not an address of ours is `missing`. */
export function parseRoute(pathname: string): Route {
  const parts = decodeParts(pathname);
  if (!parts) return { page: 'missing' };
  const [first = '', device, share, ...names] = parts;
  const path = names.join('/');
  if (first === 'files' && device && share) return { page: 'folder', device, share, path };
  if (first === 'edit' && device && share && path) return { page: 'edit', device, share, path };
  if (first === 'trash' && device && share && names.length === 0) return { page: 'trash', device, share };
  if (first === 'd' && device && !share) return { page: 'drop', secret: device };
  if (parts.length > 1) return { page: 'missing' };
  return SIMPLE.get(first) ?? { page: 'missing' };
}

function decodeParts(pathname: string): string[] | null {
  const trimmed = pathname.replace(/^\/+|\/+$/g, '');
  try {
    return trimmed.split('/').map(decodeURIComponent);
  } catch {
    return null;
  }
}

export const MACHINES = '/files';
export const MERGE = '/merge';
export const INBOX = '/inbox';
export const TRANSFERS = '/transfers';
export const DEVICES = '/devices';
export const PEOPLE = '/people';
export const ACTIVITY = '/activity';
export const SETTINGS = '/settings';
export const INVITE = '/invite';
export const TRUST = '/trust';
export const SETUP = '/setup';
export const SIGN_IN = '/sign-in';

export const folderHref = (place: FolderPlace): string => hrefUnder('/files', place);

/** A text file, opened to be changed. */
export const editHref = (place: FolderPlace): string => hrefUnder('/edit', place);

function hrefUnder(page: string, { device, share, path }: FolderPlace): string {
  const names = path === '' ? [] : path.split('/');
  return [page, ...[device, share, ...names].map(encodeURIComponent)].join('/');
}

/** What was deleted in a share. */
export const trashHref = ({ device, share }: Omit<FolderPlace, 'path'>) =>
  ['/trash', encodeURIComponent(device), encodeURIComponent(share)].join('/');

/** A file shown in its folder: its name is the query `view`. */
export function fileHref({ device, share, path }: FolderPlace): string {
  return `${folderHref({ device, share, path: parentPath(path) })}?view=${encodeURIComponent(lastName(path))}`;
}

/** The folder a path is in; the root's is the root. */
export function parentPath(path: string): string {
  const at = path.lastIndexOf('/');
  return at < 0 ? '' : path.slice(0, at);
}

/** The last name of a path; empty for the root. */
export function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** One more name at the end of a path. */
export function joinPath(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

/** The entry of this folder through which one gets to a path below it; empty if it is not below. */
export function childToward(folder: string, path: string): string {
  const start = folder === '' ? '' : `${folder}/`;
  if (path === '' || path === folder || !path.startsWith(start)) return '';
  const [name = ''] = path.slice(start.length).split('/');
  return start + name;
}
