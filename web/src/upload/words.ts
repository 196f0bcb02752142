// How uploads stand, in the words of the tray. Pure: view, words and language are handed in.
import { formatCount, formatSize } from '../lib/format';
import type { ManagingWords as Words } from '../text/managing.en';
import type { Language } from '../text/text.svelte';
import type { View } from './queue.svelte';

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** `14` → `14 s`; `200` → `4 min`: as exact as anybody can tell. */
export function timeLeft(seconds: number, words: Words): string {
  const { upload } = words;
  if (seconds < MINUTE) return upload.seconds(seconds);
  if (seconds < HOUR) return upload.minutes(Math.ceil(seconds / MINUTE));
  return upload.hours(Math.floor(seconds / HOUR), Math.ceil((seconds % HOUR) / MINUTE));
}

/** The headline, and where it goes. */
export function headline(view: View, words: Words, language: Language, short: boolean): string {
  const { upload } = words;
  const count = formatCount(view.files, language);
  if (view.running) return short ? upload.filesShort(view.files, count) : upload.uploading(view.files, count);
  if (view.asking > 0) return upload.needsAnswer(view.asking, formatCount(view.asking, language));
  const interrupted = Math.max(view.missing, view.interrupted.length) + view.elsewhere.length;
  if (interrupted > 0) return upload.interrupted(interrupted, formatCount(interrupted, language));
  if (view.failed > 0) return upload.someFailed(view.failed, formatCount(view.failed, language));
  return upload.uploaded(view.files, count);
}

/** The line below: how far, how fast, how long still. */
export function standing(view: View, words: Words, language: Language, short: boolean): string {
  const { upload } = words;
  if (!view.running) return view.bytes > 0 ? formatSize(view.bytes, language) : '';
  const parts = short
    ? [percent(view)]
    : [upload.done(formatCount(view.done, language)), amount(view, words, language)];
  if (view.paused) return [...parts, upload.paused].join(' · ');
  if (view.hold) return [upload.holds[view.hold], ...parts].join(' · ');
  const rate = view.perSecond > 0 ? upload.rate(formatSize(view.perSecond, language)) : '';
  const left = view.secondsLeft === undefined ? '' : upload.left(timeLeft(view.secondsLeft, words));
  // Where there is little room the end may be cut off.
  parts.push(...(short ? [left, rate] : [rate, left]).filter(Boolean));
  return parts.join(' · ');
}

const percent = (view: View) => `${Math.floor(fractionOf(view) * 100)} %`;

/** `1.9 of 3.1 GB`: a unit that both have is said once. */
function amount({ sent, bytes }: View, words: Words, language: Language): string {
  const all = formatSize(bytes, language);
  const some = formatSize(sent, language);
  const [unit = ''] = /\s\S+$/.exec(all) ?? [];
  return words.upload.amount(unit && some.endsWith(unit) ? some.slice(0, -unit.length) : some, all);
}

/** 0 to 1. Where there are no bytes at all, files are counted. */
export function fractionOf({ sent, bytes, done, files }: View): number {
  if (bytes > 0) return Math.min(1, sent / bytes);
  return files > 0 ? done / files : 0;
}

/** What a screen reader says as it goes on: every quarter, and when it changes its state. */
export function milestone(view: View, words: Words, language: Language): string {
  if (view.files === 0) return '';
  if (!view.running) return headline(view, words, language, false);
  if (view.paused) return words.upload.paused;
  if (view.hold) return words.upload.holds[view.hold];
  const quarter = Math.floor(fractionOf(view) * 4) * 25;
  return words.upload.milestone(quarter);
}
