// Carries files of this browser into the receiver's inbox over HTTP: chunk after chunk, several files side by side, in flat
// memory. Goes on by itself after a break, where it stopped; waits while a side holds the transfer or the receiver's disk
// is full. Knows requests by `World.send` alone, and nothing of the screen.
import { ApiFailure, FILE_GONE, isAbort, address } from '../api/client';
import type { TransferItem } from '../api/types';
import { Turns } from '../lib/turns';
import { FIRST, nextChunk, smallerChunk } from '../upload/chunk';
import type { Send, Sent } from '../upload/xhr';
import type { LocalItem } from './local';

/** Files on their way at once. */
export const LANES = 4;
/** The largest body that a machine takes. */
const MOST_BYTES = 8 * 1024 * 1024;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** How often it is looked whether a transfer that is held goes on. */
const HELD_MS = 500;
/** Tries with a new ticket, where the machine does not know the transfer. */
const MOST_RENEWED = 8;

/** `over`: nothing more of it is wanted. */
export type Stand = 'going' | 'held' | 'over';

export interface World {
  send: Send;
  stand: () => Stand;
  /** Has the machine told anew what to expect of whom. */
  renew: () => Promise<unknown>;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
  now: () => number;
}

/** An item as both sides know it. */
export interface Part {
  item: Pick<TransferItem, 'id' | 'filename' | 'kind' | 'state'>;
  local: LocalItem;
}

/** What a request says besides its bytes. */
interface Ask {
  tail: string;
  query: Record<string, string | number | boolean>;
  headers?: Record<string, string>;
  body?: Blob;
}

export class Delivery {
  readonly #base: string;
  readonly #world: World;
  readonly #turns = new Turns(LANES);
  readonly #stop = new AbortController();
  #chunk = FIRST;

  constructor(base: string, world: World) {
    this.#base = base;
    this.#world = world;
  }

  /** Sends all of it. Ends when everything is in its place, or when nothing more is wanted; throws what stopped it. */
  async run(parts: readonly Part[]): Promise<void> {
    const wanted = parts.filter(({ item }) => item.state !== 'rejected' && item.state !== 'finalized');
    try {
      await Promise.all(wanted.map((part) => this.#deliver(part)));
    } catch (error) {
      // The others stop, too: what they have brought stays there.
      this.#stop.abort();
      if (!isAbort(error)) throw error;
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  async #deliver({ item, local }: Part): Promise<void> {
    const folder = item.kind === 'folder';
    const about = { item_id: item.id, filename: item.filename };
    const folders = local.folders.map((path) => () => this.#ask(emptyFolder(about, path)));
    const files = local.files.map(({ path, file }) => () => {
      const query = { ...about, size: file.size, modified: new Date(file.lastModified).toISOString() };
      return this.#file(folder ? { ...query, path } : query, file);
    });
    const sends: (() => Promise<unknown>)[] = [...folders, ...files];
    await Promise.all(sends.map((send) => this.#turns.run(send)));
    const partial: Ask['query'] = local.partial ? { partial: true } : {};
    await this.#ask({ tail: 'commit', query: { item_id: item.id, ...partial } });
    await this.#ask(finalizing(item.id));
  }

  async #file(query: Ask['query'], file: File): Promise<void> {
    let offset = 0;
    do {
      const end = Math.min(file.size, offset + Math.min(this.#chunk, MOST_BYTES));
      const body = file.slice(offset, end);
      const began = this.#world.now();
      const answer = await this.#ask({
        tail: 'chunk',
        query,
        headers: chunkHeaders(offset, end, file),
        body,
      });
      if (answer.status < 300 && body.size > 0)
        this.#chunk = nextChunk(this.#chunk, body.size, this.#world.now() - began);
      offset = arrivedAt(answer, end);
    } while (offset < file.size);
  }

  /** Asks until it is answered: with a success, or with another place in the file. */
  async #ask(ask: Ask): Promise<Sent> {
    for (let tries = 0, renewed = 0; ; tries += 1) {
      await this.#whileHeld();
      const failure = await this.#try(ask);
      if (!(failure instanceof ApiFailure)) return failure;
      if (failure.status === 403 || failure.status === 404) {
        if ((renewed += 1) > MOST_RENEWED) throw failure;
        await this.#world.renew();
      } else if (!passes(failure)) throw failure;
      if (failure.status === 0) this.#chunk = smallerChunk(this.#chunk);
      await this.#world.wait(waitAfter(tries, failure), this.#stop.signal);
    }
  }

  async #try({ tail, query, headers, body }: Ask): Promise<Sent | ApiFailure> {
    try {
      const answer = await this.#world.send({
        method: 'POST',
        url: address(`${this.#base}/${tail}`, query),
        headers,
        body,
        signal: this.#stop.signal,
      });
      if (answer.status < 300 || placeIn(answer) !== undefined) return answer;
      const unknown = { code: `HTTP_${answer.status}` as const, message: '', hint: '', request_id: '' };
      return new ApiFailure(answer.error ?? unknown, answer.status);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      // A file that the visitor moved or changed meanwhile looks like a broken line.
      if (body && body.size > 0 && !(await readable(body))) throw ApiFailure.local(FILE_GONE);
      return error;
    }
  }

  async #whileHeld(): Promise<void> {
    for (;;) {
      const stand = this.#world.stand();
      if (stand === 'over') this.#stop.abort();
      this.#stop.signal.throwIfAborted();
      if (stand === 'going') return;
      await this.#world.wait(HELD_MS, this.#stop.signal);
    }
  }
}

const CHUNK_OFFSET = 'x-chunk-offset';

const chunkHeaders = (offset: number, end: number, file: File): Record<string, string> => ({
  'Content-Type': 'application/octet-stream',
  [CHUNK_OFFSET]: String(offset),
  ...(end === file.size ? { 'x-chunk-last': '1' } : {}),
});

const emptyFolder = (about: Ask['query'], path: string): Ask => ({
  tail: 'chunk',
  query: { ...about, path, folder: true },
});

const finalizing = (item_id: string): Ask => ({
  tail: 'finalize',
  query: {},
  headers: { 'Content-Type': 'application/json' },
  body: new Blob([JSON.stringify({ item_id, destination_path: '' })]),
});

/** Where in the file the next chunk has to begin, in the refusal of one that began elsewhere. */
function placeIn(answer: Sent): number | undefined {
  const place = answer.error?.code === 'OFFSET_CONFLICT' ? answer.header(CHUNK_OFFSET) : null;
  return place === null ? undefined : Number(place);
}

function arrivedAt(answer: Sent, end: number): number {
  const place = placeIn(answer);
  if (place !== undefined) return place;
  const { received_size: received } = JSON.parse(answer.text) as { received_size?: number };
  return received ?? end;
}

/** True for what passes by itself: no way, a machine that is busy or full, a side that holds it. */
const passes = ({ status, code }: ApiFailure) =>
  status === 0 || status === 429 || status >= 500 || code === 'WRONG_STATE';

const waitAfter = (tries: number, { retryAfter }: ApiFailure) =>
  Math.max((retryAfter ?? 0) * 1_000, Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries));

async function readable(body: Blob): Promise<boolean> {
  return body
    .slice(0, 1)
    .arrayBuffer()
    .then(
      () => true,
      () => false,
    );
}
