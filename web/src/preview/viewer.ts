// Which viewer shows a file, told by its name and size: one table. Knows no viewer and loads none.

export type Viewer = 'image' | 'video' | 'audio' | 'pdf' | 'markdown' | 'table' | 'html' | 'text' | 'none';

/** The most bytes of a text shown at once; the rest comes when asked for. */
export const TEXT_CHUNK = 1_500_000;
/** A file of no known kind is looked into only if it is small enough to be somebody's notes. */
const GUESS_LIMIT = 1_500_000;

const ENDINGS: [Viewer, string][] = [
  ['image', 'jpg jpeg jpe jfif png apng gif webp avif bmp ico svg'],
  ['video', 'mp4 m4v mov mkv webm avi flv wmv mpg mpeg m2ts mts 3gp ogv vob'],
  ['audio', 'mp3 flac wav ogg oga opus m4a aac wma aif aiff weba'],
  ['pdf', 'pdf'],
  ['markdown', 'md markdown mdown mkd'],
  ['table', 'csv tsv tab'],
  ['html', 'html htm xhtml xht'],
  [
    'none',
    'heic heif tif tiff jxl raw raf cr2 cr3 nef arw dng orf rw2 psd xcf doc docx docm odt xls xlsx xlsm xlsb ods ppt pptx odp ' +
      'epub mobi azw3 djvu pages numbers key zip tar gz tgz bz2 xz zst 7z rar iso img dmg exe dll so dylib bin o a class jar ' +
      'wasm pyc sqlite db parquet ttf otf woff woff2 mid midi',
  ],
];

const BY_ENDING = new Map(
  ENDINGS.flatMap(([viewer, endings]) => endings.split(' ').map((ending) => [ending, viewer] as const)),
);

/** Viewers of text, and a picture that is written as text. */
const TEXTS: readonly Viewer[] = ['text', 'markdown', 'table', 'html'];

/** Whether a file of this name, kind and size is offered to be edited as text. */
export const isEditable = (name: string, kind: string, size: number): boolean =>
  TEXTS.includes(viewerFor(name, kind, size)) || endingOf(name) === 'svg';

/** The ending of a name, lower case and without its dot; empty if it has none. */
export function endingOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot + 1).toLowerCase() : '';
}

/** The viewer for a file of this name, kind (as the listing tells it) and size. */
export function viewerFor(name: string, kind: string, size: number): Viewer {
  const known = BY_ENDING.get(endingOf(name));
  if (known) return known;
  if (kind === 'text' || kind === 'code') return 'text';
  if (kind === 'video' || kind === 'audio') return kind;
  // Makefile, LICENSE, .gitignore: the text viewer says so itself if the bytes turn out not to be text.
  return size <= GUESS_LIMIT && kind === 'other' ? 'text' : 'none';
}
