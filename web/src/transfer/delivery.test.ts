import { beforeEach, describe, expect, it } from 'vitest';
import { ApiFailure } from '../api/client';
import type { ErrorCode } from '../api/types';
import type { Sending, Sent } from '../upload/xhr';
import { Delivery, LANES, type Part, type Stand, type World } from './delivery';

const MIB = 1024 * 1024;

/** A receiver's inbox, in memory; it can be made to fail. */
class Inbox {
  files = new Map<string, number>();
  folders: string[] = [];
  said: string[] = [];
  most = 0;
  largest = 0;
  /** Called before an answer; what it throws or returns takes the answer's place. */
  disturb: (sending: Sending, tail: string) => Sent | undefined = () => undefined;
  #now = 0;

  send = async (sending: Sending): Promise<Sent> => {
    this.#now += 1;
    this.most = Math.max(this.most, this.#now);
    this.largest = Math.max(this.largest, sending.body?.size ?? 0);
    try {
      await Promise.resolve();
      sending.signal.throwIfAborted();
      const url = new URL(sending.url, 'http://localhost');
      const tail = url.pathname.slice('/in/'.length);
      return this.disturb(sending, tail) || (await this.#answer(sending, tail, url.searchParams));
    } finally {
      this.#now -= 1;
    }
  };

  async #answer(sending: Sending, tail: string, query: URLSearchParams): Promise<Sent> {
    if (tail !== 'chunk') {
      const id =
        query.get('item_id') ??
        (JSON.parse((await sending.body?.text()) ?? '') as { item_id: string }).item_id;
      this.said.push(`${tail} ${id}${query.get('partial') ? ' partial' : ''}`);
      return answer(200, {});
    }
    const key = `${query.get('item_id')}/${query.get('path') ?? ''}`;
    if (query.get('folder')) {
      this.folders.push(key);
      return answer(200, {});
    }
    const here = this.files.get(key) ?? 0;
    const offset = Number(sending.headers?.['x-chunk-offset']);
    if (offset !== here) return refusal(409, 'OFFSET_CONFLICT', { 'x-chunk-offset': String(here) });
    const received = here + (sending.body?.size ?? 0);
    const whole = received === Number(query.get('size'));
    if (whole !== (sending.headers?.['x-chunk-last'] === '1')) return refusal(409, 'CONFLICT');
    this.files.set(key, received);
    return answer(200, { received_size: received });
  }
}

const answer = (status: number, body: object, headers: Record<string, string> = {}): Sent => ({
  status,
  text: JSON.stringify(body),
  header: (name) => headers[name] ?? null,
});

const refusal = (status: number, code: ErrorCode, headers?: Record<string, string>): Sent => ({
  ...answer(status, {}, headers),
  error: { code, message: '', hint: '', request_id: '' },
});

const file = (size: number) => new File([new Uint8Array(size)], 'x');

const part = (id: string, files: [path: string, size: number][], more: Partial<Part['local']> = {}): Part => {
  const kind = files.some(([path]) => path) || more.folders ? 'folder' : 'file';
  return {
    item: { id, filename: id, kind, state: 'pending' },
    local: {
      offered: { filename: id, kind, size: 0 },
      files: files.map(([path, size]) => ({ path, file: file(size) })),
      folders: [],
      partial: false,
      ...more,
    },
  };
};

let inbox: Inbox;
let stand: Stand;
let waited: number[];
let renewed: number;
let time: number;
let delivery: Delivery;
/** Called at each wait. */
let meanwhile: () => void;

beforeEach(() => {
  inbox = new Inbox();
  stand = 'going';
  waited = [];
  renewed = time = 0;
  meanwhile = () => undefined;
  const world: World = {
    send: inbox.send,
    stand: () => stand,
    renew: async () => (renewed += 1),
    wait: async (ms, signal) => {
      waited.push(ms);
      meanwhile();
      signal.throwIfAborted();
    },
    now: () => (time += 100),
  };
  delivery = new Delivery('/in', world);
});

describe('what this browser sends', () => {
  it('comes in chunks, files side by side, empty ones and empty folders too', async () => {
    const files = Array.from({ length: 9 }, (_, i): [string, number] => [`a/${i}`, i]);
    await delivery.run([part('film', [['', 20 * MIB]]), part('photos', files, { folders: ['none'] })]);
    expect(inbox.files.get('film/')).toBe(20 * MIB);
    expect(files.map(([path]) => inbox.files.get(`photos/${path}`))).toEqual(files.map(([, size]) => size));
    expect(inbox.folders).toEqual(['photos/none']);
    expect(inbox.said.toSorted()).toEqual([
      'commit film',
      'commit photos',
      'finalize film',
      'finalize photos',
    ]);
    expect(inbox.most).toBe(LANES);
    expect(inbox.largest).toBeLessThanOrEqual(8 * MIB);
  });

  it('goes on where the receiver is', async () => {
    inbox.files.set('film/', 15 * MIB);
    await delivery.run([part('film', [['', 20 * MIB]])]);
    expect(inbox.files.get('film/')).toBe(20 * MIB);
  });

  it('goes on after breaks, the longer the later', async () => {
    let broken = 3;
    inbox.disturb = () => {
      if (broken-- > 0) throw ApiFailure.unreachable();
      return undefined;
    };
    await delivery.run([part('film', [['', 9 * MIB]])]);
    expect(inbox.files.get('film/')).toBe(9 * MIB);
    expect(waited).toEqual([500, 1_000, 2_000]);
  });

  it('sends a chunk again of which nobody knows whether it came', async () => {
    let lost = true;
    inbox.disturb = ({ headers }, tail) => {
      if (tail !== 'chunk' || !lost || headers?.['x-chunk-offset'] !== '0') return undefined;
      lost = false;
      inbox.files.set('film/', 4 * MIB);
      throw ApiFailure.unreachable();
    };
    await delivery.run([part('film', [['', 9 * MIB]])]);
    expect(inbox.files.get('film/')).toBe(9 * MIB);
  });

  it.each([
    [507, 'NO_SPACE'],
    [503, 'DEVICE_OFFLINE'],
    [429, 'BUSY'],
    [409, 'WRONG_STATE'],
  ] as const)('waits while the machine says %i %s', async (status, code) => {
    let times = 5;
    inbox.disturb = () => (times-- > 0 ? refusal(status, code) : undefined);
    await delivery.run([part('note', [['', 3]])]);
    expect(inbox.said).toEqual(['commit note', 'finalize note']);
    expect(waited).toHaveLength(5);
  });

  it('asks for a new ticket where the machine knows nothing of it', async () => {
    let times = 2;
    inbox.disturb = () => (times-- > 0 ? refusal(404, 'NOT_FOUND') : undefined);
    await delivery.run([part('note', [['', 3]])]);
    expect([renewed, inbox.said.length]).toEqual([2, 2]);
  });

  it('sends nothing while it is held, and nothing more once it is over', async () => {
    stand = 'held';
    meanwhile = () => {
      expect(inbox.files.size).toBe(0);
      if (waited.length === 3) stand = 'going';
    };
    inbox.disturb = (_, tail) => {
      if (tail === 'commit') stand = 'over';
      return undefined;
    };
    await delivery.run([part('note', [['', 3]])]);
    expect(inbox.said).toEqual(['commit note']);
  });

  it('stops with what cannot be', async () => {
    inbox.disturb = () => refusal(409, 'CONFLICT');
    await expect(delivery.run([part('note', [['', 3]])])).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('leaves out what is not wanted, and says that not all could be read', async () => {
    const unwanted = part('film', [['', 3]]);
    unwanted.item.state = 'rejected';
    await delivery.run([unwanted, part('photos', [['a', 1]], { partial: true })]);
    expect([...inbox.files.keys()]).toEqual(['photos/a']);
    expect(inbox.said).toEqual(['commit photos partial', 'finalize photos']);
  });
});
