// What the visitor is told of transfers, wherever in the page they are.
import type { Transfer } from '../api/types';
import { INBOX } from '../routes';
import { router } from '../state/router.svelte';
import { sending } from '../state/sending.svelte';
import { toasts, type ToastAction } from '../state/toasts.svelte';
import { isOffer, isOutgoing, wantsPasscode, type Told } from '../state/transfers.svelte';
import { managingWords } from '../text/managing.svelte';
import { sendingWords } from '../text/sending.svelte';
import { text } from '../text/text.svelte';
import { landedHref } from './landed';
import { nameOf } from './standing';

/** Says what happened, if it is news to the visitor. */
export const notice: Told = (what, transfer) => {
  if (what === 'transfer_requested' && isOffer(transfer)) return offered(transfer);
  if (what === 'transfer_approved' && wantsPasscode(transfer)) return approved(transfer);
  if (what === 'transfer_rejected' && isOutgoing(transfer)) return rejected(transfer);
  if (what === 'transfer_ended') return ended(transfer);
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

function rejected(transfer: Transfer): void {
  toasts.show(words().rejected(transfer.receiver_name, named(transfer)), { tone: 'danger' });
}

function ended(transfer: Transfer): void {
  if (transfer.state === 'completed') {
    toasts.show(words().arrived(named(transfer)), { action: showing(landedHref(transfer)) });
  } else if (transfer.state === 'failed') {
    toasts.show(words().failed(named(transfer)), { tone: 'danger' });
  }
}

const showing = (href: string | undefined): ToastAction | undefined =>
  href ? { label: words().look, run: () => router.go(href) } : undefined;
