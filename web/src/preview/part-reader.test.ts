import { afterEach, describe, expect, it, vi } from 'vitest';
import { FileChanged, PartReader } from './part-reader';
import { TEXT_CHUNK } from './viewer';

/** A machine that serves `file` by ranges, as the device API does. */
function serve(file: { bytes: Uint8Array<ArrayBuffer>; tag: string }) {
  const asked: (string | null)[] = [];
  vi.stubGlobal('fetch', async (_: string, { headers }: { headers: Record<string, string> }) => {
    asked.push(headers.Range ?? null);
    const [, from = 0, to = 0] = (/bytes=(\d+)-(\d+)/.exec(headers.Range ?? '') ?? []).map(Number);
    if (headers['If-Range'] && headers['If-Range'] !== file.tag)
      return new Response(file.bytes, { status: 200 });
    if (from >= file.bytes.length) {
      return Response.json(
        { code: 'RANGE_NOT_SATISFIABLE', message: '', hint: '', request_id: '' },
        { status: 416 },
      );
    }
    const part = file.bytes.slice(from, to + 1);
    const range = `bytes ${from}-${from + part.length - 1}/${file.bytes.length}`;
    return new Response(part, { status: 206, headers: { etag: file.tag, 'content-range': range } });
  });
  return asked;
}

const signal = new AbortController().signal;

describe('PartReader', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('reads a short file at once', async () => {
    serve({ bytes: new TextEncoder().encode('hello'), tag: '"1"' });
    expect(await new PartReader('/f').read(signal)).toMatchObject({ text: 'hello', whole: true, bytes: 5 });
  });
  it('takes a file without bytes for what it is', async () => {
    serve({ bytes: new Uint8Array(), tag: '"1"' });
    expect(await new PartReader('/f').read(signal)).toMatchObject({ text: '', whole: true });
  });
  it('reads a long file in parts, with no character broken at the seam', async () => {
    const text = 'a'.repeat(TEXT_CHUNK - 1) + 'é' + 'b'.repeat(10);
    const asked = serve({ bytes: new TextEncoder().encode(text), tag: '"1"' });
    const reader = new PartReader('/f');
    expect(await reader.read(signal)).toMatchObject({ text: 'a'.repeat(TEXT_CHUNK - 1), whole: false });
    const second = await reader.read(signal);
    expect(second.text === text && second.whole).toBe(true);
    expect(asked).toEqual([`bytes=0-${TEXT_CHUNK - 1}`, `bytes=${TEXT_CHUNK}-${2 * TEXT_CHUNK - 1}`]);
  });
  it('says that the file changed instead of mixing two versions', async () => {
    const file = { bytes: new Uint8Array(TEXT_CHUNK + 5).fill(97), tag: '"1"' };
    serve(file);
    const reader = new PartReader('/f');
    await reader.read(signal);
    file.tag = '"2"';
    await expect(reader.read(signal)).rejects.toBeInstanceOf(FileChanged);
  });
});
