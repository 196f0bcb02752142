// How a transfer stands: how much of it there is, what it is called, and all of it in one line of words. Pure.
import type { Transfer, TransferItem } from '../api/types';
import { formatCount, formatSize } from '../lib/format';
import type { Progress } from '../state/transfers.svelte';
import type { ManagingWords } from '../text/managing.en';
import type { SendingWords } from '../text/sending.en';
import type { Language } from '../text/text.svelte';
import { secondsLeft } from '../upload/rate';
import { timeLeft } from '../upload/words';

/** The words, and the language that they are in. */
export interface Speech {
  words: SendingWords;
  managing: ManagingWords;
  language: Language;
}

/** When nothing was told of for so long, nothing comes. */
export const SILENCE_MS = 6_000;

const isWanted = ({ state }: TransferItem) => state !== 'rejected';

/** Those that are to come; all of them where none is. */
function wantedOf(items: readonly TransferItem[]): readonly TransferItem[] {
  const wanted = items.filter(isWanted);
  return wanted.length > 0 ? wanted : items;
}

const sum = (items: readonly TransferItem[], of: (item: TransferItem) => number) =>
  wantedOf(items).reduce((all, item) => all + of(item), 0);

export const bytesOf = ({ items }: Pick<Transfer, 'items'>) => sum(items, ({ size }) => size);

const cameOf = ({ items }: Pick<Transfer, 'items'>) => sum(items, (item) => item.received_size ?? 0);

/** What it is called: by the visitor, else by what is in it. */
export function nameOf(
  { items, label }: Pick<Transfer, 'items' | 'label'>,
  { words, language }: Speech,
): string {
  if (label) return label;
  const [first, ...rest] = wantedOf(items);
  if (!first) return '';
  if (rest.length === 0) return first.filename;
  return words.transfers.more(first.filename, rest.length, formatCount(rest.length, language));
}

/** How far it is: bytes there, and bytes in all. */
export function amountOf(transfer: Transfer, progress: Progress | undefined): { came: number; all: number } {
  if (progress) return { came: Math.min(progress.received, progress.total), all: progress.total };
  return { came: cameOf(transfer), all: bytesOf(transfer) };
}

/** 0 to 1. Where there are no bytes, the items are counted. */
export function fractionOf(transfer: Transfer, progress: Progress | undefined): number {
  const { came, all } = amountOf(transfer, progress);
  if (all > 0) return Math.min(1, came / all);
  const wanted = wantedOf(transfer.items);
  return wanted.length > 0 ? wanted.filter(({ state }) => state === 'finalized').length / wanted.length : 0;
}

/** True while bytes may come. */
export const isMoving = ({ state, paused_by }: Transfer) =>
  (state === 'in_progress' || state === 'passcode_open') && !paused_by;

/** "Arrived", "Rejected: no room": where it stands, without figures. */
export function stateWords(transfer: Transfer, { words: { transfers: words } }: Speech): string {
  const state = words.states[transfer.state];
  return transfer.reason ? words.because(state, transfer.reason) : state;
}

/** "412 MB of 1.2 GB · 92 MB/s · 9 s left · direct · as fast as the network carries". */
export function goingWords(
  transfer: Transfer,
  progress: Progress | undefined,
  now: number,
  speech: Speech,
): string {
  const { words, managing, language } = speech;
  const { came, all } = amountOf(transfer, progress);
  const amount = words.transfers.amount(formatSize(came, language), formatSize(all, language));
  if (transfer.paused_by) return join(words.transfers.paused[transfer.paused_by], amount);
  if (!progress) return join(stateWords(transfer, speech), amount);
  if (now - progress.at > SILENCE_MS) return join(amount, words.transfers.silent);
  const rate = progress.perSecond > 0 ? managing.upload.rate(formatSize(progress.perSecond, language)) : '';
  const seconds = secondsLeft(all - came, progress.perSecond);
  const left = seconds ? managing.upload.left(timeLeft(seconds, managing)) : '';
  const way = progress.way ?? transfer.way;
  const limit = progress.limit ?? transfer.limited_by;
  return join(
    amount,
    rate,
    left,
    way ? words.transfers.ways[way] : '',
    limit ? words.transfers.limits[limit] : '',
  );
}

const join = (...parts: string[]) => parts.filter(Boolean).join(' · ');
