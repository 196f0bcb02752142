// The transfers that the visitor sends or receives, as they stand now. Small, since all of the page has it: how they look
// and what is done with them is fetched with the pages about them.
import { ApiFailure } from '../api/client';
import { getTransfer, getTransfers } from '../api/transfers';
import type { Transfer } from '../api/types';
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
}

/** What happened to a transfer, and the transfer as it stands after it. */
export type Told = (what: TransferNews['type'], transfer: Transfer) => void;

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
  #listeners = new Set<Told>();
  /** What was told of a transfer that is asked for just now. */
  #heard = new Map<string, TransferNews['type'][]>();

  async load(): Promise<void> {
    try {
      ({ transfers: this.all } = await getTransfers());
      this.failure = null;
      this.loaded = true;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.failure = error;
    }
  }

  /** Calls back when something happened to a transfer. Returns how to stop. */
  listen(listener: Told): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Takes in what was told. */
  hear(news: News): void {
    if (news.type === 'look' || news.type === 'events_lost') void this.load();
    else if (news.type === 'transfer_progress') this.#count(news.transfer, news.received, news.total);
    else if (isAboutTransfer(news)) void this.#look(news);
  }

  /** Takes in a transfer as it stands now. */
  put(transfer: Transfer): void {
    const known = this.all.some(({ id }) => id === transfer.id);
    this.all = known
      ? this.all.map((one) => (one.id === transfer.id ? transfer : one))
      : [transfer, ...this.all];
    if (isOver(transfer)) this.#forget(transfer.id);
  }

  /** Forgets what is not shown any more. */
  drop(gone: (transfer: Transfer) => boolean): void {
    this.all = this.all.filter((one) => !gone(one));
  }

  async #look({ transfer: id, type }: TransferNews): Promise<void> {
    const asking = this.#heard.get(id);
    if (asking) return void asking.push(type);
    const heard = [type];
    this.#heard.set(id, heard);
    while (heard.length > 0) {
      const some = heard.splice(0);
      const transfer = await this.#ask(id);
      if (transfer) for (const what of some) this.#tell(what, transfer);
    }
    this.#heard.delete(id);
  }

  #tell(what: TransferNews['type'], transfer: Transfer): void {
    for (const listener of this.#listeners) listener(what, transfer);
  }

  async #ask(id: string): Promise<Transfer | undefined> {
    try {
      const transfer = await getTransfer(id);
      this.put(transfer);
      return transfer;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.status === 404) this.drop((one) => one.id === id);
      return undefined;
    }
  }

  #count(id: string, received: number, total: number): void {
    const now = performance.now();
    const rate = this.#rates.get(id) ?? new Rate();
    this.#rates.set(id, rate);
    rate.add(received, now);
    const progress = { received, total, perSecond: rate.perSecond, at: now };
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
