// How this machine's link to another Lanthorn stands, in words. Pure.
import type { JoinedCoordinator } from '../api/types';
import { ApiFailure } from '../api/client';
import { formatMoment } from '../lib/format';
import { joinWords } from '../sharing/rights';
import type { Words } from '../text/en';
import type { Language } from '../text/text.svelte';
import { sentenceOf } from '../ui/failure';

export const TONES = {
  connected: 'ok',
  connecting: 'plain',
  waiting: 'warn',
  refused: 'danger',
} as const satisfies Record<JoinedCoordinator['standing'], string>;

interface Ways {
  words: Words;
  language: Language;
  nameOf: (share: string) => string | undefined;
}

/** Since when, where, what is offered, and what is wrong: "since 21 Nov 2026, 09:14 · https://attic:7000 · all its folders". */
export function joinedWords(joined: JoinedCoordinator, { words, language, nameOf }: Ways): string {
  const { elsewhere } = words;
  const facts = [
    elsewhere.since(formatMoment(new Date(joined.since), language)),
    joined.url,
    offeredWords(joined, nameOf, words, language),
    joined.trouble && sentenceOf(new ApiFailure(joined.trouble, 0), words),
  ];
  return facts.filter(Boolean).join(' · ');
}

function offeredWords(
  { shares }: JoinedCoordinator,
  nameOf: Ways['nameOf'],
  { elsewhere }: Words,
  language: Language,
): string {
  if (!shares) return elsewhere.offersAll;
  const names = shares.map(nameOf).filter((name) => name !== undefined);
  return names.length ? elsewhere.offersOnly(joinWords(names, language)) : elsewhere.offersNothing;
}
