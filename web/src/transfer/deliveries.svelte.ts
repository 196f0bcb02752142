// What goes from this window: files of this device that were offered, and how their way to the receiver goes. They begin
// when the transfer may, and are forgotten with the window.
import { SvelteMap } from 'svelte/reactivity';
import { ApiFailure } from '../api/client';
import { offerTransfer, openTransfer } from '../api/transfers';
import type { OfferTransfer, Transfer } from '../api/types';
import { isMoving } from './standing';
import { isOutgoing, isOver, transfers } from '../state/transfers.svelte';
import { send } from '../upload/xhr';
import { Delivery, type Part, type World } from './delivery';
import type { LocalItem } from './local';

/** How long until a receiver that does not answer is asked again. */
const ASLEEP_MS = 5_000;

/** What is sent of a transfer, in the order of its items. */
type Kept = (LocalItem | undefined)[];

class Deliveries {
  #kept = new SvelteMap<string, Kept>();
  #running = new Set<string>();
  #failures = new SvelteMap<string, unknown>();

  constructor() {
    transfers.listen((transfer) => this.#moved(transfer));
    addEventListener('beforeunload', (event) => {
      if (this.#running.size > 0) event.preventDefault();
    });
  }

  /** Offers files of this device. */
  async offer(to: Omit<OfferTransfer, 'items'>, local: LocalItem[]): Promise<Transfer> {
    const transfer = await offerTransfer({ ...to, items: local.map(({ offered }) => offered) });
    this.#kept.set(transfer.id, local);
    transfers.put(transfer);
    return transfer;
  }

  /** True if this window has the files. */
  has = ({ id }: Transfer) => this.#kept.has(id);

  /** True for what a browser sends of which this window does not have the files: another one did, or does. */
  isOrphaned(transfer: Transfer): boolean {
    const local = isOutgoing(transfer) && !transfer.source && !transfer.sender_device_id;
    return local && isMoving(transfer) && !this.has(transfer);
  }

  failureOf = ({ id }: Transfer) => this.#failures.get(id);

  /** Takes the files of a transfer that was offered in another window, or before a reload; false if they are others. */
  take(transfer: Transfer, local: readonly LocalItem[]): boolean {
    const kept = transfer.items.map(({ filename, kind, size }) =>
      local.find(
        ({ offered }) => offered.filename === filename && offered.kind === kind && offered.size === size,
      ),
    );
    const missing = transfer.items.some(({ state }, at) => state !== 'rejected' && !kept[at]);
    if (missing) return false;
    this.#kept.set(transfer.id, kept);
    this.#begin(transfer);
    return true;
  }

  /** After it was stopped by something. */
  retry = (transfer: Transfer) => this.#begin(transfer);

  #moved(transfer: Transfer): void {
    if (isOver(transfer)) {
      this.#kept.delete(transfer.id);
      this.#failures.delete(transfer.id);
    } else this.#begin(transfer);
  }

  #begin(transfer: Transfer): void {
    const kept = this.#kept.get(transfer.id);
    if (!kept || !isMoving(transfer) || this.#running.has(transfer.id)) return;
    this.#running.add(transfer.id);
    this.#failures.delete(transfer.id);
    this.#carry(transfer, kept)
      .catch((error: unknown) => this.#failures.set(transfer.id, error))
      .finally(() => this.#running.delete(transfer.id));
  }

  async #carry({ id }: Transfer, kept: Kept): Promise<void> {
    const opened = await open(id);
    if (!opened) return;
    const parts = opened.transfer.items.flatMap((item, at): Part[] => {
      const local = kept[at];
      return local ? [{ item, local }] : [];
    });
    await new Delivery(opened.upload_base_url, worldOf(id)).run(parts);
  }
}

/** Has the receiver's inbox opened, as soon as it answers; nothing where it is over. */
async function open(id: string) {
  while (standOf(id) !== 'over') {
    try {
      return await openTransfer(id);
    } catch (error) {
      const passes = error instanceof ApiFailure && (error.status === 0 || error.status >= 500);
      if (!passes) throw error;
      await wait(ASLEEP_MS);
    }
  }
  return undefined;
}

function standOf(id: string) {
  const transfer = transfers.all.find((one) => one.id === id);
  if (!transfer || isOver(transfer)) return 'over';
  return transfer.paused_by ? 'held' : 'going';
}

const worldOf = (id: string): World => ({
  send,
  stand: () => standOf(id),
  renew: () => openTransfer(id),
  wait,
  now: () => performance.now(),
});

/** Ends at once when it is given up. */
function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      fail(new DOMException('given up', 'AbortError'));
    });
  });
}

export const deliveries = new Deliveries();
