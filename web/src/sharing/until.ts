// When a right ends: one of a few usual spans, a day of the calendar, or never.

const DAY_MS = 86_400_000;

export type Span = 'never' | 'day' | 'week' | 'month' | 'date';
export const SPANS: readonly Span[] = ['never', 'day', 'week', 'month', 'date'];
const DAYS: Partial<Record<Span, number>> = { day: 1, week: 7, month: 30 };

/** The moment at which the span ends; null for never, and for a date that is none. */
export function endOf(span: Span, date: string, now: Date): string | null {
  const days = DAYS[span];
  if (days) return new Date(now.getTime() + days * DAY_MS).toISOString();
  return span === 'date' ? endOfDay(date) : null;
}

/** The last moment of a day of this browser's calendar ("2026-11-21"). */
function endOfDay(date: string): string | null {
  const [year, month, day] = date.split('-').map(Number);
  if (!year || !month || !day) return null;
  return new Date(new Date(year, month - 1, day + 1).getTime() - 1_000).toISOString();
}

/** The day of the browser's calendar that a moment lies in: what a field for dates shows. */
export function dayOf(moment: Date): string {
  const two = (number: number) => String(number).padStart(2, '0');
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}
