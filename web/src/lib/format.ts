// Sizes, counts and times in words, in the visitor's language. Pure: the present moment is handed in.
import type { Language } from '../text/text.svelte';

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const;
const STEP = 1000;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const formats = new Map<string, unknown>();

/** Intl objects are slow to make and are asked for by every row. */
function kept<T>(key: string, make: () => T): T {
  const known = formats.get(key) as T | undefined;
  if (known) return known;
  const made = make();
  formats.set(key, made);
  return made;
}

/** `1234567` → `1.2 MB`: decimal units as on the box of the disk, two digits of meaning where they help. */
export function formatSize(bytes: number, language: Language): string {
  let unit = 0;
  let value = bytes;
  while (unit < UNITS.length - 1 && Math.round(value) >= STEP) {
    value /= STEP;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : unit >= 3 && value < 10 ? 2 : 1;
  const format = kept(
    `size ${language} ${unit} ${digits}`,
    () =>
      new Intl.NumberFormat(language, {
        style: 'unit',
        unit: UNITS[unit],
        unitDisplay: unit === 0 ? 'long' : 'short',
        maximumFractionDigits: digits,
      }),
  );
  // As people write it; Intl has the SI's small k.
  return format.format(value).replace('kB', 'KB');
}

/** `102418` → `102,418`. */
export function formatCount(count: number, language: Language): string {
  return kept(`count ${language}`, () => new Intl.NumberFormat(language)).format(count);
}

/** `3725` seconds → `1:02:05`; an unknown number is a dash. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '–:––';
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, i) => (i ? String(part).padStart(2, '0') : String(part))).join(':');
}

/** A moment with everything there is to it: for tooltips and details. */
export function formatExactTime(moment: Date, language: Language): string {
  const make = () =>
    new Intl.DateTimeFormat(european(language), { dateStyle: 'medium', timeStyle: 'medium' });
  return kept(`exact ${language}`, make).format(moment);
}

/** A moment to come, to the minute: until when something is good. */
export function formatMoment(moment: Date, language: Language): string {
  const make = () => new Intl.DateTimeFormat(european(language), { dateStyle: 'medium', timeStyle: 'short' });
  return kept(`moment ${language}`, make).format(moment);
}

/** How long ago a moment was, as short as can be: `now`, `3h`. */
export function formatAge(moment: Date, now: Date, language: Language): string {
  const age = Math.max(0, now.getTime() - moment.getTime());
  if (age < MINUTE) return relative(language, 0, 'second');
  const [unit, length] =
    age < HOUR
      ? (['minute', MINUTE] as const)
      : age < DAY
        ? (['hour', HOUR] as const)
        : (['day', DAY] as const);
  const make = () => new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'narrow' });
  return kept(`age ${language} ${unit}`, make).format(Math.floor(age / length));
}

/** A moment as one would say it: `2 min ago`, `Today, 09:14`, `Yesterday`, `18 Nov`, `18 Nov 2025`. */
export function formatTime(moment: Date, now: Date, language: Language): string {
  const age = now.getTime() - moment.getTime();
  if (age >= -MINUTE && age < MINUTE) return capital(relative(language, 0, 'second'));
  if (age >= 0 && age < HOUR) return relative(language, -Math.floor(age / MINUTE), 'minute');
  const days = daysBetween(moment, now);
  if (days === 0) return `${capital(relative(language, 0, 'day'))}, ${clock(moment, language)}`;
  if (days === 1) return capital(relative(language, -1, 'day'));
  return calendar(moment, moment.getFullYear() === now.getFullYear(), language);
}

/** How long ago a moment was, within a sentence: `3 hours ago`. */
export function formatAgo(moment: Date, now: Date, language: Language): string {
  const age = Math.max(0, now.getTime() - moment.getTime());
  if (age < MINUTE) return relative(language, 0, 'second');
  if (age < HOUR) return relative(language, -Math.floor(age / MINUTE), 'minute');
  if (age < DAY) return relative(language, -Math.floor(age / HOUR), 'hour');
  return relative(language, -Math.floor(age / DAY), 'day');
}

/** A moment of today by the clock alone: `14:03`; of another day with the day. */
export function formatClock(moment: Date, now: Date, language: Language): string {
  const time = clock(moment, language);
  if (daysBetween(moment, now) === 0) return time;
  return `${calendar(moment, moment.getFullYear() === now.getFullYear(), language)}, ${time}`;
}

function daysBetween(from: Date, to: Date): number {
  const midnight = (moment: Date) =>
    new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
  // A day of 23 or 25 hours, when the clocks change, is still one day.
  return Math.round((midnight(to) - midnight(from)) / DAY);
}

function relative(language: Language, value: number, unit: 'second' | 'minute' | 'hour' | 'day'): string {
  const style = unit === 'minute' ? 'short' : 'long';
  const make = () => new Intl.RelativeTimeFormat(european(language), { numeric: 'auto', style });
  return kept(`relative ${language} ${style}`, make).format(value, unit);
}

function clock(moment: Date, language: Language): string {
  const make = () =>
    new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  return kept(`clock ${language}`, make).format(moment);
}

function calendar(moment: Date, thisYear: boolean, language: Language): string {
  const make = () =>
    new Intl.DateTimeFormat(european(language), {
      day: 'numeric',
      month: 'short',
      year: thisYear ? undefined : 'numeric',
    });
  return kept(`calendar ${language} ${thisYear}`, make).format(moment);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Day before month and 24 hours, as most of the world writes it; plain English would turn both round. */
function european(language: Language): string {
  return language === 'en' ? 'en-GB' : language;
}
