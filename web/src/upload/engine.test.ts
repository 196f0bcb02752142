import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiFailure } from '../api/client';
import type { Clash, Entry, ErrorCode } from '../api/types';
import { Batch, Item, SMALL } from './batch';
import { Engine, LANES, type World } from './engine';
import type { Sending, Sent } from './xhr';

const PLACE = { device: 'd', share: 's' };
const WHEN = Date.UTC(2026, 10, 21, 9, 30);
const MIB = 1024 * 1024;

interface Coming {
  path: string;
  clash: Clash;
  length: number;
  offset: number;
}

/** A machine with one share that speaks tus and unpacks, in memory; it can be made to fail. */
class Machine {
  files = new Map<string, { size: number; by: string }>();
  uploads = new Map<string, Coming>();
  asked: Sending[] = [];
  /** Called before an answer; what it throws or returns takes the answer's place. */
  disturb: (sending: Sending) => unknown = () => undefined;
  most = 0;
  #now = 0;
  #made = 0;

  send = async (sending: Sending): Promise<Sent> => {
    this.asked.push(sending);
    this.#now += 1;
    this.most = Math.max(this.most, this.#now);
    try {
      await Promise.resolve();
      const disturbed = this.disturb(sending) as Sent | undefined;
      sending.signal.throwIfAborted();
      return disturbed ?? (await this.#answer(sending));
    } finally {
      this.#now -= 1;
    }
  };

  stat = async (_: unknown, path: string): Promise<Entry | null> => {
    const there = this.files.get(path);
    if (!there) return null;
    const modified = new Date(WHEN).toISOString();
    return { name: path, path, type: 'file', kind: 'other', size: there.size, modified, version: there.by };
  };

  async #answer(sending: Sending): Promise<Sent> {
    const url = new URL(sending.url, 'http://localhost');
    if (url.pathname.endsWith('/unpack')) return this.#unpack(url.searchParams, sending.body as Blob);
    if (url.pathname.endsWith('/uploads')) return this.#begin(sending);
    const id = url.pathname.split('/').at(-1) ?? '';
    if (sending.method === 'DELETE') return said(this.uploads.delete(id) ? 204 : 404);
    const upload = this.uploads.get(id);
    if (!upload) return said(404);
    // Its key is enough, whoever is signed in.
    if (sending.headers?.['Lanthorn-Upload-Key'] !== `key of ${id}`) return said(401, {}, 'NOT_SIGNED_IN');
    if (sending.method === 'HEAD') return said(200, { 'Upload-Offset': String(upload.offset) });
    return this.#piece(id, upload, sending);
  }

  #begin({ headers = {}, body }: Sending): Sent {
    const pairs = (headers['Upload-Metadata'] ?? '').split(',').map((pair) => pair.split(' '));
    const values = Object.fromEntries(pairs.map(([key, value]) => [key, atob(value ?? '')]));
    this.#made += 1;
    const id = `u${this.#made}`;
    const upload = {
      path: values.path,
      clash: values.clash as Clash,
      length: Number(headers['Upload-Length']),
      offset: body?.size ?? 0,
    };
    this.uploads.set(id, upload);
    return this.#publish(id, upload, 201, {
      Location: `/uploads/${id}`,
      'Lanthorn-Upload-Key': `key of ${id}`,
      'Upload-Offset': String(upload.offset),
    });
  }

  #piece(id: string, upload: Coming, { headers = {}, body }: Sending): Sent {
    if (Number(headers['Upload-Offset']) !== upload.offset) return said(409, {}, 'OFFSET_CONFLICT');
    upload.offset += body?.size ?? 0;
    if (headers['Lanthorn-Clash']) upload.clash = headers['Lanthorn-Clash'] as Clash;
    return this.#publish(id, upload, 204, { 'Upload-Offset': String(upload.offset) });
  }

  #publish(id: string, upload: Coming, status: number, headers: Record<string, string>): Sent {
    if (upload.offset < upload.length) return said(status, headers);
    const outcome = this.#place(upload.path, upload.length, upload.clash);
    if (outcome === 'EXISTS') return said(409, headers, 'EXISTS');
    this.uploads.delete(id);
    const told = {
      'Lanthorn-Outcome': outcome,
      'Lanthorn-Path': upload.path,
      'Lanthorn-Undo': `token of ${id}`,
    };
    return said(status, { ...headers, ...told });
  }

  #place(path: string, size: number, clash: Clash): string {
    if (!this.files.has(path)) {
      this.files.set(path, { size, by: 'us' });
      return 'done';
    }
    if (clash === 'ask') return 'EXISTS';
    if (clash === 'skip') return 'skipped';
    this.files.set(clash === 'rename' ? `${path} (1)` : path, { size, by: 'us' });
    return clash === 'rename' ? 'renamed' : 'replaced';
  }

  async #unpack(query: URLSearchParams, body: Blob): Promise<Sent> {
    const bytes = new Uint8Array(await body.arrayBuffer());
    const lines: string[] = [];
    for (let at = 0; bytes[at];) {
      const text = (from: number, length: number) =>
        new TextDecoder().decode(bytes.subarray(at + from, at + from + length)).replace(/\0.*$/s, '');
      const size = parseInt(text(124, 12), 8);
      // As the machine says it: from the folder it unpacks into.
      const inner = text(0, 100).replace(/\/$/, '');
      const from = `${query.get('path')}/${inner}`;
      const error = { code: 'EXISTS', message: 'taken', hint: '', request_id: '' };
      if (text(156, 1) === '0') {
        const outcome = this.#place(from, size, query.get('clash') as Clash);
        if (outcome === 'EXISTS')
          lines.push(JSON.stringify({ event: 'item', from: inner, outcome: 'failed', error }));
        else if (outcome !== 'done') lines.push(JSON.stringify({ event: 'item', from: inner, outcome }));
      } else if (this.files.has(from)) {
        const notFolder = { ...error, code: 'NOT_FOLDER' };
        lines.push(JSON.stringify({ event: 'item', from: inner, outcome: 'failed', error: notFolder }));
      } else this.files.set(`${from}/`, { size: 0, by: 'folder' });
      at += 512 + Math.ceil(size / 512) * 512;
    }
    this.#made += 1;
    const undo = `token ${this.#made}`;
    lines.push(JSON.stringify({ event: 'done', files: 0, folders: 0, bytes: 0, undo }));
    return { ...said(200), text: lines.join('\n') };
  }
}

function said(status: number, headers: Record<string, string> = {}, code?: ErrorCode): Sent {
  const error = code && { code, message: 'no', hint: '', request_id: '' };
  return { status, header: (name) => headers[name] ?? null, text: '', error };
}

const sized = (path: string, size: number) =>
  new Item(path, size, WHEN, new File([new Uint8Array(size)], path, { lastModified: WHEN }));

function batchOf(items: Item[], folders: string[] = [], made: string[] = []): Batch {
  const batch = new Batch({ id: 'b', place: PLACE, folder: 'in', target: 'in', made });
  batch.grow(items, folders);
  batch.growing = false;
  return batch;
}

let machine: Machine;
let engine: Engine;
let signedOut: ReturnType<typeof vi.fn>;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  machine = new Machine();
  signedOut = vi.fn();
  const world: World = {
    send: machine.send,
    stat: machine.stat,
    now: () => performance.now(),
    settled: () => undefined,
    leaving: () => undefined,
    begun: () => undefined,
    undoable: () => undefined,
    changed: () => undefined,
    signedOut: signedOut as World['signedOut'],
  };
  engine = new Engine(world);
  return () => vi.useRealTimers();
});

/** Until nothing moves any more. */
async function quiet(): Promise<void> {
  do await new Promise((done) => setImmediate(done));
  while (engine.busy);
}

const methods = () =>
  machine.asked.map(({ method, url }) => `${method} ${url.split('/').at(-1)?.split('?')[0]}`);

describe('what goes', () => {
  it('empty folders and small files together, large ones alone', async () => {
    const items = [sized('a/big', 3 * SMALL), ...Array.from({ length: 50 }, (_, i) => sized(`a/${i}`, i))];
    engine.add(batchOf(items, ['empty']));
    await quiet();
    expect(machine.files.get('in/empty/')).toBeDefined();
    expect(machine.files.get('in/a/49')).toEqual({ size: 49, by: 'us' });
    expect(machine.files.get('in/a/big')).toEqual({ size: 3 * SMALL, by: 'us' });
    expect(methods().sort()).toEqual(['POST unpack', 'POST uploads']);
    expect(engine.batches[0]?.over).toBe(true);
  });

  it('at most four at once', async () => {
    engine.add(batchOf(Array.from({ length: 12 }, (_, i) => sized(`${i}`, 2 * SMALL))));
    await quiet();
    expect(machine.files.size).toBe(12);
    expect(machine.most).toBe(LANES);
  });

  it('ten thousand small files in five requests', async () => {
    engine.add(batchOf(Array.from({ length: 10_000 }, (_, i) => sized(`${i}`, 4))));
    await quiet();
    expect(machine.files.size).toBe(10_000);
    expect(machine.asked).toHaveLength(5);
  });

  it('what is found, while more is being found', async () => {
    const batch = batchOf([sized('a', 1)]);
    batch.growing = true;
    engine.add(batch);
    await quiet();
    expect([...machine.files.keys()]).toEqual(['in/a']);
    expect(batch.over).toBe(false);
    batch.grow([sized('b', 2)]);
    engine.pump();
    await quiet();
    batch.growing = false;
    expect(machine.files.size).toBe(2);
    expect(batch.over).toBe(true);
  });

  it('a folder whose name a file has is said to have failed, and the rest goes on', async () => {
    machine.files.set('in/taken', { size: 1, by: 'them' });
    const batch = batchOf([sized('a', 1)], ['taken', 'free']);
    engine.add(batch);
    await quiet();
    expect(machine.files.get('in/free/')).toBeDefined();
    expect(batch.some('failed', 9).map(({ path, failure }) => [path, failure?.code])).toEqual([
      ['taken', 'NOT_FOLDER'],
    ]);
    expect(batch.count('done')).toBe(1);
  });

  it('folders once more where the line broke', async () => {
    machine.disturb = () => {
      machine.disturb = () => undefined;
      throw ApiFailure.unreachable();
    };
    const batch = batchOf([], ['empty']);
    engine.add(batch);
    await quiet();
    expect(batch.over).toBe(false);
    vi.runOnlyPendingTimers();
    await quiet();
    expect(machine.files.get('in/empty/')).toBeDefined();
    expect(batch.over).toBe(true);
  });

  it('a file that takes several pieces', async () => {
    engine.add(batchOf([sized('film', 9 * MIB)]));
    await quiet();
    expect(machine.files.get('in/film')?.size).toBe(9 * MIB);
    expect(methods().slice(0, 2)).toEqual(['POST uploads', 'PATCH u1']);
  });
});

describe('a taken name', () => {
  const there = () => machine.files.set('in/x', { size: 9, by: 'them' });

  it.each([3, 2 * SMALL])('is asked about, for a file of %d bytes, and the rest goes on', async (size) => {
    there();
    const batch = batchOf([sized('x', size), sized('y', size)]);
    engine.add(batch);
    await quiet();
    expect(machine.files.get('in/x')?.by).toBe('them');
    expect(machine.files.get('in/y')?.by).toBe('us');
    expect(batch.count('asking')).toBe(1);
    engine.choose(batch, batch.some('asking', 1)[0] as Item, 'rename', false);
    await quiet();
    expect(machine.files.get('in/x')?.by).toBe('them');
    expect(machine.files.get('in/x (1)')?.by).toBe('us');
    expect(batch.over).toBe(true);
  });

  it('is chosen once for all', async () => {
    for (const name of ['in/a', 'in/b', 'in/c']) machine.files.set(name, { size: 1, by: 'them' });
    const batch = batchOf([sized('a', 1), sized('b', 2), sized('c', 2 * SMALL), sized('d', 4)]);
    engine.add(batch);
    await quiet();
    expect(batch.count('asking')).toBe(3);
    engine.choose(batch, batch.some('asking', 1)[0] as Item, 'replace', true);
    await quiet();
    expect([...machine.files.values()].every(({ by }) => by === 'us')).toBe(true);
  });

  it('for which the choice comes while it is on its way is not asked about again', async () => {
    machine.files.set('in/a', { size: 1, by: 'them' });
    const batch = batchOf([sized('a', 1), sized('film', 2 * SMALL)]);
    machine.disturb = ({ url }) => {
      if (!url.endsWith('/uploads')) return;
      machine.disturb = () => undefined;
      // Taken meanwhile, and chosen for all meanwhile.
      machine.files.set('in/film', { size: 9, by: 'them' });
      engine.choose(batch, batch.items[0] as Item, 'rename', true);
    };
    engine.add(batch);
    await quiet();
    expect(batch.count('asking')).toBe(0);
    expect(machine.files.get('in/film')?.by).toBe('them');
    expect(machine.files.get('in/film (1)')?.by).toBe('us');
    expect(batch.over).toBe(true);
  });

  it('skipped leaves what is there', async () => {
    there();
    const batch = batchOf([sized('x', 3)]);
    engine.add(batch);
    await quiet();
    engine.choose(batch, batch.items[0] as Item, 'skip', true);
    await quiet();
    expect(machine.files.get('in/x')?.by).toBe('them');
    expect(batch.over).toBe(true);
  });

  it('found only at the end is published without sending again', async () => {
    const batch = batchOf([sized('x', 2 * SMALL)]);
    machine.disturb = ({ method }) => void (method === 'POST' && there());
    engine.add(batch);
    await quiet();
    expect(batch.count('asking')).toBe(1);
    const before = machine.asked.length;
    engine.choose(batch, batch.items[0] as Item, 'replace', false);
    await quiet();
    expect(machine.files.get('in/x')?.by).toBe('us');
    expect(machine.asked.slice(before).every(({ body }) => body === undefined)).toBe(true);
  });

  it('that stays taken after the choice is a failure, not a circle', async () => {
    const batch = batchOf([sized('x', 3)]);
    batch.clash = 'replace';
    machine.disturb = () => ({
      ...said(200),
      text: `{"event":"item","from":"in/x","outcome":"failed","error":{"code":"EXISTS","message":"a folder","hint":"","request_id":""}}\n{"event":"done","files":0,"folders":0,"bytes":0}`,
    });
    engine.add(batch);
    await quiet();
    expect(batch.count('failed')).toBe(1);
    expect(machine.asked).toHaveLength(1);
  });
});

describe('what is taken back', () => {
  it('by the tokens of the machine, each once', async () => {
    const batch = batchOf([sized('a', 1), sized('film', 2 * SMALL)]);
    engine.add(batch);
    await quiet();
    expect(batch.takeUndo().tokens.sort()).toEqual(['token 2', 'token of u1']);
    expect(batch.takeUndo()).toEqual({ tokens: [], folders: [] });
  });

  it('a folder that was made for it as a whole', async () => {
    const batch = batchOf([sized('new/a', 1), sized('new/film', 2 * SMALL)], [], ['new', 'never']);
    engine.add(batch);
    await quiet();
    expect(batch.takeUndo()).toEqual({ tokens: [], folders: ['in/new'] });
  });

  it('files beside such a folder by their token', async () => {
    const batch = batchOf([sized('new/a', 1), sized('b', 1)], [], ['new']);
    engine.add(batch);
    await quiet();
    const { tokens, folders } = batch.takeUndo();
    expect([tokens.length, folders]).toEqual([1, ['in/new']]);
  });
});

describe('when the line breaks', () => {
  const unreachable = () => {
    throw ApiFailure.unreachable();
  };

  it('it waits, and goes on where it was', async () => {
    const batch = batchOf([sized('film', 10 * MIB)]);
    let pieces = 0;
    machine.disturb = ({ method }) => {
      if (method === 'PATCH' && (pieces += 1) === 2) unreachable();
    };
    engine.add(batch);
    await quiet();
    expect(engine.hold).toBe('network');
    machine.disturb = () => undefined;
    vi.runOnlyPendingTimers();
    await quiet();
    expect(machine.files.get('in/film')?.size).toBe(10 * MIB);
    expect(methods()).toContain('HEAD u1');
    expect(machine.uploads.size).toBe(0);
  });

  it('it tries less and less often, and never gives up', async () => {
    machine.disturb = unreachable;
    const batch = batchOf([sized('a', 3)]);
    engine.add(batch);
    for (let i = 0; i < 20; i += 1) {
      await quiet();
      vi.advanceTimersByTime(15_000);
    }
    await quiet();
    expect(machine.asked.length).toBeGreaterThan(15);
    expect(batch.count('failed')).toBe(0);
    machine.disturb = () => undefined;
    engine.nudge();
    await quiet();
    expect(batch.over).toBe(true);
  });

  it('what came although no answer did is not asked about', async () => {
    const items = [sized('a', 1), sized('b', 2)];
    const batch = batchOf(items);
    // All of it is unpacked, and the answer is lost.
    machine.disturb = () => {
      machine.disturb = () => undefined;
      for (const { path, size } of items) machine.files.set(`in/${path}`, { size, by: 'us' });
      unreachable();
    };
    engine.add(batch);
    await quiet();
    vi.runOnlyPendingTimers();
    await quiet();
    expect(batch.count('done')).toBe(2);
    expect(machine.files.size).toBe(2);
  });

  it('the last piece of a file may have come as well', async () => {
    const batch = batchOf([sized('film', 5 * MIB)]);
    machine.disturb = ({ method, headers, body }) => {
      if (method !== 'PATCH' || Number(headers?.['Upload-Offset']) + (body?.size ?? 0) < 5 * MIB) return;
      machine.files.set('in/film', { size: 5 * MIB, by: 'us' });
      machine.uploads.clear();
      machine.disturb = () => undefined;
      unreachable();
    };
    engine.add(batch);
    await quiet();
    vi.runOnlyPendingTimers();
    await quiet();
    expect(batch.count('done')).toBe(1);
    expect(methods()).toEqual(['POST uploads', 'PATCH u1', 'PATCH u1', 'HEAD u1']);
  });

  it('a machine that is busy is left alone as long as it says', async () => {
    machine.disturb = () => said(503, { 'Retry-After': '7' });
    engine.add(batchOf([sized('a', 3)]));
    await quiet();
    machine.disturb = () => undefined;
    vi.advanceTimersByTime(6_900);
    await quiet();
    expect(machine.asked).toHaveLength(1);
    vi.advanceTimersByTime(200);
    await quiet();
    expect(machine.files.size).toBe(1);
  });

  it('an upload that the machine has forgotten begins anew', async () => {
    const batch = batchOf([sized('film', 6 * MIB)]);
    machine.disturb = ({ method }) => {
      if (method !== 'PATCH') return;
      machine.uploads.clear();
      machine.disturb = () => undefined;
    };
    engine.add(batch);
    await quiet();
    expect(machine.files.get('in/film')?.size).toBe(6 * MIB);
    expect(methods().filter((one) => one === 'POST uploads')).toHaveLength(2);
  });

  it('who is signed out goes on after signing in', async () => {
    machine.disturb = () => said(401, {}, 'NOT_SIGNED_IN');
    const batch = batchOf([sized('a', 3), sized('b', 2 * SMALL)]);
    engine.add(batch);
    await quiet();
    expect(signedOut).toHaveBeenCalled();
    expect(engine.hold).toBe('signed-out');
    vi.advanceTimersByTime(60_000);
    await quiet();
    machine.disturb = () => undefined;
    expect(machine.files.size).toBe(0);
    engine.nudge();
    await quiet();
    expect(machine.files.size).toBe(2);
  });
});

describe('who looks after it', () => {
  it('pauses and goes on', async () => {
    const batch = batchOf([sized('film', 10 * MIB), sized('small', 3)]);
    machine.disturb = ({ method }) => void (method === 'PATCH' && engine.pause());
    engine.add(batch);
    await quiet();
    expect(engine.busy).toBe(false);
    expect(batch.count('waiting')).toBeGreaterThan(0);
    machine.disturb = () => undefined;
    engine.resume();
    await quiet();
    expect(batch.over).toBe(true);
    expect(machine.files.get('in/film')?.size).toBe(10 * MIB);
  });

  it('tries again what failed', async () => {
    machine.disturb = () => said(507, {}, 'NO_SPACE');
    const batch = batchOf([sized('a', 3), sized('b', 2 * SMALL)]);
    engine.add(batch);
    await quiet();
    expect(batch.count('failed')).toBe(2);
    expect(batch.items[0]?.failure?.code).toBe('NO_SPACE');
    machine.disturb = () => undefined;
    engine.retry();
    await quiet();
    expect(machine.files.size).toBe(2);
  });

  it('gives one up, and the machine forgets it', async () => {
    const batch = batchOf([sized('film', 10 * MIB), sized('other', 2 * SMALL)]);
    machine.disturb = ({ method }) => {
      if (method === 'PATCH') engine.skip(batch, batch.items[0] as Item);
    };
    engine.add(batch);
    await quiet();
    expect([...machine.files.keys()]).toEqual(['in/other']);
    expect(machine.uploads.size).toBe(0);
    expect(batch.bytes).toBe(2 * SMALL);
  });

  it('calls all of it off', async () => {
    const batch = batchOf([sized('film', 10 * MIB), sized('other', 9 * MIB)]);
    machine.disturb = ({ method }) => void (method === 'PATCH' && engine.cancel(batch));
    engine.add(batch);
    await quiet();
    expect(machine.files.size + machine.uploads.size).toBe(0);
    expect(engine.batches).toHaveLength(0);
  });
});

it('a file that cannot be read any more fails alone', async () => {
  const gone = sized('gone', 2 * SMALL);
  gone.file = undefined;
  const batch = batchOf([gone, sized('here', 2 * SMALL)]);
  engine.add(batch);
  await quiet();
  expect(gone.failure?.code).toBe('FILE_GONE');
  expect(batch.count('done')).toBe(1);
});

it('counts what has come', async () => {
  const batch = batchOf([sized('a', 10), sized('b', 2 * SMALL)]);
  expect(batch.bytes).toBe(2 * SMALL + 10);
  engine.add(batch);
  await quiet();
  expect(batch.sent).toBe(batch.bytes);
});
