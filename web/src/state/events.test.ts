import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiFailure } from '../api/client';
import { Events, POLL_MS, waitBefore, type News } from './events.svelte';

/** A socket that the test holds the other end of. */
class Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  closed = false;
  sent: string[] = [];

  constructor(readonly after: number | undefined) {}

  say(event: object): void {
    this.onmessage?.({ data: JSON.stringify(event) });
  }

  send(data: string): void {
    this.sent.push(data);
  }

  close(): void {
    this.closed = true;
  }
}

let sockets: Socket[];
let heard: News[];
let hidden: boolean;
let present: boolean;
let refusal: ApiFailure | undefined;
let events: Events;

const latest = () => sockets.at(-1) as Socket;
const types = () => heard.map(({ type }) => type);
const failure = (code: 'NOT_SIGNED_IN' | 'BUSY', retry_after?: number) =>
  new ApiFailure({ code, message: '', hint: '', request_id: '', retry_after }, 400);

beforeEach(() => {
  vi.useFakeTimers();
  [sockets, heard, hidden, present, refusal] = [[], [], false, true, undefined];
  events = new Events({
    token: async () => {
      if (refusal) throw refusal;
      return { ws_token: 't' };
    },
    open: (_token, after) => {
      const socket = new Socket(after);
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    random: () => 0,
    now: () => performance.now(),
    hidden: () => hidden,
    present: () => present,
  });
  events.listen((news) => heard.push(news));
});

afterEach(() => {
  events.stop();
  vi.useRealTimers();
});

async function connected(): Promise<Socket> {
  events.start();
  await vi.advanceTimersByTimeAsync(0);
  latest().onopen?.();
  return latest();
}

it('waits twice as long after each failure, and never longer than twelve seconds and a quarter', () => {
  expect([0, 1, 2, 3, 4, 5, 30].map((failures) => waitBefore(failures, 0))).toEqual([
    500, 1_000, 2_000, 4_000, 8_000, 12_000, 12_000,
  ]);
  expect(waitBefore(30, 1)).toBe(15_000);
});

describe('while the socket is open', () => {
  it('tells of each event once, and looks when it opens', async () => {
    const socket = await connected();
    socket.say({ seq: 7, type: 'device_online', device: 'd' });
    socket.say({ seq: 7, type: 'device_online', device: 'd' });
    socket.say({ seq: 8, type: 'catalog_changed' });
    expect(types()).toEqual(['look', 'device_online', 'catalog_changed']);
    expect(events.live).toBe(true);
  });

  it('does not look by itself', async () => {
    await connected();
    await vi.advanceTimersByTimeAsync(10 * POLL_MS);
    expect(types()).toEqual(['look']);
  });

  it('takes a count that begins anew', async () => {
    const socket = await connected();
    socket.say({ seq: 70, type: 'catalog_changed' });
    socket.say({ seq: 1, type: 'events_lost' });
    socket.say({ seq: 2, type: 'device_offline', device: 'd' });
    expect(types().slice(1)).toEqual(['catalog_changed', 'events_lost', 'device_offline']);
  });

  it('says nothing to a page that nobody sees, until it is seen', async () => {
    const socket = await connected();
    hidden = true;
    socket.say({ seq: 1, type: 'catalog_changed' });
    expect(types()).toEqual(['look']);
    hidden = false;
    document.dispatchEvent(new Event('visibilitychange'));
    expect(types()).toEqual(['look', 'look']);
  });
});

describe('files that are watched', () => {
  const file = (path: string) => ({ device: 'd', share: 's', path, editing: true });
  const watched = () =>
    latest().sent.map((sent) => (JSON.parse(sent) as { watch: { path: string }[] }).watch);
  const paths = () => watched().map((list) => list.map(({ path }) => path));
  const changed = {
    type: 'file_changed',
    device: 'd',
    share: 's',
    path: 'a',
    seen: { entry: null, others: 1 },
  };

  it('are named to the socket, each time all of them', async () => {
    await connected();
    const stop = events.watch(file('a'));
    events.watch(file('b'));
    stop();
    expect(paths()).toEqual([['a'], ['a', 'b'], ['b']]);
  });

  it('are named to the next socket as well', async () => {
    events.watch(file('a'));
    await connected();
    expect(paths()).toEqual([['a']]);
    latest().onclose?.();
    await vi.advanceTimersByTimeAsync(500);
    latest().onopen?.();
    expect(sockets).toHaveLength(2);
    expect(paths()).toEqual([['a']]);
  });

  it('are not asked for where there are none', async () => {
    await connected();
    expect(latest().sent).toEqual([]);
  });

  it('are told of out of count, and also to a page that nobody sees', async () => {
    const socket = await connected();
    hidden = true;
    socket.say(changed);
    expect(heard.at(-1)).toEqual(changed);
    socket.say({ seq: 1, type: 'catalog_changed' });
    hidden = false;
    document.dispatchEvent(new Event('visibilitychange'));
    expect(types()).toEqual(['look', 'file_changed', 'look']);
  });
});

describe('when the socket breaks', () => {
  it('opens another after the last event', async () => {
    const socket = await connected();
    socket.say({ seq: 41, type: 'catalog_changed' });
    socket.onclose?.();
    expect(events.live).toBe(false);
    await vi.advanceTimersByTimeAsync(499);
    expect(sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(sockets).toHaveLength(2);
    expect(latest().after).toBe(41);
  });

  it('waits longer each time, and from the beginning after a good one', async () => {
    await connected();
    latest().onclose?.();
    await vi.advanceTimersByTimeAsync(500);
    latest().onclose?.();
    await vi.advanceTimersByTimeAsync(999);
    expect(sockets).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    latest().onopen?.();
    await vi.advanceTimersByTimeAsync(10_000);
    latest().onclose?.();
    await vi.advanceTimersByTimeAsync(500);
    expect(sockets).toHaveLength(4);
  });

  it('looks now and then meanwhile, if somebody is there', async () => {
    refusal = failure('BUSY');
    events.start();
    await vi.advanceTimersByTimeAsync(POLL_MS - 1);
    expect(types()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(types()).toEqual(['look']);
    present = false;
    await vi.advanceTimersByTimeAsync(3 * POLL_MS);
    expect(types()).toEqual(['look']);
  });

  it('waits as long as the machine says', async () => {
    refusal = failure('BUSY', 30);
    events.start();
    await vi.advanceTimersByTimeAsync(0);
    refusal = undefined;
    await vi.advanceTimersByTimeAsync(29_999);
    expect(sockets).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(sockets).toHaveLength(1);
  });
});

it('ends when nobody is signed in', async () => {
  refusal = failure('NOT_SIGNED_IN');
  events.start();
  await vi.advanceTimersByTimeAsync(60_000);
  refusal = undefined;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets).toHaveLength(0);
  expect(types()).toEqual([]);
});

it('is silent once stopped', async () => {
  const socket = await connected();
  events.stop();
  expect(socket.closed).toBe(true);
  socket.onclose?.();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets).toHaveLength(1);
});
