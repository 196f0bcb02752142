// A text file as bytes and as text, without loss: encoding and line endings are read, kept beside the text, and written
// back. Pure; knows nothing of where the bytes come from.
import { unmarkedUtf16 } from '../lib/utf16';
import { keepEndings, type LineEnding } from './line-endings';

export type Encoding = 'UTF-8' | 'UTF-8 BOM' | Utf16 | 'Windows-1252';
/** With a byte order mark, as usual, or without. */
type Utf16 = 'UTF-16LE' | 'UTF-16BE' | 'UTF-16LE no BOM' | 'UTF-16BE no BOM';

/** How a text stands on the disk. */
export interface TextFormat {
  encoding: Encoding;
  /** How new lines end. */
  ending: LineEnding;
  /** True if lines end in more than one way: each keeps its own. */
  mixed: boolean;
}

/** A text as it is edited: its lines end with `\n`. */
export interface TextFile {
  text: string;
  format: TextFormat;
  /** The text with its line endings as they were: what {@link writeText} takes the endings of unchanged lines from. */
  raw: string;
}

/** What a text is as bytes. */
export interface Written {
  bytes: Uint8Array<ArrayBuffer>;
  /** Characters that the encoding has no bytes for, each once: something else stands in for them. */
  lost: string[];
}

/** A new file's. */
export const PLAIN: TextFormat = { encoding: 'UTF-8', ending: '\n', mixed: false };

const BOM_8 = [0xef, 0xbb, 0xbf];
const BOM_16LE = [0xff, 0xfe];
const BOM_16BE = [0xfe, 0xff];

/** How far one looks for a byte that no text has. */
const PROBE = 8_192;

/** Reads a file; undefined if its bytes are not text. */
export function readText(bytes: Uint8Array): TextFile | undefined {
  const decoded = decode(bytes);
  if (!decoded) return undefined;
  const { encoding, raw } = decoded;
  return { text: raw.replace(/\r\n?/g, '\n'), format: { encoding, ...endingsOf(raw) }, raw };
}

/** The bytes of an edited text. `raw` is the text that it was made from, with its line endings as they were. */
export function writeText(text: string, format: TextFormat, raw: string): Written {
  return encode(withEndings(text, format, raw), format.encoding);
}

/** The text with the line endings that it has on the disk. */
export function withEndings(text: string, format: TextFormat, raw: string): string {
  if (format.mixed) return keepEndings(text, raw, format.ending);
  return format.ending === '\n' ? text : text.replaceAll('\n', format.ending);
}

const startsWith = (bytes: Uint8Array, mark: number[]) => mark.every((byte, i) => bytes[i] === byte);

function decode(bytes: Uint8Array): { encoding: Encoding; raw: string } | undefined {
  if (startsWith(bytes, BOM_16LE)) return decodeUtf16(bytes, 'UTF-16LE');
  if (startsWith(bytes, BOM_16BE)) return decodeUtf16(bytes, 'UTF-16BE');
  const order = unmarkedUtf16(bytes);
  if (order) return decodeUtf16(bytes, order === 'little' ? 'UTF-16LE no BOM' : 'UTF-16BE no BOM');
  if (bytes.subarray(0, PROBE).includes(0)) return undefined;
  const marked = startsWith(bytes, BOM_8);
  try {
    const raw = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      marked ? bytes.subarray(BOM_8.length) : bytes,
    );
    return { encoding: marked ? 'UTF-8 BOM' : 'UTF-8', raw };
  } catch {
    // Every byte is a character of it, so nothing is lost whatever it was meant to be.
    return { encoding: 'Windows-1252', raw: decodeBytes(bytes) };
  }
}

const isMarked = (encoding: Utf16) => !encoding.endsWith('no BOM');
const isLittle = (encoding: Utf16) => encoding.startsWith('UTF-16LE');
const isUtf16 = (encoding: Encoding): encoding is Utf16 => encoding.startsWith('UTF-16');

/** By hand: a decoder would replace half a character, and the bytes would not come back. */
function decodeUtf16(bytes: Uint8Array, encoding: Utf16): { encoding: Encoding; raw: string } | undefined {
  if (bytes.length % 2) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let raw = '';
  for (let at = isMarked(encoding) ? 2 : 0; at < bytes.length; at += 2)
    raw += String.fromCharCode(view.getUint16(at, isLittle(encoding)));
  return { encoding, raw };
}

function endingsOf(raw: string): Pick<TextFormat, 'ending' | 'mixed'> {
  const counts: Record<LineEnding, number> = { '\n': 0, '\r\n': 0, '\r': 0 };
  for (const [found] of raw.matchAll(/\r\n?|\n/g)) counts[found as LineEnding] += 1;
  const used = (Object.keys(counts) as LineEnding[]).filter((ending) => counts[ending] > 0);
  const [most = '\n'] = used.toSorted((a, b) => counts[b] - counts[a]);
  return { ending: most, mixed: used.length > 1 };
}

function encode(text: string, encoding: Encoding): Written {
  if (encoding === 'Windows-1252') return encodeBytes(text);
  if (isUtf16(encoding)) return encodeUtf16(isMarked(encoding) ? `\ufeff${text}` : text, isLittle(encoding));
  const body = new TextEncoder().encode(text);
  const mark = encoding === 'UTF-8 BOM' ? BOM_8 : [];
  const bytes = new Uint8Array(mark.length + body.length);
  bytes.set(mark);
  bytes.set(body, mark.length);
  return { bytes, lost: [...new Set(text.match(LONE_HALF))] };
}

/** Half of a character that takes two units. */
const LONE_HALF = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function encodeUtf16(text: string, little: boolean): Written {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i += 1) view.setUint16(i * 2, text.charCodeAt(i), little);
  return { bytes, lost: [] };
}

/** What Windows-1252 has at 0x80 to 0x9f; five of them are nothing, and stay what they are. */
const HIGH = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';
const characterAt = (byte: number) =>
  byte >= 0x80 && byte < 0xa0 ? HIGH.charAt(byte - 0x80) : String.fromCharCode(byte);
const BYTES = new Map(Array.from({ length: 256 }, (_, byte) => [characterAt(byte), byte]));

function decodeBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += characterAt(byte);
  return text;
}

function encodeBytes(text: string): Written {
  const lost = new Set<string>();
  const bytes = new Uint8Array(text.length);
  let at = 0;
  for (const char of text) {
    const byte = BYTES.get(char);
    if (byte === undefined) lost.add(char);
    bytes[at] = byte ?? 0x3f;
    at += 1;
  }
  return { bytes: bytes.slice(0, at), lost: [...lost] };
}
