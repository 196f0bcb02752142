// Which entries have a picture worth asking for. The machine draws tiles for the rest; our icons are sharper.
import type { Entry } from '../api/types';

const PICTURES = /\.(jpe?g|jfif|png|gif|webp|avif|bmp|tiff?)$/i;

export function hasThumbnail(entry: Entry, large: boolean): boolean {
  if (entry.type !== 'file' || entry.size === 0) return false;
  if (entry.kind === 'image') return PICTURES.test(entry.name);
  return entry.kind === 'video' || (large && /\.pdf$/i.test(entry.name));
}

/** Pixels to ask for: few different sizes, so that the machine's cache is shared. */
export function thumbnailSize(large: boolean): number {
  if (!large) return 96;
  return devicePixelRatio > 1 ? 512 : 320;
}
