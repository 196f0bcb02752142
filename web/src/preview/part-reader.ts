// Reads a text file from its beginning, part by part, and never mixes two versions of it.
// Knows how to ask for byte ranges; knows nothing of what is done with the text.
import { ApiFailure, request } from '../api/client';
import { decodeText, type Decoded } from './decode';
import { TEXT_CHUNK } from './viewer';

export type Reading = Decoded & {
  /** Bytes read so far. */
  bytes: number;
  /** True if that is the whole file. */
  whole: boolean;
};

/** The file is another one than when its first part was read. */
export class FileChanged extends Error {}

export class PartReader {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #tag = '';
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Reads one more part and decodes all there is. Throws {@link FileChanged}, {@link ApiFailure}. */
  async read(signal: AbortSignal): Promise<Reading> {
    const whole = await this.#fetch(signal);
    const all = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return { ...decodeText(all, whole), bytes: this.#bytes, whole };
  }

  /** Fetches one more part; true if it was the last. */
  async #fetch(signal: AbortSignal): Promise<boolean> {
    const from = this.#bytes;
    const headers: Record<string, string> = {
      Accept: '*/*',
      Range: `bytes=${from}-${from + TEXT_CHUNK - 1}`,
    };
    if (this.#tag) headers['If-Range'] = this.#tag;
    const response = await this.#ask(headers, signal);
    if (!response) return true;
    if (from > 0 && response.status !== 206) {
      await response.body?.cancel();
      throw new FileChanged();
    }
    this.#tag = response.headers.get('etag') ?? '';
    const part = await readAtMost(response, TEXT_CHUNK);
    this.#parts.push(part);
    this.#bytes += part.length;
    const total = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
    return total === undefined ? part.length < TEXT_CHUNK : this.#bytes >= Number(total);
  }

  /** The answer, or undefined where the file has no byte at this place. */
  async #ask(headers: Record<string, string>, signal: AbortSignal): Promise<Response | undefined> {
    try {
      return await request(this.#url, { headers, signal });
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 416) return undefined;
      throw error;
    }
  }
}

/** The first bytes of an answer: a server that ignores ranges must not fill the memory. */
async function readAtMost(response: Response, limit: number): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  while (reader && length < limit) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
  }
  await reader?.cancel();
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all.subarray(0, limit);
}
