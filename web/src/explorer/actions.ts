// What can be done with chosen entries: links to save them, links to copy, and the lines of their menu.
import Copy from '@lucide/svelte/icons/copy';
import Download from '@lucide/svelte/icons/download';
import Eye from '@lucide/svelte/icons/eye';
import FolderOpen from '@lucide/svelte/icons/folder-open';
import Info from '@lucide/svelte/icons/info';
import LinkIcon from '@lucide/svelte/icons/link-2';
import Package from '@lucide/svelte/icons/package';
import Send from '@lucide/svelte/icons/send';
import Pencil from '@lucide/svelte/icons/pencil';
import Clock from '@lucide/svelte/icons/rotate-ccw-clock';
import { archiveUrl, downloadUrl, folderArchiveUrl } from '../api/files';
import type { ArchiveFormat } from '../api/types';
import { copyText } from '../lib/clipboard';
import { commandKey } from '../lib/keys';
import { isEditable } from '../preview/viewer';
import { editHref, folderHref, lastName, parentPath } from '../routes';
import type { Chosen } from '../state/entries';
import { mayWrite } from '../state/rights';
import { toasts } from '../state/toasts.svelte';
import { versions } from '../state/versions.svelte';
import type { Words } from '../text/en';
import { SEPARATOR, type MenuLine } from '../ui/menu';

/** Longer addresses are refused on the way. */
const LONGEST_ADDRESS = 60_000;

/** Where the page shows an entry: a folder itself, a file opened in its folder. */
export function pageHref({ place, entry }: Chosen): string {
  if (entry.type === 'folder') return folderHref({ ...place, path: entry.path });
  return `${folderHref({ ...place, path: parentPath(entry.path) })}?view=${encodeURIComponent(entry.name)}`;
}

const isFile = ({ entry }: Chosen) => entry.type === 'file';

/** The link that saves these, or null where one request cannot name them. */
export function downloadHref(chosen: Chosen[], format: ArchiveFormat): string | null {
  const [first] = chosen;
  if (!first) return null;
  if (chosen.length === 1) {
    return isFile(first)
      ? downloadUrl(first.place, first.entry.path)
      : folderArchiveUrl(first.place, first.entry.path, format);
  }
  const folder = parentPath(first.entry.path);
  const together = chosen.every(
    ({ place, entry }) =>
      place.share === first.place.share &&
      place.device === first.place.device &&
      parentPath(entry.path) === folder,
  );
  if (!together) return null;
  const names = chosen.map(({ entry }) => lastName(entry.path));
  const href = archiveUrl(first.place, folder, names, format);
  return href.length <= LONGEST_ADDRESS ? href : null;
}

/** Lets the browser's own manager save what these links lead to. */
export function save(hrefs: string[]): void {
  for (const href of hrefs) {
    const link = document.createElement('a');
    link.href = href;
    link.download = '';
    document.body.append(link);
    link.click();
    link.remove();
  }
}

/** Saves these in as few files as possible; entries from several folders come one by one. */
export function download(chosen: Chosen[], format: ArchiveFormat, words: Words): void {
  const whole = downloadHref(chosen, format);
  if (whole) return save([whole]);
  const folders = new Set(chosen.map(({ entry }) => parentPath(entry.path)));
  if (folders.size === 1) return toasts.show(words.selection.tooMany, { tone: 'danger' });
  save(chosen.map((one) => downloadHref([one], format)).filter((href) => href !== null));
}

export async function copy(text: string, words: Words): Promise<void> {
  const done = await copyText(text);
  toasts.show(done ? words.common.copied : words.common.copyFailed, { tone: done ? 'plain' : 'danger' });
}

export const copyLink = (chosen: Chosen, words: Words) =>
  copy(new URL(pageHref(chosen), location.href).href, words);

interface MenuOptions {
  words: Words;
  /** False where the visitor may look but not save. */
  mayDownload: boolean;
  /** True for results of a search: their folder is somewhere else. */
  elsewhere: boolean;
  open: () => void;
  goTo: (href: string) => void;
  details: () => void;
  /** Absent where they may not be sent. */
  send?: () => void;
}

/** The menu of one entry, or of several chosen together. */
export function entryMenu(chosen: Chosen[], options: MenuOptions): MenuLine[] {
  const [first] = chosen;
  if (!first) return [];
  if (chosen.length > 1) return [...downloadLines(chosen, options), ...sendLines(options)];
  return [
    ...openLines(first, options),
    ...downloadLines(chosen, options),
    ...sendLines(options),
    SEPARATOR,
    { label: options.words.actions.copyLink, icon: LinkIcon, run: () => void copyLink(first, options.words) },
    {
      label: options.words.actions.copyPath,
      icon: Copy,
      run: () => void copy(first.entry.path, options.words),
    },
    SEPARATOR,
    ...versionLines(first, options),
    { label: options.words.actions.details, icon: Info, run: options.details },
  ];
}

function openLines({ place, entry }: Chosen, { words, elsewhere, open, goTo }: MenuOptions): MenuLine[] {
  const lines: MenuLine[] = [];
  const folder = entry.type === 'folder';
  if (folder) lines.push({ label: words.actions.open, icon: FolderOpen, keys: '↵', run: open });
  if (entry.type === 'file') lines.push({ label: words.actions.preview, icon: Eye, keys: '␣', run: open });
  if (entry.type === 'file' && mayWrite(place) && isEditable(entry.name, entry.kind, entry.size)) {
    const href = editHref({ ...place, path: entry.path });
    lines.push({ label: words.actions.edit, icon: Pencil, run: () => goTo(href) });
  }
  if (elsewhere) {
    const href = folderHref({ ...place, path: parentPath(entry.path) });
    lines.push({ label: words.actions.showInFolder, icon: FolderOpen, run: () => goTo(href) });
  }
  return lines;
}

function versionLines({ place, entry }: Chosen, { words }: MenuOptions): MenuLine[] {
  if (entry.type !== 'file' || !mayWrite(place)) return [];
  return [{ label: words.actions.versions, icon: Clock, run: () => versions.show(place, entry.path) }];
}

function sendLines({ words, send }: MenuOptions): MenuLine[] {
  return send ? [{ label: words.actions.send, icon: Send, keys: commandKey('↵'), run: send }] : [];
}

function downloadLines(chosen: Chosen[], { words, mayDownload }: MenuOptions): MenuLine[] {
  const [first] = chosen;
  const known = chosen.filter(({ entry }) => entry.type === 'file' || entry.type === 'folder');
  if (!mayDownload || !first || known.length === 0) return [];
  if (chosen.length === 1 && isFile(first)) {
    const href = downloadUrl(first.place, first.entry.path);
    return [{ label: words.actions.download, icon: Download, href, download: true }];
  }
  return [
    { label: words.actions.downloadZip, icon: Download, run: () => download(known, 'zip', words) },
    { label: words.actions.downloadTar, icon: Package, run: () => download(known, 'tar', words) },
  ];
}
