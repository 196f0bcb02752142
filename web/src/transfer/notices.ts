// What the visitor is told of transfers, wherever in the page they are.
import type { Transfer } from '../api/types';
import { INBOX } from '../routes';
import { router } from '../state/router.svelte';
import { sending } from '../state/sending.svelte';
import { toasts, type ToastAction } from '../state/toasts.svelte';
import { isOffer, isOutgoing, isOver, wantsPasscode, type Moved } from '../state/transfers.svelte';
import { managingWords } from '../text/managing.svelte';
import { sendingWords } from '../text/sending.svelte';
import { text } from '../text/text.svelte';
import { landedHref } from './landed';
import { nameOf } from './standing';

/** Says what happened, if it is news to the visitor. */
export const notice: Moved = (transfer, before) => {
  if (isOffer(transfer)) return offered(transfer);
  if (!before) return;
  if (wantsPasscode(transfer)) return approved(transfer);
  if (isOver(transfer)) return ended(transfer);
};

const words = () => sendingWords().notices;
const named = (transfer: Transfer) =>
  nameOf(transfer, { words: sendingWords(), managing: managingWords(), language: text.language });

function offered(transfer: Transfer): void {
  // There it is seen, and told to a screen reader.
  if (router.route.page === 'inbox') return;
  const action = { label: words().look, run: () => router.go(INBOX) };
  toasts.show(words().offered(transfer.sender_name, named(transfer)), { action });
}

function approved(transfer: Transfer): void {
  const action = { label: words().type, run: () => void sending.askPasscode(transfer) };
  toasts.show(words().approved(transfer.receiver_name), { action });
}

function ended(transfer: Transfer): void {
  const { state, receiver_name: who } = transfer;
  if (state === 'completed') {
    toasts.show(words().arrived(named(transfer)), { action: showing(landedHref(transfer)) });
  } else if (state === 'rejected' && isOutgoing(transfer)) {
    toasts.show(words().rejected(who, named(transfer)), { tone: 'danger' });
  } else if (state === 'failed') {
    toasts.show(words().failed(named(transfer)), { tone: 'danger' });
  }
}

const showing = (href: string | undefined): ToastAction | undefined =>
  href ? { label: words().look, run: () => router.go(href) } : undefined;
