// Texts in UTF-16 that do not begin with a byte order mark, as some programs of Windows write them: known by where their
// zero bytes are. Pure.

/** How far one looks. */
const PROBE = 8_192;
/** So many of its units have a zero byte: in a text of Latin letters nearly all, in other scripts its spaces and line ends. */
const LEAST = 0.1;

/** Which byte of each unit comes first; undefined if these bytes are no such text. */
export function unmarkedUtf16(bytes: Uint8Array): 'little' | 'big' | undefined {
  const probe = bytes.subarray(0, Math.min(PROBE, bytes.length - (bytes.length % 2)));
  let [first, second] = [0, 0];
  for (const [at, byte] of probe.entries()) {
    if (byte !== 0) continue;
    if (at % 2) second += 1;
    else first += 1;
  }
  const most = Math.max(first, second);
  if (most === 0 || Math.min(first, second) > 0 || most < (probe.length / 2) * LEAST) return undefined;
  const order = second > 0 ? 'little' : 'big';
  return isText(probe, order === 'little') ? order : undefined;
}

/** Numbers in two bytes look alike, but have what no text has. */
function isText(probe: Uint8Array, little: boolean): boolean {
  const view = new DataView(probe.buffer, probe.byteOffset, probe.byteLength);
  for (let at = 0; at < probe.byteLength; at += 2) {
    const unit = view.getUint16(at, little);
    if (unit < 0x20 && unit !== 0x09 && unit !== 0x0a && unit !== 0x0c && unit !== 0x0d) return false;
    if (unit === 0xffff || unit === 0xfffe) return false;
  }
  return true;
}
