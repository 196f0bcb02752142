// Many small files as one body: a tar archive (POSIX ustar, with pax records for names that do not fit), put together
// as a Blob of headers and Files, so that no content is read before it is sent. Pure.

const BLOCK = 512;
const NAME_BYTES = 100;
const encoder = new TextEncoder();

export interface TarItem {
  /** From the folder it is unpacked into; names joined with `/`, as the disk has them. */
  path: string;
  /** The content; absent for a folder. */
  file?: Blob;
  /** When it was last changed, in milliseconds since 1970. */
  modified?: number;
}

/** The archive of these. */
export function tarOf(items: readonly TarItem[]): Blob {
  const parts = items.flatMap(partsOf);
  // Two empty blocks are the end.
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts, { type: 'application/x-tar' });
}

/** How much of the archive this item is. */
export function tarSize(item: TarItem): number {
  return partsOf(item).reduce((sum, part) => sum + (part instanceof Blob ? part.size : part.byteLength), 0);
}

function partsOf({ path, file, modified }: TarItem): (Blob | Uint8Array<ArrayBuffer>)[] {
  const name = file ? path : `${path}/`;
  const bytes = encoder.encode(name);
  const plain = bytes.length === name.length && bytes.length <= NAME_BYTES;
  const seconds = Math.max(0, Math.floor((modified ?? 0) / 1_000));
  const header = headerOf({
    name: plain ? bytes : bytes.subarray(0, NAME_BYTES),
    type: file ? '0' : '5',
    mode: file ? 0o644 : 0o755,
    size: file?.size ?? 0,
    seconds,
  });
  const before = plain ? [header] : [...paxOf('path', name), header];
  return file && file.size ? [...before, file, ...paddingOf(file.size)] : before;
}

interface Header {
  name: Uint8Array;
  type: string;
  mode: number;
  size: number;
  seconds: number;
}

function headerOf({ name, type, mode, size, seconds }: Header): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const write = (at: number, text: string) => block.set(encoder.encode(text), at);
  const octal = (at: number, digits: number, value: number) =>
    write(at, value.toString(8).padStart(digits, '0'));
  block.set(name, 0);
  octal(100, 7, mode);
  octal(108, 7, 0);
  octal(116, 7, 0);
  octal(124, 11, size);
  octal(136, 11, seconds);
  // The checksum is taken as if its own field were blank.
  write(148, '        ');
  write(156, type);
  write(257, 'ustar\0' + '00');
  const sum = block.reduce((total, byte) => total + byte, 0);
  write(148, `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** A record that says something of the next header for which that has no room. */
function paxOf(key: string, value: string): Uint8Array<ArrayBuffer>[] {
  const record = encoder.encode(recordOf(key, value));
  const header = headerOf({
    name: encoder.encode('pax'),
    type: 'x',
    mode: 0o644,
    size: record.length,
    seconds: 0,
  });
  return [header, record, ...paddingOf(record.length)];
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function recordOf(key: string, value: string): string {
  const rest = encoder.encode(` ${key}=${value}\n`).length;
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function paddingOf(size: number): Uint8Array<ArrayBuffer>[] {
  const over = size % BLOCK;
  return over ? [new Uint8Array(BLOCK - over)] : [];
}
