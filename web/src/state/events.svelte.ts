// What happens, told by the machine on one socket: opened again when it breaks, with what was missed meanwhile.
// While there is none, listeners are told now and then to look for themselves.
import { ApiFailure } from '../api/client';
import { getEventsToken, openEvents } from '../api/events';
import type { Happening, LiveEvent, Watch } from '../api/types';
import { isPresent } from '../lib/presence';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 12_000;
/** Up to so much is added to a wait, so that many pages do not come back at the same moment. */
const JITTER = 0.25;
/** A socket that lived so long was a good one: the next waits start from the beginning. */
const GOOD_MS = 10_000;
/** How often listeners look for themselves while no socket tells them, and somebody is at the screen. */
export const POLL_MS = 10_000;

/** `look`: nobody knows what happened, so look for yourself. */
export type News = Happening | { type: 'look' };

export type TransferNews = Extract<News, { transfer: string }>;

export const isAboutTransfer = (news: News): news is TransferNews => 'transfer' in news;

/** What the outside world gives, so that tests can give another one. */
export interface World {
  token: () => Promise<{ ws_token: string }>;
  open: (token: string, after: number | undefined) => WebSocket;
  random: () => number;
  now: () => number;
  /** True while nobody can see the page. */
  hidden: () => boolean;
  /** True while somebody uses it. */
  present: () => boolean;
}

const THE_WORLD: World = {
  token: getEventsToken,
  open: openEvents,
  random: () => Math.random(),
  now: () => performance.now(),
  hidden: () => document.visibilityState === 'hidden',
  present: () => isPresent(),
};

/** How long to wait before the try after `failures` failed ones. */
export function waitBefore(failures: number, random: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures) * (1 + JITTER * random);
}

export class Events {
  /** True while the machine itself tells what happens. */
  live = $state(false);

  #world: World;
  #listeners = new Set<(news: News) => void>();
  /** The files to be told of. */
  #watched = new Set<Watch>();
  #run = 0;
  #socket: WebSocket | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #poll: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #last: number | undefined;
  /** True if something happened that nobody was told of, because nobody saw the page. */
  #missed = false;
  #shown = () => this.#becameVisible();

  constructor(world: World = THE_WORLD) {
    this.#world = world;
  }

  /** Calls back for whatever happens but to transfers, which tell thick and fast. Returns how to stop. */
  listen(listener: (news: News) => void): () => void {
    return this.listenToAll((news) => isAboutTransfer(news) || listener(news));
  }

  /** Calls back for whatever happens. Returns how to stop. */
  listenToAll(listener: (news: News) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Asks to be told when this file changes. Returns how to stop. */
  watch(file: Watch): () => void {
    this.#watched.add(file);
    this.#sayWatched();
    return () => {
      this.#watched.delete(file);
      this.#sayWatched();
    };
  }

  #sayWatched(): void {
    if (this.live) this.#socket?.send(JSON.stringify({ watch: [...this.#watched] }));
  }

  start(): void {
    this.stop();
    document.addEventListener('visibilitychange', this.#shown);
    this.#schedulePoll();
    void this.#connect(this.#run);
  }

  stop(): void {
    this.#run += 1;
    document.removeEventListener('visibilitychange', this.#shown);
    clearTimeout(this.#retry);
    clearTimeout(this.#poll);
    this.#socket?.close();
    this.#socket = undefined;
    this.#failures = 0;
    this.#last = undefined;
    this.#missed = false;
    this.live = false;
  }

  async #connect(run: number): Promise<void> {
    try {
      const { ws_token } = await this.#world.token();
      if (run !== this.#run) return;
      this.#attend(this.#world.open(ws_token, this.#last), run);
    } catch (error) {
      if (run !== this.#run) return;
      // Nobody is signed in any more: whoever is next starts anew.
      if (error instanceof ApiFailure && error.code === 'NOT_SIGNED_IN') return this.stop();
      this.#again(run, error instanceof ApiFailure ? error.retryAfter : undefined);
    }
  }

  #attend(socket: WebSocket, run: number): void {
    this.#socket = socket;
    let opened: number | undefined;
    socket.onopen = () => {
      opened = this.#world.now();
      this.live = true;
      clearTimeout(this.#poll);
      if (this.#watched.size) this.#sayWatched();
      // What happened before the first socket opened is in no replay.
      this.#tell({ type: 'look' });
    };
    socket.onmessage = ({ data }) => this.#take(String(data));
    socket.onclose = () => {
      if (run !== this.#run) return;
      if (opened !== undefined && this.#world.now() - opened >= GOOD_MS) this.#failures = 0;
      this.live = false;
      this.#schedulePoll();
      this.#again(run);
    };
  }

  #again(run: number, atLeastSeconds = 0): void {
    const wait = Math.max(waitBefore(this.#failures, this.#world.random()), atLeastSeconds * 1_000);
    this.#failures += 1;
    this.#retry = setTimeout(() => void this.#connect(run), wait);
  }

  #take(data: string): void {
    const event = JSON.parse(data) as LiveEvent;
    // Told to this socket alone, out of count; and also while nobody sees the page, which then asks for nothing.
    if (event.type === 'file_changed') return this.#call(event);
    if (typeof event.seq !== 'number') return;
    // The count begins anew where more was lost than is remembered.
    if (event.type !== 'events_lost' && this.#last !== undefined && event.seq <= this.#last) return;
    this.#last = event.seq;
    this.#tell(event);
  }

  /** While nobody sees the page nobody asks either: what the page asks keeps a session alive. */
  #tell(news: News): void {
    if (this.#world.hidden()) this.#missed = true;
    else this.#call(news);
  }

  #call(news: News): void {
    for (const listener of this.#listeners) listener(news);
  }

  #becameVisible(): void {
    if (!this.#missed || this.#world.hidden()) return;
    this.#missed = false;
    this.#tell({ type: 'look' });
  }

  #schedulePoll(): void {
    clearTimeout(this.#poll);
    this.#poll = setTimeout(() => {
      if (this.#world.present()) this.#tell({ type: 'look' });
      this.#schedulePoll();
    }, POLL_MS);
  }
}

export const events = new Events();
