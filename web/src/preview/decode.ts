// Bytes of a text file as text: what the byte order mark says, else what they look like: UTF-16, UTF-8 or Windows-1252,
// which every byte is. Pure; knows nothing of where the bytes come from.
import { unmarkedUtf16 } from '../lib/utf16';

export type Decoded = {
  text: string;
  /** As a person reads it in the title: "UTF-8". */
  encoding: string;
  /** True if the bytes are not text at all, so that showing them would be noise. */
  binary: boolean;
};

const MARKS: [string, number[]][] = [
  ['UTF-8', [0xef, 0xbb, 0xbf]],
  ['UTF-16LE', [0xff, 0xfe]],
  ['UTF-16BE', [0xfe, 0xff]],
];

/** Decodes `bytes`. `whole` is false for the beginning of a longer file, whose last character may be cut in two. */
export function decodeText(bytes: Uint8Array, whole: boolean): Decoded {
  const mark = MARKS.find(([, signature]) => signature.every((byte, i) => bytes[i] === byte));
  const order = mark ? undefined : unmarkedUtf16(bytes);
  const wide = order && (order === 'little' ? 'UTF-16LE' : 'UTF-16BE');
  const encoding = mark?.[0] ?? wide;
  if (encoding) return { text: decode(encoding, bytes, whole), encoding, binary: false };
  if (bytes.subarray(0, 8_192).includes(0)) return { text: '', encoding: '', binary: true };
  try {
    return { text: decode('UTF-8', bytes, whole, true), encoding: 'UTF-8', binary: false };
  } catch {
    return { text: decode('windows-1252', bytes, whole), encoding: 'Windows-1252', binary: false };
  }
}

function decode(encoding: string, bytes: Uint8Array, whole: boolean, fatal = false): string {
  return new TextDecoder(encoding, { fatal }).decode(bytes, { stream: !whole });
}
