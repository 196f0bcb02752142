import { describe, expect, it } from 'vitest';
import { MAX_HEIGHT, mostDrawn, scrollTopFor, windowOf, type View } from './windowing';

const list = (changes: Partial<View> = {}): View => ({
  count: 100_000,
  columns: 1,
  lineHeight: 40,
  viewHeight: 800,
  scrollTop: 0,
  ...changes,
});

/** Whether the screen is covered by what is drawn. */
function covers(view: View): boolean {
  const { first, end, offset } = windowOf(view);
  const lines = Math.ceil((end - first) / view.columns);
  return offset <= view.scrollTop && offset + lines * view.lineHeight >= view.scrollTop + view.viewHeight;
}

describe('the drawn part', () => {
  it('is a few screens at the most', () => {
    const { first, end } = windowOf(list({ scrollTop: 2_000_000 }));
    expect(end - first).toBeLessThan(40);
    expect(first).toBe(50_000 - 6);
  });

  it.each([0, 1, 39, 40, 1_999_999, 100_000 * 40 - 800])('covers the screen at %d', (scrollTop) => {
    expect(covers(list({ scrollTop }))).toBe(true);
  });

  it.each([0, 1, 39, 40, 41, 399.5, 1_999_999, 100_000 * 40 - 800])(
    'fits into its slots at %d',
    (scrollTop) => {
      for (const [columns, viewHeight] of [
        [1, 800],
        [1, 807.5],
        [4, 800],
      ] as const) {
        const view = list({ scrollTop, columns, viewHeight });
        const { first, end } = windowOf(view);
        expect(end - first).toBeLessThanOrEqual(mostDrawn(view));
      }
    },
  );

  it('starts whole lines in a grid', () => {
    const { first, end } = windowOf(list({ count: 1_003, columns: 4, scrollTop: 5_000 }));
    expect(first % 4).toBe(0);
    expect(end % 4).toBe(0);
  });

  it('ends with the last entry of a line that is not full', () => {
    expect(windowOf(list({ count: 1_003, columns: 4, scrollTop: 1e9 })).end).toBe(1_003);
  });

  it('is nothing for nothing', () => {
    expect(windowOf(list({ count: 0 }))).toEqual({ first: 0, end: 0, offset: 0, height: 0 });
  });

  it('is never above the top when the list became shorter than the scroll', () => {
    const { first, end } = windowOf(list({ count: 3, scrollTop: 50_000 }));
    expect([first, end]).toEqual([0, 3]);
  });
});

describe('a list higher than a browser can draw', () => {
  const tall = (scrollTop: number) => list({ count: 2_000_000, scrollTop });

  it('is as high as allowed, and its scrollbar still reaches both ends', () => {
    expect(windowOf(tall(0)).height).toBe(MAX_HEIGHT);
    expect(windowOf(tall(0)).first).toBe(0);
    expect(windowOf(tall(MAX_HEIGHT - 800)).end).toBe(2_000_000);
  });

  it.each([0, 7_654_321, MAX_HEIGHT - 800])('covers the screen at %d', (scrollTop) => {
    expect(covers(tall(scrollTop))).toBe(true);
  });

  it('reveals the entry asked for', () => {
    const view = tall(0);
    const scrollTop = scrollTopFor(1_234_567, view);
    const { first, end } = windowOf({ ...view, scrollTop });
    expect(first).toBeLessThan(1_234_567);
    expect(end).toBeGreaterThan(1_234_567);
  });
});

describe('revealing', () => {
  it('stays where it is for what is seen', () => {
    expect(scrollTopFor(5, list())).toBe(0);
  });

  it('moves as little as possible', () => {
    expect(scrollTopFor(20, list())).toBe(21 * 40 - 800);
    expect(scrollTopFor(10, list({ scrollTop: 4_000 }))).toBe(400);
  });
});
