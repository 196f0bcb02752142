// The choices by which a search is narrowed, and what they mean to the machine.
import type { SearchQuery } from '../api/types';

export type Scope = 'folder' | 'share' | 'all';
export type SizeChoice = 'any' | 'small' | 'medium' | 'large' | 'huge';
export type DateChoice = 'any' | 'day' | 'week' | 'month' | 'year';

export const SCOPES: Scope[] = ['folder', 'share', 'all'];
export const SIZES: SizeChoice[] = ['any', 'small', 'medium', 'large', 'huge'];
export const DATES: DateChoice[] = ['any', 'day', 'week', 'month', 'year'];

const MB = 1_000_000;
const GB = 1_000 * MB;
const DAY_MS = 24 * 60 * 60 * 1_000;

const SIZE_RANGES = new Map<string, Pick<SearchQuery, 'min_size' | 'max_size'>>([
  ['small', { max_size: MB - 1 }],
  ['medium', { min_size: MB, max_size: 100 * MB }],
  ['large', { min_size: 100 * MB, max_size: GB }],
  ['huge', { min_size: GB }],
]);

const DAYS = new Map<string, number>([
  ['day', 1],
  ['week', 7],
  ['month', 30],
  ['year', 365],
]);

export const sizeRange = (choice: SizeChoice): Pick<SearchQuery, 'min_size' | 'max_size'> =>
  SIZE_RANGES.get(choice) ?? {};

export function dateRange(choice: DateChoice, now: Date): Pick<SearchQuery, 'after'> {
  const days = DAYS.get(choice);
  return days === undefined ? {} : { after: new Date(now.getTime() - days * DAY_MS).toISOString() };
}
