// Names of files as the API writes them: what a screen or another system would misread stands there as `\xHH`.

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const MISREAD = /[\u0000-\u001f\u007f-\u009f\\]/g;
const DRIVE = /^([A-Za-z]):/;
const ESCAPED = /\\x[0-9a-f]{2}/g;

const escaped = (text: string) =>
  [...new TextEncoder().encode(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');

/** The text form of a name that a disk gave us. */
export function escapeName(name: string): string {
  return name.replace(MISREAD, escaped).replace(DRIVE, '$1\\x3a');
}

/** The text form of a path whose names a disk gave us. */
export const escapePath = (path: string) => path.split('/').map(escapeName).join('/');

/** The text form of a name that somebody typed, who may have left the escapes of another name as they were. */
export function typedName(text: string): string {
  const kept = text.match(ESCAPED) ?? [];
  return text
    .split(ESCAPED)
    .map((part, at) => (at === 0 ? escapeName(part) : part.replace(MISREAD, escaped)) + (kept[at] ?? ''))
    .join('');
}

/** Where a name's ending begins: what is before it is what one changes in a new name. */
export function stemLength(name: string): number {
  const at = name.lastIndexOf('.');
  return at > 0 ? at : name.length;
}
