// Sizes, dates and kinds of coding in words, for titles and the details beside a preview.
import { text } from '../text/text.svelte';

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** A size as people say it: "8.4 MB", in decimal units as the rest of the page. */
export function describeSize(bytes: number): string {
  const step = bytes < 1_000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const digits = step === 0 || bytes / 1_000 ** step >= 100 ? 0 : 1;
  return `${format(bytes / 1_000 ** step, digits)} ${UNITS[step]}`;
}

/** Every digit of a count, grouped. */
export function describeCount(count: number): string {
  return count.toLocaleString(text.language);
}

/** A moment, to the minute. */
export function describeDate(moment: string): string {
  return new Date(moment).toLocaleString(text.language, { dateStyle: 'medium', timeStyle: 'short' });
}

/** How long ago a moment was: "3 hours ago". */
export function describeAgo(moment: string, now: number): string {
  const seconds = Math.min(0, (Date.parse(moment) - now) / 1_000);
  const format = new Intl.RelativeTimeFormat(text.language, { numeric: 'auto' });
  if (seconds > -60) return format.format(0, 'minute');
  if (seconds > -3_600) return format.format(Math.round(seconds / 60), 'minute');
  if (seconds > -86_400) return format.format(Math.round(seconds / 3_600), 'hour');
  return format.format(Math.round(seconds / 86_400), 'day');
}

function format(value: number, digits: number): string {
  return value.toLocaleString(text.language, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}
