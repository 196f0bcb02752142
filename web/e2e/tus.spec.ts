// Another program's tus client in the browser: tus-js-client, which knows nothing of Lanthorn, uploads, is stopped, and goes
// on after a reload with what it kept in the browser.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as tus from 'tus-js-client';
import { expect, test } from './rig';

const SIZE = 6 * 1024 * 1024;
const PIECE = 1024 * 1024;
/** Its build for browsers, which puts `tus` on the page. */
const CLIENT = join(import.meta.dirname, '../node_modules/tus-js-client/dist/tus.js');

type Client = typeof tus;

/** Bytes that differ from place to place, made where they are needed. */
const byteAt = (i: number) => (i * 31 + (i >>> 12)) & 0xff;

test('tus-js-client uploads, is stopped, and goes on after a reload', async ({ machine, page }) => {
  // As a script of the page it would be against the page's policy.
  await page.addInitScript({ path: CLIENT });
  const folder = await machine.address(page);
  const [, device, share] = /files\/([^/]+)\/([^/]+)/.exec(folder) ?? [];
  const endpoint = `/api/v1/devices/${device}/shares/${share}/uploads`;
  const offsets: number[] = [];
  page.on('request', (request) => {
    if (request.method() === 'PATCH') offsets.push(Number(request.headers()['upload-offset']));
  });

  /** Uploads, and stops itself after so many pieces; tells how far it came. */
  const upload = (stopAfter: number) =>
    page.evaluate(
      ({ endpoint, SIZE, PIECE, stopAfter }) =>
        new Promise<number>((done, fail) => {
          const { Upload } = (window as unknown as { tus: Client }).tus;
          const bytes = Uint8Array.from({ length: SIZE }, (_, i) => (i * 31 + (i >>> 12)) & 0xff);
          const file = new File([bytes], 'film.bin', { lastModified: 1_700_000_000_000 });
          let pieces = 0;
          const upload = new Upload(file, {
            endpoint: new URL(endpoint, location.href).href,
            chunkSize: PIECE,
            retryDelays: null,
            headers: { 'X-Lanthorn': '1' },
            metadata: { filename: file.name, folder: 'from tus-js-client' },
            onError: fail,
            onSuccess: () => done(SIZE),
            onChunkComplete: (_, sent) => {
              pieces += 1;
              if (pieces === stopAfter) void upload.abort().then(() => done(sent));
            },
          });
          void upload.findPreviousUploads().then(([before]) => {
            if (before) upload.resumeFromPreviousUpload(before);
            upload.start();
          });
        }),
      { endpoint, SIZE, PIECE, stopAfter },
    );

  await page.goto(folder);
  expect(await upload(2)).toBe(2 * PIECE);
  await page.reload();
  expect(await upload(Infinity)).toBe(SIZE);
  expect(offsets.filter((offset) => offset === 0)).toHaveLength(1);
  const came = readFileSync(join(machine.shared, 'from tus-js-client/film.bin'));
  expect(came.equals(Buffer.from(Uint8Array.from({ length: SIZE }, (_, i) => byteAt(i))))).toBe(true);
});
