import { describe, expect, it } from 'vitest';
import { dateRange, sizeRange, type DateChoice, type SizeChoice } from './search-filters';

describe('filters', () => {
  it('of size meet without a gap', () => {
    expect(sizeRange('small')).toEqual({ max_size: 999_999 });
    expect(sizeRange('medium').min_size).toBe(1_000_000);
    expect(sizeRange('any')).toEqual({});
  });

  it('of time count back from now', () => {
    const now = new Date('2026-11-21T12:00:00Z');
    expect(dateRange('day', now)).toEqual({ after: '2026-11-20T12:00:00.000Z' });
    expect(dateRange('any', now)).toEqual({});
  });

  it('that nobody knows are none', () => {
    expect(sizeRange('toString' as SizeChoice)).toEqual({});
    expect(dateRange('toString' as DateChoice, new Date())).toEqual({});
  });
});
