// The transfers that the visitor sends or receives, as they stand now. Small, since all of the page has it: how they look
// and what is done with them is fetched with the pages about them.
import { ApiFailure } from '../api/client';
import { getTransfer, getTransfers } from '../api/transfers';
import type { Limit, Transfer, Way } from '../api/types';
import { Rate } from '../upload/rate';
import { isAboutTransfer, type News, type TransferNews } from './events.svelte';
import { session } from './session.svelte';

/** How far a transfer is, as it was told last. */
export interface Progress {
  received: number;
  total: number;
  /** Bytes a second; 0 while nobody can tell. */
  perSecond: number;
  /** When more of it was told of. */
  at: number;
  /** How the bytes flow, and what keeps them from flowing faster. */
  way?: Way | null;
  limit?: Limit | null;
}

/** A transfer that is new, or stands elsewhere than before. */
export type Moved = (transfer: Transfer, before: Transfer | undefined) => void;

const ENDS = new Set<Transfer['state']>(['completed', 'rejected', 'cancelled', 'expired', 'failed']);

export const isOver = ({ state }: Transfer) => ENDS.has(state);

/** True for what the visitor sends; what goes to a machine of theirs is incoming, too. */
export const isOutgoing = ({ sender_principal_id }: Transfer) =>
  sender_principal_id === session.me?.principal;

/** True while it waits for the visitor's yes or no. */
export const isOffer = ({ incoming, state }: Transfer) => incoming && state === 'pending_receiver_approval';

/** True while the visitor has to say the digits that the receiver told them. */
export const wantsPasscode = (transfer: Transfer) =>
  isOutgoing(transfer) && transfer.state === 'approved_pending_sender_passcode';

export class TransfersState {
  /** The newest first. */
  all = $state.raw<Transfer[]>([]);
  loaded = $state(false);
  failure = $state.raw<ApiFailure | null>(null);
  progress = $state.raw<ReadonlyMap<string, Progress>>(new Map());

  #rates = new Map<string, Rate>();
  #listeners = new Set<Moved>();
  /** Those that are asked for just now; true where more has happened meanwhile. */
  #asked = new Map<string, boolean>();

  async load(): Promise<void> {
    try {
      const { transfers: now } = await getTransfers();
      const before = this.loaded ? this.#byId() : undefined;
      this.all = now;
      this.failure = null;
      this.loaded = true;
      // What waited before the page was opened is no news.
      if (before) for (const transfer of now) this.#tell(transfer, before.get(transfer.id));
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.failure = error;
    }
  }

  /** Calls back when a transfer is new or moves on. Returns how to stop. */
  listen(listener: Moved): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Takes in what was told. */
  hear(news: News): void {
    if (news.type === 'look' || news.type === 'events_lost') void this.load();
    else if (news.type === 'transfer_progress') this.#count(news);
    else if (isAboutTransfer(news)) void this.#look(news.transfer);
  }

  /** Takes in a transfer as it stands now. */
  put(transfer: Transfer): void {
    const before = this.#byId().get(transfer.id);
    this.all = before
      ? this.all.map((one) => (one.id === transfer.id ? transfer : one))
      : [transfer, ...this.all];
    if (isOver(transfer)) this.#forget(transfer.id);
    this.#tell(transfer, before);
  }

  /** Forgets what is not shown any more. */
  drop(gone: (transfer: Transfer) => boolean): void {
    this.all = this.all.filter((one) => !gone(one));
  }

  #byId = () => new Map(this.all.map((one) => [one.id, one]));

  #tell(transfer: Transfer, before: Transfer | undefined): void {
    if (transfer.state === before?.state) return;
    for (const listener of this.#listeners) listener(transfer, before);
  }

  /** Asks for one; where more happens meanwhile, again. */
  async #look(id: string): Promise<void> {
    if (this.#asked.has(id)) return void this.#asked.set(id, true);
    do {
      this.#asked.set(id, false);
      await this.#ask(id);
    } while (this.#asked.get(id));
    this.#asked.delete(id);
  }

  async #ask(id: string): Promise<void> {
    try {
      this.put(await getTransfer(id));
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.status === 404) this.drop((one) => one.id === id);
    }
  }

  #count(news: Extract<TransferNews, { type: 'transfer_progress' }>): void {
    const { transfer: id, received, total, way, limited_by: limit } = news;
    const now = performance.now();
    const rate = this.#rates.get(id) ?? new Rate();
    this.#rates.set(id, rate);
    rate.add(received, now);
    const progress = { received, total, perSecond: rate.perSecond, at: now, way, limit };
    this.progress = new Map(this.progress).set(id, progress);
  }

  #forget(id: string): void {
    this.#rates.delete(id);
    if (!this.progress.has(id)) return;
    const rest = new Map(this.progress);
    rest.delete(id);
    this.progress = rest;
  }
}

export const transfers = new TransfersState();
